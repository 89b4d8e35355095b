// The one table of settings: it drives reading, checking, `config example`, `config show` and docs/settings.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/checks.hpp"
#include "config/settings.hpp"

namespace safawinet::config {

enum class SettingKind { text, integer, choice, list };

struct Setting {
  std::string_view key{};  // "sessions.idle_days"
  SettingKind kind = SettingKind::text;
  std::string_view initial{};  // the default, as a variable would spell it
  std::string_view unit{};     // "days"; empty: none
  std::int64_t minimum = 0;    // of an integer, both inclusive
  std::int64_t maximum = 0;
  std::vector<std::string_view> choices{};  // of a choice
  std::string_view meaning{};               // one sentence
  std::string_view variable{};              // the fixed name besides SAFAWINET__…; empty: none
  bool is_secret = false;
  bool holds_password = false;  // a URL that may: shown without credentials, and not at all when it cannot be read
  // Puts a value of the right kind and range into the settings, or says what is wrong with it. A choice arrives as its
  // index.
  Complaint (*store)(Settings& settings, const SettingValue& value) = nullptr;

  [[nodiscard]] std::string_view section() const { return key.substr(0, key.find('.')); }
  [[nodiscard]] std::string_view name() const { return key.substr(key.find('.') + 1); }
  // "SAFAWINET__SESSIONS__IDLE_DAYS"
  [[nodiscard]] std::string general_variable() const;
};

// In the order of the documentation; the settings of one section stand together.
std::span<const Setting> setting_table();

}  // namespace safawinet::config
