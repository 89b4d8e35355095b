#include "cli/completion.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

#include "cli/commands.hpp"
#include "cli/desk.hpp"

namespace safawinet::cli {
namespace {

// Of "TEXT:{customer,support}": what CLI::IsMember says.
std::vector<std::string> values_in(const std::string& type) {
  std::vector<std::string> values;
  const auto begin = type.find('{');
  const auto end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return values;
  std::string_view list(type);
  list = list.substr(begin + 1, end - begin - 1);
  while (!list.empty()) {
    const auto comma = list.find(',');
    values.emplace_back(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return values;
}

Completed completed(const CLI::Option& option) {
  Completed answer{.names = {},
                   .description = option.get_description(),
                   .takes_value = option.get_items_expected_max() > 0,
                   .takes_file = option.get_type_name().starts_with("FILE"),
                   .values = values_in(option.get_type_name())};
  for (const auto& name : option.get_lnames()) answer.names.push_back("--" + name);
  for (const auto& name : option.get_snames()) answer.names.push_back("-" + name);
  return answer;
}

void add_nodes(const CLI::App& app, const std::string& path, std::vector<CommandNode>& nodes) {
  CommandNode node{.path = path,
                   .description = app.get_description(),
                   .verbs = {},
                   .verb_descriptions = {},
                   .options = {},
                   .takes_file = false,
                   .values = {}};
  for (const auto* option : app.get_options()) {
    if (option->get_positional()) {
      node.takes_file = node.takes_file || option->get_type_name().starts_with("FILE");
      for (auto& value : values_in(option->get_type_name())) node.values.push_back(std::move(value));
    } else {
      node.options.push_back(completed(*option));
    }
  }
  const auto below = app.get_subcommands([](const CLI::App* command) { return !command->get_name().empty(); });
  for (const auto* command : below) {
    node.verbs.push_back(command->get_name());
    node.verb_descriptions.push_back(command->get_description());
  }
  nodes.push_back(std::move(node));
  for (const auto* command : below) {
    add_nodes(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), nodes);
  }
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

// In single quotes, for all three shells. fish reads \' inside them, the others do not: so it is avoided.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "’" : std::string(1, c);
  return out + "'";
}

std::vector<std::string> option_names(const CommandNode& node) {
  std::vector<std::string> names;
  for (const auto& option : node.options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

// "user list|--query" for each option with a value; in bash and zsh the way to know what the next word is.
std::string value_cases(const std::vector<CommandNode>& nodes, std::string_view use_values,
                        std::string_view use_files) {
  std::string text;
  for (const auto& node : nodes) {
    for (const auto& option : node.options) {
      if (!option.takes_value) continue;
      for (const auto& name : option.names) {
        text += "    " + in_quotes(node.path + " " + name) + ") ";
        if (!option.values.empty()) {
          text += std::string(use_values) + " " + in_quotes(joined(option.values, " "));
        } else if (option.takes_file) {
          text += use_files;
        } else {
          text += ":";
        }
        text += "; return ;;\n";
      }
    }
  }
  return text;
}

std::string path_cases(const std::vector<CommandNode>& nodes) {
  std::string text;
  for (const auto& node : nodes) {
    if (!node.path.empty()) text += (text.empty() ? "" : " | ") + in_quotes(node.path);
  }
  return text;
}

}  // namespace

std::vector<CommandNode> command_tree(const CLI::App& app) {
  std::vector<CommandNode> nodes;
  add_nodes(app, "", nodes);
  return nodes;
}

std::string bash_completion(const CLI::App& app) {
  const auto nodes = command_tree(app);
  std::string text =
      "# Completion of safawinet for bash: eval \"$(safawinet completion bash)\"\n"
      "_safawinet() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} trail= index candidate\n"
      "  COMPREPLY=()\n"
      "  for ((index = 1; index < COMP_CWORD; index++)); do\n"
      "    candidate=${trail:+$trail }${COMP_WORDS[index]}\n"
      "    case $candidate in\n"
      "    " +
      path_cases(nodes) +
      ") trail=$candidate ;;\n"
      "    esac\n"
      "  done\n"
      "  _safawinet_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$word\"); }\n"
      "  _safawinet_files() { mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); }\n"
      "  case \"$trail $before\" in\n" +
      value_cases(nodes, "_safawinet_words", "_safawinet_files") +
      "  esac\n"
      "  case $trail in\n";
  for (const auto& node : nodes) {
    auto words = node.verbs;
    words.insert(words.end(), node.values.begin(), node.values.end());
    const auto options = option_names(node);
    words.insert(words.end(), options.begin(), options.end());
    text += "    " + in_quotes(node.path) + ") ";
    if (node.takes_file) text += "[[ $word == -* ]] || { _safawinet_files; return; }; ";
    text += "_safawinet_words " + in_quotes(joined(words, " ")) + " ;;\n";
  }
  return text +
         "  esac\n"
         "}\n"
         "complete -o filenames -F _safawinet safawinet\n";
}

std::string zsh_completion(const CLI::App& app) {
  const auto nodes = command_tree(app);
  std::string text =
      "#compdef safawinet\n"
      "# Completion of safawinet for zsh: eval \"$(safawinet completion zsh)\", after compinit\n"
      "_safawinet() {\n"
      "  local before=${words[CURRENT-1]} trail= index candidate\n"
      "  for ((index = 2; index < CURRENT; index++)); do\n"
      "    candidate=${trail:+$trail }${words[index]}\n"
      "    case $candidate in\n"
      "    " +
      path_cases(nodes) +
      ") trail=$candidate ;;\n"
      "    esac\n"
      "  done\n"
      "  _safawinet_words() { compadd -- ${=1} }\n"
      "  case \"$trail $before\" in\n" +
      value_cases(nodes, "_safawinet_words", "_files") +
      "  esac\n"
      "  local -a described\n"
      "  case $trail in\n";
  const auto described = [](std::string name, const std::string& description) {
    std::string escaped;
    for (const char c : description) escaped += c == ':' ? "\\:" : std::string(1, c);
    return in_quotes(name + ":" + escaped);
  };
  for (const auto& node : nodes) {
    text += "    " + in_quotes(node.path) + ") described=(";
    for (std::size_t verb = 0; verb < node.verbs.size(); ++verb) {
      text += " " + described(node.verbs[verb], node.verb_descriptions[verb]);
    }
    for (const auto& value : node.values) text += " " + in_quotes(value);
    for (const auto& option : node.options) {
      for (const auto& name : option.names) text += " " + described(name, option.description);
    }
    text += " )";
    if (node.takes_file) text += "; _files";
    text += " ;;\n";
  }
  return text +
         "  esac\n"
         "  _describe command described\n"
         "}\n"
         "compdef _safawinet safawinet\n";
}

std::string fish_completion(const CLI::App& app) {
  const auto nodes = command_tree(app);
  std::string text =
      "# Completion of safawinet for fish: safawinet completion fish | source\n"
      "function __safawinet_at\n"
      "  set -l path\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    set -l candidate (string trim \"$path $word\")\n"
      "    switch $candidate\n"
      "      case";
  for (const auto& node : nodes) {
    if (!node.path.empty()) text += " " + in_quotes(node.path);
  }
  text +=
      "\n"
      "        set path $candidate\n"
      "    end\n"
      "  end\n"
      "  test \"$path\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c safawinet -f\n";
  for (const auto& node : nodes) {
    const auto here = "complete -c safawinet -n " + in_quotes("__safawinet_at \"" + node.path + "\"");
    for (std::size_t verb = 0; verb < node.verbs.size(); ++verb) {
      text += here + " -a " + node.verbs[verb] + " -d " + in_quotes(node.verb_descriptions[verb]) + "\n";
    }
    for (const auto& value : node.values) text += here + " -a " + in_quotes(value) + "\n";
    if (node.takes_file) text += here + " -F\n";
    for (const auto& option : node.options) {
      text += here;
      for (const auto& name : option.names) {
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) text += option.takes_file ? " -r -F" : " -x";
      if (!option.values.empty()) text += " -a " + in_quotes(joined(option.values, " "));
      text += " -d " + in_quotes(option.description) + "\n";
    }
  }
  return text;
}

void add_completion(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "completion", "Let the shell complete commands", "eval \"$(safawinet completion bash)\"");
  const auto add = [&](const std::string& shell, const std::string& example, std::string (*make)(const CLI::App&)) {
    auto* verb = noun.add_subcommand(shell, "Print the completion for " + shell);
    verb->footer(example_footer(example));
    verb->callback([&app, &exit_code, make] {
      std::cout << make(app) << std::flush;
      exit_code = std::cout ? 0 : 1;
    });
  };
  add("bash", "echo 'eval \"$(safawinet completion bash)\"' >> ~/.bashrc", bash_completion);
  add("zsh", "echo 'eval \"$(safawinet completion zsh)\"' >> ~/.zshrc", zsh_completion);
  add("fish", "safawinet completion fish > ~/.config/fish/completions/safawinet.fish", fish_completion);
}

}  // namespace safawinet::cli
