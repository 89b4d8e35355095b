// Checks what was given and makes Settings of it.
#include <algorithm>
#include <charconv>

#include "base/json.hpp"
#include "config/config.hpp"
#include "config/setting_table.hpp"
#include "config/sources.hpp"

namespace safawinet::config {
namespace {

using Typed = std::expected<SettingValue, std::string>;

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    auto item = text.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

Typed text_value(const GivenValue& given) {
  const auto* text = std::get_if<std::string>(&given.value);
  if (text == nullptr) return std::unexpected("must be text in quotes");
  if (has_control_characters(*text)) return std::unexpected("must not contain control characters or line ends");
  return *text;
}

Typed list_value(const GivenValue& given) {
  const auto* text = std::get_if<std::string>(&given.value);
  if (text != nullptr && given.is_text_form) return split_at_commas(*text);
  if (std::holds_alternative<std::vector<std::string>>(given.value)) return given.value;
  return std::unexpected("must be a list of texts, such as [\"one\", \"two\"]");
}

Typed integer_value(const Setting& setting, const GivenValue& given) {
  std::optional<std::int64_t> number;
  if (const auto* direct = std::get_if<std::int64_t>(&given.value)) number = *direct;
  if (const auto* text = std::get_if<std::string>(&given.value); text != nullptr && given.is_text_form) {
    std::int64_t parsed = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), parsed);
    if (error == std::errc() && end == text->data() + text->size()) number = parsed;
  }
  if (!number) return std::unexpected("must be a whole number");
  if (*number < setting.minimum || *number > setting.maximum) {
    return std::unexpected("must be between " + std::to_string(setting.minimum) + " and " +
                           std::to_string(setting.maximum) + " (" + std::string(setting.unit) + ")");
  }
  return *number;
}

Typed choice_value(const Setting& setting, const GivenValue& given) {
  const auto* text = std::get_if<std::string>(&given.value);
  std::string names;
  for (std::size_t i = 0; i < setting.choices.size(); ++i) {
    if (text != nullptr && *text == setting.choices[i]) return static_cast<std::int64_t>(i);
    names += (i == 0 ? "\"" : ", \"") + std::string(setting.choices[i]) + "\"";
  }
  return std::unexpected("must be one of " + names);
}

Typed typed_value(const Setting& setting, const GivenValue& given) {
  switch (setting.kind) {
    case SettingKind::text:
      return text_value(given);
    case SettingKind::integer:
      return integer_value(setting, given);
    case SettingKind::choice:
      return choice_value(setting, given);
    case SettingKind::list:
      return list_value(given);
  }
  return std::unexpected("has no kind");
}

SettingValue shown_value(const Setting& setting, const SettingValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (setting.is_secret) return text->empty() ? std::string() : std::string("(hidden)");
    return without_credentials(*text);
  }
  if (setting.kind == SettingKind::choice) {
    return std::string(setting.choices[static_cast<std::size_t>(std::get<std::int64_t>(value))]);
  }
  return value;
}

class Loader {
 public:
  Loader(const Environment& environment, const std::optional<std::filesystem::path>& file)
      : given_(collect(environment, file)), problems_(std::move(given_.problems)) {
    settings_.file = given_.file;
  }

  std::expected<Settings, std::vector<ConfigProblem>> load() && {
    for (const auto& setting : setting_table()) take(setting);
    check_together();
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    if (settings_.mail.directory.empty()) settings_.mail.directory = settings_.storage.data_dir / "mail";
    if (settings_.audit.checkpoint_file.empty()) {
      settings_.audit.checkpoint_file = settings_.storage.data_dir / "audit-checkpoints.jsonl";
    }
    return std::move(settings_);
  }

 private:
  void take(const Setting& setting) {
    const auto& given = given_.values.at(setting.key);
    const auto value = typed_value(setting, given);
    const auto complaint = value ? setting.store(settings_, *value) : value.error();
    if (complaint) return add(setting.key, *complaint);
    settings_.effective.push_back(
        {.key = std::string(setting.key), .value = shown_value(setting, *value), .source = given.source});
  }

  // Rules about several settings; each is asked only when its settings are fine by themselves.
  void check_together() {
    if (are_fine("http.listen", "http.operations_listen") && settings_.http.listen.port != 0 &&
        settings_.http.listen == settings_.http.operations_listen) {
      add("http.operations_listen", "must differ from http.listen");
    }
    if (are_fine("tls.certificate_file", "tls.private_key_file")) {
      if (settings_.tls.certificate_file.empty() != settings_.tls.private_key_file.empty()) {
        const bool lacks_key = settings_.tls.private_key_file.empty();
        add(lacks_key ? "tls.private_key_file" : "tls.certificate_file",
            lacks_key ? "must be set too, since tls.certificate_file is"
                      : "must be set too, since tls.private_key_file is");
      }
    }
    if (are_fine("sessions.idle_days", "sessions.absolute_days") &&
        settings_.sessions.idle > settings_.sessions.absolute) {
      add("sessions.idle_days", "must not be more than sessions.absolute_days, which is " +
                                    std::to_string(settings_.sessions.absolute.count()));
    }
    if (are_fine("database.url", "secrets.master_key") && !settings_.database.url.empty() &&
        !settings_.secrets.master_key) {
      add("secrets.master_key",
          "must be set too (SAFAWINET_MASTER_KEY), since database.url is: all nodes of a database have the same one, "
          "and "
          "it is not kept in it; `openssl rand -base64 32` makes one");
    }
    if (are_fine("database.url", "database.feed_url") && settings_.database.url.empty() &&
        !settings_.database.feed_url.empty()) {
      add("database.url", "must be set too, since database.feed_url is");
    }
    check_mail();
    if (are_fine("accounts.admin_email", "accounts.admin_password") && settings_.accounts.admin_email.empty() &&
        !settings_.accounts.admin_password.empty()) {
      add("accounts.admin_email", "must be set too, since accounts.admin_password is");
    }
  }

  void check_mail() {
    const auto& mail = settings_.mail;
    if (mail.transport == MailTransportKind::smtp && are_fine("mail.smtp_host", "mail.transport") &&
        mail.smtp_host.empty()) {
      add("mail.smtp_host", "must be set too, since mail.transport is \"smtp\"");
    }
    if (mail.transport == MailTransportKind::ses && are_fine("mail.ses_region", "mail.transport") &&
        mail.ses_region.empty()) {
      add("mail.ses_region", "must be set too (AWS_REGION), since mail.transport is \"ses\"");
    }
    if (are_fine("mail.smtp_user", "mail.smtp_password") && mail.smtp_user.empty() != mail.smtp_password.empty()) {
      const bool lacks_user = mail.smtp_user.empty();
      add(lacks_user ? "mail.smtp_user" : "mail.smtp_password",
          lacks_user ? "must be set too, since mail.smtp_password is" : "must be set too, since mail.smtp_user is");
    }
    // A password in the clear is for this machine alone.
    const bool is_here = mail.smtp_host == "localhost" || mail.smtp_host == "::1" || mail.smtp_host.starts_with("127.");
    if (are_fine("mail.smtp_security", "mail.smtp_host") && mail.smtp_security == SmtpSecurityKind::none &&
        !mail.smtp_user.empty() && !is_here) {
      add("mail.smtp_security",
          "must be \"starttls\" or \"tls\", since mail.smtp_user is set: the password would travel in "
          "the clear");
    }
  }

  [[nodiscard]] bool are_fine(std::string_view first, std::string_view second) const {
    return std::ranges::none_of(problems_,
                                [&](const auto& problem) { return problem.key == first || problem.key == second; });
  }

  void add(std::string_view key, std::string message) {
    const auto& given = given_.values.at(key);
    const auto& setting = *find_setting(key);
    const bool is_hidden = setting.is_secret || setting.holds_password || given.source == "default";
    problems_.push_back({.key = std::string(key),
                         .source = given.source,
                         .value = is_hidden ? std::string() : displayed(given.value),
                         .message = std::move(message)});
  }

  Given given_;
  std::vector<ConfigProblem> problems_;
  Settings settings_;
};

}  // namespace

std::expected<Settings, std::vector<ConfigProblem>> load(const Environment& environment,
                                                         const std::optional<std::filesystem::path>& file) {
  return Loader(environment, file).load();
}

std::string ConfigProblem::text() const {
  if (key.empty()) return value.empty() ? source + " " + message : source + " = " + value + " " + message;
  std::string out = key + " (" + source + ")";
  if (!value.empty()) out += " = " + value;
  return out + ": " + message;
}

std::string ListenAddress::text() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string public_url(const Settings& settings, std::uint16_t bound_port) {
  if (settings.http.public_url) return *settings.http.public_url;
  ListenAddress address{.host = settings.http.listen.host, .port = bound_port};
  if (address.host == "0.0.0.0" || address.host == "::") address.host = "localhost";
  return (settings.tls.is_enabled() ? "https://" : "http://") + address.text();
}

}  // namespace safawinet::config
