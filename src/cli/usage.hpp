// What is wrong with the words of a command line, said so that the right ones are found.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {  // NOLINT: the library's own name
class App;
}

namespace safawinet::cli {

struct UsageMistake {
  std::string what;
  std::string next;  // what to try
};

// The command that the words begin with, such as "safawinet user list".
std::string command_in(const CLI::App& app, const std::vector<std::string>& words);

// What is wrong with the words as far as they name a command; none when they name one, or ask for help.
std::optional<UsageMistake> mistake_in(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace safawinet::cli
