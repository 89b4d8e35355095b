#include "config/sources.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "base/file.hpp"

namespace safawinet::config {
namespace {

constexpr std::string_view kGeneralPrefix = "SAFAWINET__";

std::string suggestion(std::string_view unknown, const std::vector<std::string_view>& known) {
  const auto nearest = closest(unknown, known);
  if (nearest.empty()) return "; `safawinet config example` lists what there is";
  return "; did you mean " + std::string(nearest) + "?";
}

std::vector<std::string_view> known_keys() {
  std::vector<std::string_view> keys;
  for (const auto& setting : setting_table()) keys.push_back(setting.key);
  return keys;
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(setting_table(), [&](const Setting& setting) { return setting.section() == name; });
}

class FileReader {
 public:
  FileReader(std::filesystem::path path, Given& given) : path_(std::move(path)), given_(given) {}

  void read() {
    const auto text = contents();
    if (!text) return;
    given_.file = path_;
    try {
      const toml::table table = toml::parse(*text, path_.string());
      visit(table, "");
    } catch (const toml::parse_error& error) {
      given_.problems.push_back({.key = {},
                                 .source = at_line(error.source().begin.line),
                                 .value = {},
                                 .message = "is not valid TOML: " + std::string(error.description())});
    }
  }

 private:
  std::optional<std::string> contents() {
    std::error_code ignored;
    errno = 0;
    std::ifstream stream(path_, std::ios::binary);
    const bool is_directory = std::filesystem::is_directory(path_, ignored);
    if (!stream || is_directory) {
      const std::string reason = is_directory ? "it is a folder" : last_error();
      given_.problems.push_back(
          {.key = {}, .source = path_.string(), .value = {}, .message = "cannot be read: " + reason});
      return std::nullopt;
    }
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }

  void visit(const toml::table& table, const std::string& prefix) {
    if (table.empty() && !prefix.empty() && !is_section(prefix)) return add_unknown(prefix, table);
    for (const auto& [name, node] : table) {
      const std::string key = prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
      const auto* setting = find_setting(key);
      if (setting != nullptr) {
        take(*setting, node);
      } else if (const auto* inner = node.as_table()) {
        visit(*inner, key);
      } else if (is_section(key)) {
        add(key, node, "is a section: write [" + key + "] and its settings below");
      } else {
        add_unknown(key, node);
      }
    }
  }

  void take(const Setting& setting, const toml::node& node) {
    std::optional<SettingValue> value;
    if (const auto text = node.value_exact<std::string>()) {
      value = *text;
      if (setting.holds_password && text->find('@') != std::string::npos) refuse_if_others_may_read(setting, node);
    }
    if (setting.is_secret) refuse_if_others_may_read(setting, node);
    if (const auto number = node.value_exact<std::int64_t>()) value = *number;
    if (const auto* array = node.as_array()) value = as_list(*array);
    if (value) {
      given_.values[setting.key] = {.value = *std::move(value), .source = at_line(node.source().begin.line)};
    } else {
      given_.problems.push_back(
          {.key = std::string(setting.key),
           .source = at_line(node.source().begin.line),
           .value = setting.is_secret || setting.holds_password ? std::string() : as_written(node),
           .message = expectation(setting)});
    }
  }

  static std::string as_written(const toml::node& node) {
    std::ostringstream stream;
    node.visit([&](const auto& concrete) { stream << concrete; });
    return in_quotes(stream.str());
  }

  static std::optional<SettingValue> as_list(const toml::array& array) {
    std::vector<std::string> items;
    for (const auto& item : array) {
      const auto text = item.value_exact<std::string>();
      if (!text) return std::nullopt;
      items.push_back(*text);
    }
    return items;
  }

  static std::string expectation(const Setting& setting) {
    switch (setting.kind) {
      case SettingKind::integer:
        return "must be a whole number";
      case SettingKind::list:
        return "must be a list of texts, such as [\"one\", \"two\"]";
      case SettingKind::text:
      case SettingKind::choice:
        return "must be text in quotes";
    }
    return {};
  }

  void refuse_if_others_may_read(const Setting& setting, const toml::node& node) {
    struct stat status{};
    if (stat(path_.c_str(), &status) != 0 || (status.st_mode & S_IROTH) == 0) return;
    add(std::string(setting.key), node,
        "is a secret in a file that everybody may read: `chmod o-rwx " + path_.string() + "`, or use " +
            std::string(setting.variable));
  }

  void add_unknown(const std::string& key, const toml::node& node) {
    add(key, node, "is not a setting" + suggestion(key, known_keys()));
  }
  void add(std::string key, const toml::node& node, std::string message) {
    given_.problems.push_back({.key = std::move(key),
                               .source = at_line(node.source().begin.line),
                               .value = {},
                               .message = std::move(message)});
  }
  [[nodiscard]] std::string at_line(std::uint32_t line) const { return path_.string() + ":" + std::to_string(line); }

  std::filesystem::path path_;
  Given& given_;
};

std::optional<std::string> variable(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

void take_from_environment(const Environment& environment, const Setting& setting, Given& given) {
  const auto general_name = setting.general_variable();
  const auto general = variable(environment, general_name);
  const auto fixed = setting.variable.empty() ? std::nullopt : variable(environment, setting.variable);
  if (general && fixed && *general != *fixed) {
    given.problems.push_back({.key = std::string(setting.key),
                              .source = general_name,
                              .value = {},
                              .message = "differs from " + std::string(setting.variable) + ": unset one of them"});
  }
  if (general) given.values[setting.key] = {.value = *general, .source = general_name, .is_text_form = true};
  if (fixed)
    given.values[setting.key] = {.value = *fixed, .source = std::string(setting.variable), .is_text_form = true};
}

void find_unknown_variables(const Environment& environment, Given& given) {
  std::vector<std::string> names;
  for (const auto& setting : setting_table()) names.push_back(setting.general_variable());
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kGeneralPrefix) || std::ranges::find(known, name) != known.end()) continue;
    given.problems.push_back(
        {.key = {}, .source = name, .value = {}, .message = "is not a setting" + suggestion(name, known)});
  }
}

std::optional<std::filesystem::path> file_to_read(const Environment& environment,
                                                  const std::optional<std::filesystem::path>& named) {
  if (named) return named;
  if (const auto path = variable(environment, "SAFAWINET_CONFIG")) return *path;
  for (const auto* path : {"./safawinet.toml", "/etc/safawinet/safawinet.toml"}) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return std::filesystem::path(path).lexically_normal();
  }
  return std::nullopt;
}

}  // namespace

Given collect(const Environment& environment, const std::optional<std::filesystem::path>& file) {
  Given given;
  if (auto path = file_to_read(environment, file)) FileReader(*std::move(path), given).read();
  for (const auto& setting : setting_table()) take_from_environment(environment, setting, given);
  find_unknown_variables(environment, given);
  for (const auto& setting : setting_table()) {
    given.values.try_emplace(
        setting.key, GivenValue{.value = std::string(setting.initial), .source = "default", .is_text_form = true});
  }
  return given;
}

const Setting* find_setting(std::string_view key) {
  const auto table = setting_table();
  const auto found = std::ranges::find(table, key, &Setting::key);
  return found == table.end() ? nullptr : &*found;
}

std::string displayed(const SettingValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return in_quotes(*text);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  std::string out = "[";
  for (const auto& item : std::get<std::vector<std::string>>(value)) {
    if (out.size() > 1) out += ", ";
    out += in_quotes(item);
  }
  return out + "]";
}

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace safawinet::config
