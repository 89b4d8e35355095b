// What a shell needs to complete commands, made from the tree of commands.
#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT: the library's own name
class App;
}

namespace safawinet::cli {

// One option, flag or argument of a command.
struct Completed {
  std::vector<std::string> names;  // "--context", "-h"; none: an argument
  std::string description;         // one line
  bool takes_value = false;
  bool takes_file = false;
  bool takes_context = false;       // the name of one that there is
  std::vector<std::string> values;  // what it may be; empty: anything
};

// One command with what may follow it.
struct CommandNode {
  std::string path;  // "user list"; empty for the program itself
  std::string description;
  std::vector<std::string> verbs;
  std::vector<std::string> verb_descriptions;
  std::vector<Completed> options;
  std::vector<Completed> arguments;  // in their order
};

// The program first, then its commands, each before its own.
std::vector<CommandNode> command_tree(const CLI::App& app);

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace safawinet::cli
