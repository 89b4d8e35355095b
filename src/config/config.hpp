// Settings from a TOML file and the environment: one table (setting_table.cpp) says what there is.
//
// The file is the one named by the caller, else by SAFAWINET_CONFIG, else ./safawinet.toml, else
// /etc/safawinet/safawinet.toml; the last two need not exist. The environment wins over the file: every key `a.b_c` is
// also SAFAWINET__A__B_C, and some have a fixed name besides (SAFAWINET_LISTEN). Lists are written with commas there. A
// variable that is empty counts as not set.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.hpp"

namespace safawinet::config {

using Environment = std::map<std::string, std::string, std::less<>>;

// The environment of this process. Threading: only before other threads may change it.
Environment process_environment();

// One thing that is wrong, and what to change. It never holds a secret.
struct ConfigProblem {
  std::string key;      // empty if it is not about one
  std::string source;   // "safawinet.toml:12", the name of a variable, or "default"
  std::string value;    // as written, quoted; empty if there is none or it is a secret
  std::string message;  // "must be between 1 and 3650 (days)"

  // One line: `sessions.idle_days (safawinet.toml:12) = 0: must be between 1 and 3650 (days)`
  [[nodiscard]] std::string text() const;
};

// Reads and checks everything; all problems are reported at once, those of the file first. Reads the configuration file
// and looks whether the TLS files can be opened; changes nothing.
std::expected<Settings, std::vector<ConfigProblem>> load(
    const Environment& environment, const std::optional<std::filesystem::path>& file = std::nullopt);

// A TOML file with every key at its default, commented out and explained.
std::string example_text();
// The values in effect and where each came from, secrets redacted.
std::string show_text(const Settings& settings);
// The same: {"file":…,"settings":[{"key","value","unit","source","meaning"}]}
std::string show_json(const Settings& settings);
// The table for the documentation, in Markdown (docs/settings.md).
std::string markdown_text();

}  // namespace safawinet::config
