// What a verb works with, and how verbs are added to the command line.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "cli/api.hpp"
#include "cli/console.hpp"
#include "cli/contexts.hpp"
#include "cli/table.hpp"

namespace CLI {  // NOLINT: the library's own name
class App;
}

namespace safawinet::cli {

// What every verb that speaks to the API may be told.
struct Invocation {
  std::string context;  // empty: the current one
  bool is_local = false;
  std::string settings_file;  // for --local; empty: the usual places
  bool is_json = false;
};

class Desk {
 public:
  explicit Desk(Invocation invocation);
  ~Desk();
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  // Opened at the first use. Throws Failure.
  Api& api();
  // Closes what api() opened: with --local, its work gets to its end.
  void hang_up();
  Console& console() { return console_; }
  Random& random() { return random_; }
  [[nodiscard]] bool is_json() const { return invocation_.is_json; }
  // A text with what reaches the same server behind the commands in it: "safawinet user list" becomes
  // "safawinet user list --context prod", "safawinet context login" becomes "safawinet context login prod".
  [[nodiscard]] std::string reaching(std::string_view text) const;

  // One value, as JSON on one line.
  void print_json(const boost::json::value& value);
  // One thing: names and values in two columns.
  void print_record(const std::vector<std::pair<std::string, std::string>>& members);
  // A sentence about what was done; with --json, `value` instead.
  void print_done(std::string_view sentence, const boost::json::value& value);
  [[nodiscard]] Table table(std::vector<std::string> titles, Table::Cells cells = Table::Cells::may_be_cut);

 private:
  struct Connection;
  // "--local", "--context prod" or nothing, with a space before it.
  [[nodiscard]] std::string how_to_reach() const;

  Invocation invocation_;
  Console console_;
  SystemRandom random_;
  std::unique_ptr<Connection> connection_;
};

struct VerbText {
  std::string name;
  std::string description;
  std::string example;  // lines of a shell, for the foot of the help
};

using Work = std::function<void(Desk&)>;

// A noun, under which its verbs are.
CLI::App& add_noun(CLI::App& app, const std::string& name, const std::string& description, const std::string& example);
// A verb that speaks to the API: it gets --context, --local, --config and --json.
CLI::App& add_verb(CLI::App& noun, int& exit_code, const VerbText& text, Work work);
// A verb that speaks to it as the person who is logged in, which nobody is with --local: it gets --context and --json.
CLI::App& add_verb_of_a_person(CLI::App& noun, int& exit_code, const VerbText& text, Work work);
// A verb that does not: it gets --json only.
CLI::App& add_verb_of_this_machine(CLI::App& noun, int& exit_code, const VerbText& text, Work work);
// The foot of a help: "Example:" and the lines.
std::string example_footer(std::string_view lines);

// What asks before it does something.
struct Consent {
  bool is_given = false;  // --yes
  bool is_dry_run = false;
};
std::shared_ptr<Consent> add_consent(CLI::App& verb);
// What is to be done.
struct Plan {
  std::string preview;      // "This deletes ada@example.com."
  std::string question;     // "Delete this user?"
  boost::json::value seen;  // the preview as JSON
};
// Shows the preview and asks. False after --dry-run. Throws Failure (exit 1) when the answer is no, or nobody can be
// asked.
bool may_go_on(Desk& desk, const Consent& consent, const Plan& plan);
// The last part of it, for a preview that was shown otherwise.
void ask_unless_given(Desk& desk, const Consent& consent, std::string_view question);

// --limit N of lists.
std::shared_ptr<std::size_t> add_limit(CLI::App& verb);

// What one item of a list looks like in a table.
using ToRow = std::function<std::vector<std::string>(const boost::json::object&)>;
// Prints a list as it comes: a table, or one JSON array. At most `limit` items, with a note when there are more.
void print_list(Desk& desk, std::string_view path, Query query, std::size_t limit, std::vector<std::string> titles,
                const ToRow& to_row);

// A user named by id or e-mail address, as the API answers.
std::optional<boost::json::object> find_user(Api& api, std::string_view id_or_email);
// Throws Failure when there is none.
boost::json::object get_user(Api& api, std::string_view id_or_email);
// For options that take one.
std::vector<std::string> role_names();
// Where a user is signed in, as a list.
void print_sessions(Desk& desk, const std::string& user, std::size_t limit);
// "ada@example.com (customer)"
std::string name_of_user(const boost::json::object& user);

}  // namespace safawinet::cli
