// Where values come from: the defaults, the file, the environment.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/setting_table.hpp"

namespace safawinet::config {

// A value as somebody gave it, of whatever kind.
struct GivenValue {
  SettingValue value;
  std::string source;
  bool is_text_form = false;  // from a variable: numbers and lists are still text
};

// What was given for each key, the later source in place of the earlier; and what could not be understood on the way.
struct Given {
  std::map<std::string_view, GivenValue> values;  // the keys are those of the table
  std::vector<ConfigProblem> problems;
  std::optional<std::filesystem::path> file;
};

Given collect(const Environment& environment, const std::optional<std::filesystem::path>& file);

const Setting* find_setting(std::string_view key);

// A value for people: quoted, cut short, without credentials and control characters.
std::string displayed(const SettingValue& value);

}  // namespace safawinet::config
