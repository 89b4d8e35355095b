#include <unistd.h>
#include <CLI/CLI.hpp>

#include <array>
#include <filesystem>
#include <optional>

#include "cli/commands.hpp"
#include "cli/contexts.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/http_client.hpp"
#include "cli/private_file.hpp"
#include "cli/signed_in_client.hpp"
#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

constexpr int kTriesOfCode = 3;

std::string this_machine() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "a command line";
}

// None also when they cannot be read: what is about to replace or forget them does not wait for that.
std::optional<Tokens> tokens_if_readable(const std::filesystem::path& file) {
  try {
    return read_tokens(file);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

boost::json::object describe(const Contexts& contexts, const Context& context) {
  const bool is_logged_in = std::filesystem::exists(contexts.credentials_file(context.name));
  boost::json::object answer{{"name", context.name},
                             {"url", context.url},
                             {"current", contexts.current() == context.name},
                             {"credential", context.api_key_file ? "api-key"
                                            : is_logged_in       ? "session"
                                                                 : "none"}};
  if (const auto tokens = tokens_if_readable(contexts.credentials_file(context.name)); tokens && tokens->email) {
    answer["email"] = *tokens->email;
  }
  if (context.ca_file) answer["caFile"] = *context.ca_file;
  if (context.api_key_file) answer["apiKeyFile"] = *context.api_key_file;
  return answer;
}

std::string absolute(const std::string& file) { return std::filesystem::absolute(file).lexically_normal().string(); }

void add_add(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string name, url, ca_file, api_key_file;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb_of_this_machine(
      noun, exit_code,
      {.name = "add",
       .description = "Name a server",
       .example = "safawinet context add prod --url https://accounts.example.com\nsafawinet context login prod"},
      [options](Desk& desk) {
        check_context_name(options->name);
        Context context{.name = options->name, .url = checked_url(options->url), .ca_file = {}, .api_key_file = {}};
        if (!options->ca_file.empty()) context.ca_file = absolute(options->ca_file);
        if (!options->api_key_file.empty()) {
          context.api_key_file = absolute(options->api_key_file);
          read_api_key(*context.api_key_file);
        }
        Contexts contexts;
        contexts.add(context);
        const bool is_current = contexts.current() == context.name;
        desk.print_done("Added " + context.name + (is_current ? ", which is the current context now." : ".") +
                            (context.api_key_file ? "" : " Log in: safawinet context login " + context.name),
                        describe(contexts, context));
      });
  verb.add_option("name", options->name, "What to call it")->type_name("NAME")->required();
  verb.add_option("--url", options->url, "Where it answers, such as https://accounts.example.com")
      ->type_name("URL")
      ->required();
  verb.add_option("--ca-file", options->ca_file, "PEM file of the authority to trust; without it, the system's")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  verb.add_option("--api-key-file", options->api_key_file,
                  "A file (mode 0600) with an API key, instead of logging in; read at each command")
      ->type_name("FILE");
}

// Best effort: what stood in the way is said. 401: it has ended already.
void end_session(Desk& desk, const Context& context, const Tokens& tokens) {
  std::string why;
  try {
    HttpClient client(context);
    const boost::json::object body{{"refreshToken", std::string(tokens.refresh_token.reveal())}};
    const auto answer =
        client.send({.method = "POST", .target = "/v1/auth/logout", .body = SecretText(boost::json::serialize(body))});
    if (answer.status == 204 || answer.status == 200 || answer.status == 401) return;
    why = refusal_of(answer).text;
  } catch (const Failure& failure) {
    why = failure.what();
  }
  desk.console().note("The former session on " + context.url + " was not ended: " + why +
                      ". Look for it with safawinet session list --context " + context.name +
                      " USER, and end it with safawinet session end.");
}

[[noreturn]] void fail_login(const Refusal& refusal, const std::string& email) {
  if (refusal.type == "email-not-verified") {
    throw Failure(refusal.text, "the link in the mail to " + email +
                                    "; or an operator vouches for it: safawinet user verify " + shell_word(email));
  }
  if (refusal.status == 429 && refusal.retry_after_seconds) {
    throw Failure(refusal.text, "again in " + std::to_string(*refusal.retry_after_seconds) +
                                    " seconds; or an operator lets you at once: safawinet user unlock " +
                                    shell_word(email));
  }
  fail(refusal);
}

ApiResponse post(HttpClient& client, std::string_view path, const boost::json::object& body) {
  return client.send({.method = "POST", .target = std::string(path), .body = SecretText(boost::json::serialize(body))});
}

// The second step of a login, with the ticket that the first one gave; what is mistyped on the terminal is asked again.
// Whoever answers keeps what came, before anything else: so `until_kept` holds again when it returns.
ApiResponse take_second_step(Desk& desk, HttpClient& client, const Refusal& asked, const std::string& given,
                             std::optional<InterruptsPutOff>& until_kept) {
  for (int tries = 1;; ++tries) {
    until_kept.reset();  // nothing is to be kept before there is an answer to the question
    const auto code = given.empty() ? desk.console().ask("Code of your authenticator app, or a backup code: ",
                                                         "say --code CODE: the account has a second factor")
                                    : given;
    until_kept.emplace();
    auto answer =
        post(client, "/v1/auth/login/second-factor", {{"ticket", text_at(asked.problem, "ticket")}, {"code", code}});
    if (answer.status != 401 || !given.empty() || tries >= kTriesOfCode) return answer;
    desk.console().note("That code is wrong, or was used already.");
  }
}

struct LoginOptions {
  std::string name, email, code;
  bool is_from_stdin = false;
};

void log_in(Desk& desk, const LoginOptions& options) {
  const auto& [name, given_email, code, is_from_stdin] = options;
  auto email = given_email;
  const Contexts contexts;
  const auto& context = contexts.get(name);
  if (context.api_key_file) {
    throw Failure(context.name + " uses the API key in " + *context.api_key_file, "safawinet user list");
  }
  if (email.empty()) {
    email = desk.console().ask("E-mail address for " + context.url + ": ", "say --email and --password-stdin");
  }
  if (email.find('@') == std::string::npos) {
    throw Failure("that is no e-mail address", "--email ada@example.com", kUsage);
  }
  const auto password = is_from_stdin ? Console::secret_from_stdin()
                                      : desk.console().ask_secret("Password: ", "say --password-stdin, and pipe it in");
  HttpClient client(context);
  const boost::json::object body{
      {"email", email}, {"password", std::string(password.reveal())}, {"deviceName", "safawinet on " + this_machine()}};
  const auto file = contexts.credentials_file(context.name);
  const FileLock lock(file.string() + ".lock");
  std::optional<InterruptsPutOff> until_kept;
  until_kept.emplace();
  auto answer = post(client, "/v1/auth/login", body);
  if (answer.status == 401) throw Failure("wrong address or password");
  if (const auto refusal = refusal_of(answer); refusal.type == "second-factor-required") {
    answer = take_second_step(desk, client, refusal, code, until_kept);
    if (answer.status == 401) throw Failure("the code is wrong, or was used already", "wait for the app's next one");
  }
  if (answer.status != 200) fail_login(refusal_of(answer), email);
  const auto former = tokens_if_readable(file);
  auto tokens = tokens_from(answer);
  tokens.email = email;
  keep_tokens(file, tokens);
  if (former) end_session(desk, context, *former);
  desk.print_done("Logged in to " + context.name + " as " + email + ".", describe(contexts, context));
}

void add_login(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<LoginOptions>();
  auto& verb = add_verb_of_this_machine(
      noun, exit_code,
      {.name = "login",
       .description = "Log in to the server of a context; the session is kept in a file that only you may read",
       .example = "safawinet context login prod --email ada@example.com\n"
                  "pass show safawinet | safawinet context login prod --email ada@example.com --password-stdin"},
      [options](Desk& desk) { log_in(desk, *options); });
  verb.add_option("name", options->name, "The context; without it, the current one")->type_name("CONTEXT");
  verb.add_option("--email", options->email, "As whom; without it, it is asked")->type_name("ADDRESS");
  verb.add_flag("--password-stdin", options->is_from_stdin, "Read the password from the first line of stdin");
  verb.add_option("--code", options->code, "The second factor's code, or a backup code; without it, it is asked")
      ->type_name("CODE");
}

void add_logout_verb(CLI::App& noun, int& exit_code) {
  auto name = std::make_shared<std::string>();
  auto& verb = add_verb_of_this_machine(
      noun, exit_code,
      {.name = "logout", .description = "End the session of a context", .example = "safawinet context logout prod"},
      [name](Desk& desk) {
        const Contexts contexts;
        const auto& context = contexts.get(*name);
        if (context.api_key_file) {
          throw Failure(context.name + " uses an API key, which has no session",
                        "safawinet api-key revoke ID, to end the key itself");
        }
        const auto file = contexts.credentials_file(context.name);
        const FileLock lock(file.string() + ".lock");
        const auto tokens = read_tokens(file);
        if (!tokens) throw Failure("nobody is logged in to " + context.name);
        HttpClient client(context);
        const boost::json::object body{{"refreshToken", std::string(tokens->refresh_token.reveal())}};
        const auto answer = client.send(
            {.method = "POST", .target = "/v1/auth/logout", .body = SecretText(boost::json::serialize(body))});
        // 401: it has ended already.
        if (answer.status != 204 && answer.status != 200 && answer.status != 401) fail(refusal_of(answer));
        remove_file(file);
        desk.print_done("Logged out of " + context.name + ".", describe(contexts, context));
      });
  verb.add_option("name", *name, "The context; without it, the current one")->type_name("CONTEXT");
}

void add_use(CLI::App& noun, int& exit_code) {
  auto name = std::make_shared<std::string>();
  auto& verb = add_verb_of_this_machine(noun, exit_code,
                                        {.name = "use",
                                         .description = "Make a context the current one, which commands speak to",
                                         .example = "safawinet context use prod"},
                                        [name](Desk& desk) {
                                          Contexts contexts;
                                          contexts.use(*name);
                                          desk.print_done("Commands speak to " + *name + " now.",
                                                          describe(contexts, contexts.get(*name)));
                                        });
  verb.add_option("name", *name, "The context")->type_name("CONTEXT")->required();
}

void add_list(CLI::App& noun, int& exit_code) {
  add_verb_of_this_machine(
      noun, exit_code, {.name = "list", .description = "List the contexts", .example = "safawinet context list --json"},
      [](Desk& desk) {
        const Contexts contexts;
        boost::json::array all;
        auto table = desk.table({"CURRENT", "NAME", "URL", "CREDENTIAL", "E-MAIL"});
        for (const auto& context : contexts.all()) {
          const auto item = describe(contexts, context);
          table.add({is_set(item, "current") ? "*" : "", context.name, context.url, text_at(item, "credential"),
                     text_at(item, "email")});
          all.push_back(item);
        }
        if (desk.is_json()) {
          desk.print_json(all);
          return;
        }
        table.finish();
        if (all.empty()) desk.console().note("There is none yet: safawinet context add NAME --url URL");
      });
}

// For completion: not shown in the help, and quick.
void add_names(CLI::App& noun, int& exit_code) {
  auto& verb = add_verb_of_this_machine(noun, exit_code,
                                        {.name = "names",
                                         .description = "Print the names of the contexts, one a line",
                                         .example = "safawinet context names"},
                                        [](Desk& desk) {
                                          const Contexts contexts;
                                          for (const auto& one : contexts.all()) desk.console().write(one.name + "\n");
                                        });
  verb.group("");
}

void add_show(CLI::App& noun, int& exit_code) {
  auto name = std::make_shared<std::string>();
  auto& verb = add_verb_of_this_machine(
      noun, exit_code,
      {.name = "show", .description = "Show a context; never its secrets", .example = "safawinet context show prod"},
      [name](Desk& desk) {
        const Contexts contexts;
        const auto item = describe(contexts, contexts.get(*name));
        if (desk.is_json()) {
          desk.print_json(item);
          return;
        }
        desk.print_record({{"Name", text_at(item, "name")},
                           {"URL", text_at(item, "url")},
                           {"Current", is_set(item, "current") ? "yes" : "no"},
                           {"Credential", text_at(item, "credential")},
                           {"Logged in as", text_at(item, "email")},
                           {"CA file", text_at(item, "caFile")},
                           {"API key file", text_at(item, "apiKeyFile")}});
      });
  verb.add_option("name", *name, "The context; without it, the current one")->type_name("CONTEXT");
}

void add_remove(CLI::App& noun, int& exit_code) {
  auto name = std::make_shared<std::string>();
  auto& verb =
      add_verb_of_this_machine(noun, exit_code,
                               {.name = "remove",
                                .description = "End the session of a context, and forget it with its tokens",
                                .example = "safawinet context remove old"},
                               [name](Desk& desk) {
                                 Contexts contexts;
                                 const auto context = contexts.get(*name);
                                 const auto file = contexts.credentials_file(context.name);
                                 const FileLock lock(file.string() + ".lock");
                                 const auto tokens = tokens_if_readable(file);
                                 contexts.remove(*name);
                                 if (tokens) end_session(desk, context, *tokens);
                                 desk.print_done("Removed " + *name + ".", boost::json::object{{"removed", *name}});
                               });
  verb.add_option("name", *name, "The context")->type_name("CONTEXT")->required();
}

}  // namespace

void add_context(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "context", "The servers that commands speak to, and who you are there",
                        "safawinet context add prod --url https://accounts.example.com\nsafawinet context login prod");
  add_add(noun, exit_code);
  add_login(noun, exit_code);
  add_logout_verb(noun, exit_code);
  add_use(noun, exit_code);
  add_list(noun, exit_code);
  add_names(noun, exit_code);
  add_show(noun, exit_code);
  add_remove(noun, exit_code);
}

}  // namespace safawinet::cli
