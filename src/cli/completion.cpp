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
  const auto& description = option.get_description();
  Completed answer{.names = {},
                   .description = description.substr(0, description.find('\n')),
                   .takes_value = option.get_items_expected_max() > 0,
                   .takes_file = option.get_type_name().starts_with("FILE"),
                   .takes_context = option.get_type_name().starts_with("CONTEXT"),
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
                   .arguments = {}};
  for (const auto* option : app.get_options()) {
    auto& among = option->get_positional() ? node.arguments : node.options;
    among.push_back(completed(*option));
    if (option->get_positional()) among.back().names.clear();
  }
  const auto below = app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
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

std::string path_cases(const std::vector<CommandNode>& nodes) {
  std::string text;
  for (const auto& node : nodes) {
    if (!node.path.empty()) text += (text.empty() ? "" : " | ") + in_quotes(node.path);
  }
  return text;
}

// What offers the words for a value: the name of the shell's function, with its arguments.
std::string offer_of(const Completed& what, std::string_view files) {
  if (!what.values.empty()) return "_safawinet_words " + in_quotes(joined(what.values, " "));
  if (what.takes_context) return "_safawinet_contexts";
  return what.takes_file ? std::string(files) : ":";
}

// For bash and zsh: 'user list --role') and what is offered behind it.
std::string value_cases(const std::vector<CommandNode>& nodes, std::string_view files) {
  std::string text;
  for (const auto& node : nodes) {
    for (const auto& option : node.options) {
      if (!option.takes_value) continue;
      for (const auto& name : option.names) {
        text += "    " + in_quotes(node.path + " " + name) + ") " + offer_of(option, files) + "; return ;;\n";
      }
    }
  }
  return text;
}

// For bash and zsh: 'user role 1') for the second argument, and what is offered there.
std::string argument_cases(const std::vector<CommandNode>& nodes, std::string_view files) {
  std::string text;
  for (const auto& node : nodes) {
    for (std::size_t index = 0; index < node.arguments.size(); ++index) {
      const auto offer = offer_of(node.arguments[index], files);
      if (offer == ":") continue;
      text += "    " + in_quotes(node.path + " " + std::to_string(index)) + ") " + offer + "; return ;;\n";
    }
  }
  return text;
}

std::vector<std::string> options_with_value(const std::vector<CommandNode>& nodes) {
  std::vector<std::string> all;
  for (const auto& node : nodes) {
    for (const auto& option : node.options) {
      if (!option.takes_value) continue;
      for (const auto& name : option.names) all.push_back(in_quotes(node.path + " " + name));
    }
  }
  return all;
}

// For bash and zsh, in a loop over the words before the one that is completed: which command they name, and how many
// arguments it has got.
std::string words_before(const std::vector<CommandNode>& nodes) {
  return "    if [[ $skip ]]; then skip=; continue; fi\n"
         "    candidate=${trail:+$trail }$one\n"
         "    case $candidate in\n"
         "    " +
         path_cases(nodes) +
         ") trail=$candidate; position=0 ;;\n"
         "    " +
         joined(options_with_value(nodes), " | ") +
         ") skip=1 ;;\n"
         "    *) [[ $one == -* ]] || ((++position)) ;;\n"
         "    esac\n";
}

}  // namespace

std::vector<CommandNode> command_tree(const CLI::App& app) {
  std::vector<CommandNode> nodes;
  add_nodes(app, "", nodes);
  return nodes;
}

std::string bash_completion(const CLI::App& app) {
  const auto nodes = command_tree(app);
  // bash parts words at = and : as well; here they are put together again, and what is offered is cut to what it
  // replaces.
  std::string text =
      "# Completion of safawinet for bash: eval \"$(safawinet completion bash)\"\n"
      "_safawinet() {\n"
      "  local line=$COMP_LINE words=() word before trail= position=0 skip= one candidate index kept=\n"
      "  for ((index = 0; index <= COMP_CWORD; index++)); do\n"
      "    one=${COMP_WORDS[index]}\n"
      "    if ((index == 0)) || [[ $line == [[:space:]]* ]]; then words+=(\"$one\"); else words[-1]+=$one; fi\n"
      "    line=${line#*\"$one\"}\n"
      "  done\n"
      "  word=${words[-1]}\n"
      "  before=${words[${#words[@]} - 2]}\n"
      "  for one in \"${words[@]:1:${#words[@]} - 2}\"; do\n" +
      words_before(nodes) +
      "  done\n"
      "  [[ $word == *[=:]* ]] && kept=${word%\"${word##*[=:]}\"}\n"
      "  if [[ $word == --*=* ]]; then before=${word%%=*} word=${word#*=} kept=${kept#*=}; fi\n"
      "  COMPREPLY=()\n"
      "  _safawinet_words() {\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$word\")\n"
      "    COMPREPLY=(\"${COMPREPLY[@]#\"$kept\"}\")\n"
      "  }\n"
      "  _safawinet_files() {\n"
      "    compopt -o filenames 2>/dev/null\n"
      "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
      "  }\n"
      "  _safawinet_contexts() { _safawinet_words \"$(\"${COMP_WORDS[0]}\" context names 2>/dev/null)\"; }\n"
      "  case \"$trail $before\" in\n" +
      value_cases(nodes, "_safawinet_files") +
      "  esac\n"
      "  [[ $word == -* ]] || case \"$trail $position\" in\n" +
      argument_cases(nodes, "_safawinet_files") +
      "  esac\n"
      "  case $trail in\n";
  for (const auto& node : nodes) {
    auto words = node.verbs;
    const auto options = option_names(node);
    words.insert(words.end(), options.begin(), options.end());
    text += "    " + in_quotes(node.path) + ") _safawinet_words " + in_quotes(joined(words, " ")) + " ;;\n";
  }
  return text +
         "  esac\n"
         "}\n"
         "complete -F _safawinet safawinet\n";
}

std::string zsh_completion(const CLI::App& app) {
  const auto nodes = command_tree(app);
  std::string text =
      "#compdef safawinet\n"
      "# Completion of safawinet for zsh: eval \"$(safawinet completion zsh)\", after compinit\n"
      "_safawinet() {\n"
      "  local before=${words[CURRENT-1]} trail= position=0 skip= one candidate\n"
      "  for one in \"${(@)words[2,CURRENT-1]}\"; do\n" +
      words_before(nodes) +
      "  done\n"
      "  if [[ $PREFIX == --*=* ]]; then before=${PREFIX%%=*}; compset -P '*='; fi\n"
      "  _safawinet_words() { compadd -- ${=1} }\n"
      "  _safawinet_contexts() { compadd -- ${(f)\"$(${words[1]} context names 2>/dev/null)\"} }\n"
      "  case \"$trail $before\" in\n" +
      value_cases(nodes, "_files") +
      "  esac\n"
      "  [[ $PREFIX == -* ]] || case \"$trail $position\" in\n" +
      argument_cases(nodes, "_files") +
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
    for (const auto& option : node.options) {
      for (const auto& name : option.names) text += " " + described(name, option.description);
    }
    text += " ) ;;\n";
  }
  return text +
         "  esac\n"
         "  _describe command described\n"
         "}\n"
         "compdef _safawinet safawinet\n";
}

std::string fish_completion(const CLI::App& app) {
  const auto nodes = command_tree(app);
  std::vector<std::string> paths;
  for (const auto& node : nodes) {
    if (!node.path.empty()) paths.push_back(in_quotes(node.path));
  }
  std::string text =
      "# Completion of safawinet for fish: safawinet completion fish | source\n"
      "# Whether the words name this command and, when a number is given, have so many arguments for it.\n"
      "function __safawinet_at\n"
      "  set -l path\n"
      "  set -l position 0\n"
      "  set -l skip\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if test -n \"$skip\"\n"
      "      set skip\n"
      "      continue\n"
      "    end\n"
      "    set -l candidate (string trim -- \"$path $word\")\n"
      "    switch $candidate\n"
      "      case " +
      joined(paths, " ") +
      "\n"
      "        set path $candidate\n"
      "        set position 0\n"
      "      case " +
      joined(options_with_value(nodes), " ") +
      "\n"
      "        set skip yes\n"
      "      case '*'\n"
      "        string match -q -- '-*' $word; or set position (math $position + 1)\n"
      "    end\n"
      "  end\n"
      "  test \"$path\" = \"$argv[1]\"; and test (count $argv) -lt 2 -o \"$position\" = \"$argv[2]\"\n"
      "end\n"
      "function __safawinet_contexts\n"
      "  set -l words (commandline -opc)\n"
      "  $words[1] context names 2>/dev/null\n"
      "end\n"
      "complete -c safawinet -f\n";
  const auto offer = [](const Completed& what) -> std::string {
    if (!what.values.empty()) return " -a " + in_quotes(joined(what.values, " "));
    return what.takes_context ? " -a '(__safawinet_contexts)'" : "";
  };
  for (const auto& node : nodes) {
    const auto at = [&](const std::string& position) {
      return "complete -c safawinet -n " + in_quotes("__safawinet_at \"" + node.path + "\"" + position);
    };
    const auto here = at("");
    for (std::size_t verb = 0; verb < node.verbs.size(); ++verb) {
      text += here + " -a " + node.verbs[verb] + " -d " + in_quotes(node.verb_descriptions[verb]) + "\n";
    }
    for (std::size_t index = 0; index < node.arguments.size(); ++index) {
      const auto& argument = node.arguments[index];
      const auto words = argument.takes_file ? " -F" : offer(argument);
      if (!words.empty()) text += at(" " + std::to_string(index)) + words + "\n";
    }
    for (const auto& option : node.options) {
      text += here;
      for (const auto& name : option.names) {
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) text += option.takes_file ? " -r -F" : " -x";
      text += offer(option) + " -d " + in_quotes(option.description) + "\n";
    }
  }
  return text;
}

void add_completion(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "completion", "Let the shell complete commands; zsh needs compinit before",
                        "eval \"$(safawinet completion bash)\"");
  const auto add = [&](const std::string& shell, const std::string& example, std::string (*make)(const CLI::App&)) {
    auto* verb = noun.add_subcommand(shell, "Print the completion for " + shell);
    verb->footer(example_footer(example));
    verb->callback([&app, &exit_code, make] {
      std::cout << make(app) << std::flush;
      exit_code = std::cout ? 0 : 1;
    });
  };
  add("bash", "echo 'eval \"$(safawinet completion bash)\"' >> ~/.bashrc", bash_completion);
  add("zsh",
      "# In ~/.zshrc, behind: autoload -Uz compinit; compinit\n"
      "echo 'eval \"$(safawinet completion zsh)\"' >> ~/.zshrc",
      zsh_completion);
  add("fish", "safawinet completion fish > ~/.config/fish/completions/safawinet.fish", fish_completion);
}

}  // namespace safawinet::cli
