#include <CLI/CLI.hpp>

#include <variant>

#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/text.hpp"
#include "factors/qr_code.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kFactors = "/v1/users/me/factors";
constexpr std::string_view kTotp = "/v1/users/me/factors/totp";
constexpr const char* kEnrolOtherwise =
    "on a terminal (over ssh: ssh -t); or, in a program, POST /v1/users/me/factors/totp and /totp/confirm";
constexpr int kTriesOfCode = 3;
constexpr std::size_t kQuietZone = 2;  // modules around a QR code

SecretText ask_password(Desk& desk, bool is_from_stdin) {
  if (is_from_stdin) return Console::secret_from_stdin();
  return desk.console().ask_secret("Password: ", "say --password-stdin, and pipe it in");
}

std::string ask_code(Desk& desk, const std::string& given) {
  if (!given.empty()) return given;
  return desk.console().ask("Code of your authenticator app, or a backup code: ", "say --code CODE");
}

std::size_t columns_of(const QrCode& code) { return code.width() + 2 * kQuietZone; }

// Two rows of modules in one of text, dark on light whatever the terminal's colours are.
std::string drawn(const QrCode& code) {
  const auto side = columns_of(code);
  const auto is_dark = [&](std::size_t column, std::size_t row) {
    const bool is_inside = column >= kQuietZone && row >= kQuietZone && column < kQuietZone + code.width() &&
                           row < kQuietZone + code.width();
    return is_inside && code.is_dark(column - kQuietZone, row - kQuietZone);
  };
  std::string out;
  for (std::size_t row = 0; row < side; row += 2) {
    out += "\x1b[30;107m";
    for (std::size_t column = 0; column < side; ++column) {
      const bool is_upper = is_dark(column, row);
      const bool is_lower = is_dark(column, row + 1);
      out += is_upper && is_lower ? "\u2588" : is_upper ? "\u2580" : is_lower ? "\u2584" : " ";
    }
    out += "\x1b[0m\n";
  }
  return out;
}

void print_codes(Desk& desk, const boost::json::value& answer) {
  if (desk.is_json()) {
    desk.print_json(answer);
    return;
  }
  desk.console().write("Backup codes, each for one login without the app. They are shown this once:\n");
  for (const auto& code : items_at(object_of(answer), "backupCodes")) {
    desk.console().write("  " + inert(std::string(code.get_string())) + "\n");
  }
}

// Whether a context and its login are there is found out before anybody types a password.
void find_login(Desk& desk) {
  const auto answer = desk.api().try_get(kFactors);
  const auto* refusal = std::get_if<Refusal>(&answer);
  if (refusal == nullptr) return;
  if (refusal->type == "forbidden") throw Failure(refusal->text, "a context without an API key, and context login");
  fail(*refusal);
}

void show_secret(Desk& desk, const boost::json::object& offer) {
  const QrCode code(text_at(offer, "otpauthUri"));
  const bool is_drawn = !desk.is_json() && desk.console().width() >= columns_of(code);  // no terminal has none
  if (is_drawn) desk.console().write(drawn(code));
  desk.console().note(is_drawn ? "Scan it with an authenticator app, or type this secret there:"
                               : "Type this secret into an authenticator app:");
  desk.console().note("  " + text_at(offer, "secret"));
}

bool is_wrong_code(const Refusal& refusal) {
  const auto& errors = items_at(refusal.problem, "errors");
  return errors.size() == 1 && text_at(object_of(errors.front()), "code") == "wrong-code";
}

boost::json::value confirm(Desk& desk) {
  for (int tries = 1;; ++tries) {
    const auto code = desk.console().ask("The code that the app shows: ", kEnrolOtherwise);
    auto answer = desk.api().try_post(std::string(kTotp) + "/confirm", {{"code", code}});
    if (auto* codes = std::get_if<boost::json::value>(&answer)) return std::move(*codes);
    const auto& refusal = std::get<Refusal>(answer);
    if (tries >= kTriesOfCode || !is_wrong_code(refusal)) fail(refusal);
    desk.console().note("That code is wrong, or was used already.");
  }
}

void enrol(Desk& desk, bool is_from_stdin) {
  // Its code can only be known once the secret is, so it is no option.
  if (!Console::has_terminal())
    throw Failure("there is no terminal to ask for the app's first code on", kEnrolOtherwise);
  find_login(desk);
  const auto password = ask_password(desk, is_from_stdin);
  const auto offer = desk.api().post(kTotp, {{"password", std::string(password.reveal())}});
  show_secret(desk, object_of(offer));
  print_codes(desk, confirm(desk));
  desk.console().note("From now on a login asks for a code. Your other sessions have ended.");
}

struct Options {
  std::string code;
  bool is_from_stdin = false;
};

void add_password_option(CLI::App& verb, const std::shared_ptr<Options>& options) {
  verb.add_flag("--password-stdin", options->is_from_stdin, "Read the password from the first line of stdin");
}

void add_code_option(CLI::App& verb, const std::shared_ptr<Options>& options) {
  verb.add_option("--code", options->code,
                  "The app's code, or a backup code, which is used up by that; without it, it is asked")
      ->type_name("CODE");
}

void add_show(CLI::App& noun, int& exit_code) {
  add_verb_of_a_person(noun, exit_code,
                       {.name = "show", .description = "Say whether you have one", .example = "safawinet factor show"},
                       [](Desk& desk) {
                         const auto answer = desk.api().get(kFactors);
                         if (desk.is_json()) {
                           desk.print_json(answer);
                           return;
                         }
                         const auto& factors = object_of(answer);
                         const auto totp = object_at(factors, "totp");
                         desk.print_record({{"Authenticator app", totp.empty() ? "no" : "yes"},
                                            {"Since", time_at(totp, "enrolledAt")},
                                            {"Last used", time_at(totp, "lastUsedAt")},
                                            {"Backup codes left", text_at(factors, "backupCodesLeft")}});
                       });
}

void add_enrol(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto& verb = add_verb_of_a_person(noun, exit_code,
                                    {.name = "enrol",
                                     .description = "Have logins ask for a code of an authenticator app",
                                     .example = "safawinet factor enrol"},
                                    [options](Desk& desk) { enrol(desk, options->is_from_stdin); });
  add_password_option(verb, options);
}

void add_remove(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto& verb = add_verb_of_a_person(
      noun, exit_code,
      {.name = "remove",
       .description = "Have logins ask for the password alone again",
       .example = "safawinet factor remove\n"
                  "pass show safawinet | safawinet factor remove --password-stdin --code 123456"},
      [options](Desk& desk) {
        find_login(desk);
        const auto password = ask_password(desk, options->is_from_stdin);
        const auto code = ask_code(desk, options->code);
        desk.api().remove_with(kTotp, {{"password", std::string(password.reveal())}, {"code", code}});
        desk.print_done("Removed your second factor. Your other sessions have ended.",
                        boost::json::object{{"removed", true}});
      });
  add_password_option(verb, options);
  add_code_option(verb, options);
}

void add_backup_codes(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto& verb = add_verb_of_a_person(
      noun, exit_code,
      {.name = "backup-codes",
       .description = "Make new backup codes; the earlier ones are good for nothing any more",
       .example = "safawinet factor backup-codes\n"
                  "pass show safawinet | safawinet factor backup-codes --password-stdin --code 123456"},
      [options](Desk& desk) {
        find_login(desk);
        const auto password = ask_password(desk, options->is_from_stdin);
        const auto code = ask_code(desk, options->code);
        print_codes(desk, desk.api().post(std::string(kFactors) + "/backup-codes",
                                          {{"password", std::string(password.reveal())}, {"code", code}}));
      });
  add_password_option(verb, options);
  add_code_option(verb, options);
}

}  // namespace

void add_factor(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "factor", "Your own second factor", "safawinet factor enrol");
  add_show(noun, exit_code);
  add_enrol(noun, exit_code);
  add_remove(noun, exit_code);
  add_backup_codes(noun, exit_code);
}

}  // namespace safawinet::cli
