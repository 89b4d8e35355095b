// The servers that this user's commands speak to, by name: contexts.json in $XDG_CONFIG_HOME/safawinet or
// ~/.config/safawinet, mode 0600.
#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safawinet::cli {

struct Context {
  std::string name;
  std::string url;                          // an origin, without a slash at its end
  std::optional<std::string> ca_file;       // PEM; none: the system's
  std::optional<std::string> api_key_file;  // none: a person logs in
};
BOOST_DESCRIBE_STRUCT(Context, (), (name, url, ca_file, api_key_file))

// Throws Failure, as everything here does, when there is neither $XDG_CONFIG_HOME nor a home.
std::filesystem::path configuration_folder();

// "https://accounts.example.com", as it is kept. Throws Failure (usage): a path, a user name, or plain http to another
// machine, by which tokens would travel in the clear.
std::string checked_url(std::string_view url);
// Letters, digits, '.', '_' and '-', at most 64, not beginning with a sign. Throws Failure (usage).
void check_context_name(std::string_view name);

// One reading of the file; what is changed is on disk when the call returns.
class Contexts {
 public:
  explicit Contexts(std::filesystem::path folder = configuration_folder());

  [[nodiscard]] const std::vector<Context>& all() const { return contexts_; }
  [[nodiscard]] const std::optional<std::string>& current() const { return current_; }
  [[nodiscard]] const Context* find(std::string_view name) const;
  // The named one; without a name, the current one. Throws Failure, with what to do.
  [[nodiscard]] const Context& get(std::string_view name) const;

  // The first one becomes the current one. Throws Failure when the name is taken.
  void add(Context context);
  void use(std::string_view name);
  void remove(std::string_view name);

  // Where the tokens of a context are kept, and what is locked while they change.
  [[nodiscard]] std::filesystem::path credentials_file(std::string_view name) const;

 private:
  void read();
  void write() const;

  std::filesystem::path folder_;
  std::vector<Context> contexts_;
  std::optional<std::string> current_;
};

}  // namespace safawinet::cli
