// The settings as a command sees them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "config/settings.hpp"

namespace CLI {  // NOLINT: the library's own name
class App;
}

namespace safawinet::cli {

// --config FILE
std::shared_ptr<std::string> add_settings_option(CLI::App& command);

// Reads them; prints every problem to stderr, one a line, and gives none when there are any.
std::optional<config::Settings> load_settings(const std::string& file);
// The same for a verb: throws Failure when there are any.
config::Settings get_settings(const std::string& file);

}  // namespace safawinet::cli
