// The table of settings, written for people and programs.
#include <algorithm>

#include "base/json.hpp"
#include "config/config.hpp"
#include "config/setting_table.hpp"
#include "config/sources.hpp"

namespace safawinet::config {
namespace {

struct ShownSetting {
  std::string key;
  boost::json::value value;
  std::string_view unit;
  std::string source;
  std::string_view meaning;
};
BOOST_DESCRIBE_STRUCT(ShownSetting, (), (key, value, unit, source, meaning))

struct ShownSettings {
  std::optional<std::string> file;
  std::vector<ShownSetting> settings;
};
BOOST_DESCRIBE_STRUCT(ShownSettings, (), (file, settings))

// The default as TOML.
std::string initial_text(const Setting& setting) {
  const std::string initial(setting.initial);
  switch (setting.kind) {
    case SettingKind::integer:
      return initial;
    case SettingKind::list:
      return "[]";
    case SettingKind::text:
    case SettingKind::choice:
      return "\"" + initial + "\"";
  }
  return {};
}

std::string bounds_text(const Setting& setting) {
  if (setting.kind == SettingKind::integer) {
    return std::to_string(setting.minimum) + " to " + std::to_string(setting.maximum) + " " + std::string(setting.unit);
  }
  std::string out;
  for (const auto choice : setting.choices) {
    if (!out.empty()) out += ", ";
    out += "\"" + std::string(choice) + "\"";
  }
  return out;
}

boost::json::value as_json(const SettingValue& value) {
  return std::visit([](const auto& plain) { return boost::json::value_from(plain); }, value);
}

}  // namespace

std::string example_text() {
  std::string out =
      "# Settings of Safawinet. Every key is here with its default; remove the \"#\" in front of what you change.\n"
      "# The environment wins over this file: a key [a] b_c is also the variable SAFAWINET__A__B_C.\n";
  std::string_view section;
  for (const auto& setting : setting_table()) {
    if (setting.section() != section) {
      section = setting.section();
      out += "\n[" + std::string(section) + "]\n";
    }
    out += "# " + std::string(setting.meaning);
    if (const auto bounds = bounds_text(setting); !bounds.empty()) out += " (" + bounds + ")";
    if (!setting.variable.empty()) out += "\n# Variable: " + std::string(setting.variable);
    out += "\n#" + std::string(setting.name()) + " = " + initial_text(setting) + "\n";
  }
  return out;
}

std::string show_text(const Settings& settings) {
  std::string out = settings.file ? "# file: " + settings.file->string() + "\n" : "# no file was read\n";
  std::size_t width = 0;
  for (const auto& setting : settings.effective) {
    width = std::max(width, setting.key.size() + displayed(setting.value).size());
  }
  for (const auto& setting : settings.effective) {
    const auto value = displayed(setting.value);
    out += setting.key + " = " + value + std::string(width - setting.key.size() - value.size(), ' ');
    out += "  # " + setting.source + "\n";
  }
  return out;
}

std::string show_json(const Settings& settings) {
  ShownSettings shown;
  if (settings.file) shown.file = settings.file->string();
  for (const auto& setting : settings.effective) {
    const auto* described = find_setting(setting.key);
    shown.settings.push_back({.key = setting.key,
                              .value = as_json(setting.value),
                              .unit = described->unit,
                              .source = setting.source,
                              .meaning = described->meaning});
  }
  return to_json(shown);
}

std::string markdown_text() {
  std::string out =
      "# Settings\n\n"
      "Settings come from a TOML file and from the environment, which wins. The file is the one that "
      "`SAFAWINET_CONFIG`\n"
      "names, else `./safawinet.toml`, else `/etc/safawinet/safawinet.toml`. Every key `a.b_c` is also the variable\n"
      "`SAFAWINET__A__B_C`; lists are written with commas there; an empty variable counts as not set. Unknown keys "
      "are\n"
      "errors. `safawinet config example` prints a file to start from, `config check` finds what is wrong with one, "
      "and\n"
      "`config show` tells which value is in effect and where it came from.\n\n"
      "| key | default | allowed | variable besides | meaning |\n|---|---|---|---|---|\n";
  for (const auto& setting : setting_table()) {
    out += "| `" + std::string(setting.key) + "` | `" + initial_text(setting) + "` | " + bounds_text(setting) + " | ";
    if (!setting.variable.empty()) out += "`" + std::string(setting.variable) + "`";
    out += std::string(" | ") + (setting.is_secret ? "(secret) " : "") + std::string(setting.meaning) + " |\n";
  }
  return out;
}

}  // namespace safawinet::config
