#include "cli/contexts.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/address.hpp"
#include "base/json.hpp"
#include "cli/failure.hpp"
#include "cli/private_file.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kNameLimit = 64;

struct ContextsFile {
  std::optional<std::string> current;
  std::vector<Context> contexts;
};
BOOST_DESCRIBE_STRUCT(ContextsFile, (), (current, contexts))

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// Of "host", "host:port" or "[::1]:port".
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

bool is_this_machine(std::string_view host) {
  if (host == "localhost") return true;
  const auto address = IpAddress::parse(host);
  if (!address) return false;
  const auto loopback = address->is_v6 ? IpNetwork::parse("::1/128") : IpNetwork::parse("127.0.0.0/8");
  return loopback->contains(*address);
}

}  // namespace

std::filesystem::path configuration_folder() {
  // A relative one is to be ignored (XDG Base Directory Specification).
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && folder[0] == '/') {
    return std::filesystem::path(folder) / "safawinet";
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || home[0] != '/') {
    const auto* account = ::getpwuid(::geteuid());
    home = account != nullptr ? account->pw_dir : nullptr;
  }
  if (home == nullptr || home[0] != '/') {
    throw Failure("there is no home folder to keep contexts in", "set XDG_CONFIG_HOME to a folder of your own");
  }
  return std::filesystem::path(home) / ".config" / "safawinet";
}

std::string checked_url(std::string_view url) {
  const std::string hint = "such as https://accounts.example.com or http://127.0.0.1:8080";
  while (url.ends_with('/')) url.remove_suffix(1);
  const bool is_encrypted = url.starts_with("https://");
  if (!is_encrypted && !url.starts_with("http://")) {
    throw Failure("the URL must begin with https://", hint, kUsage);
  }
  const auto authority = url.substr(is_encrypted ? 8 : 7);
  const bool is_plain =
      std::ranges::all_of(authority, [](char c) { return is_name_character(c) || c == ':' || c == '[' || c == ']'; });
  if (authority.empty() || !is_plain || host_of(authority).empty()) {
    throw Failure("the URL must be a scheme, a host and perhaps a port, and nothing else", hint, kUsage);
  }
  if (!is_encrypted && !is_this_machine(host_of(authority))) {
    throw Failure("plain http is for this machine only: tokens would travel in the clear", "use https://", kUsage);
  }
  return std::string(url);
}

void check_context_name(std::string_view name) {
  const bool is_good = !name.empty() && name.size() <= kNameLimit && std::ranges::all_of(name, is_name_character) &&
                       name.front() != '.' && name.front() != '-';
  if (is_good) return;
  throw Failure("a context's name has letters, digits, '.', '_' and '-', at most 64, and does not begin with a sign",
                {}, kUsage);
}

Contexts::Contexts(std::filesystem::path folder) : folder_(std::move(folder)) { read(); }

const Context* Contexts::find(std::string_view name) const {
  const auto found = std::ranges::find(contexts_, name, &Context::name);
  return found == contexts_.end() ? nullptr : &*found;
}

const Context& Contexts::get(std::string_view name) const {
  if (name.empty() && !current_) {
    throw Failure("no context says which server to speak to",
                  contexts_.empty() ? "safawinet context add NAME --url URL, or --local on the server's own machine"
                                    : "safawinet context use NAME");
  }
  const auto* context = find(name.empty() ? std::string_view(*current_) : name);
  if (context == nullptr) {
    throw Failure("there is no context " + std::string(name.empty() ? std::string_view(*current_) : name),
                  "safawinet context list");
  }
  return *context;
}

void Contexts::add(Context context) {
  const FileLock lock(folder_ / "lock");
  read();
  if (find(context.name) != nullptr) {
    throw Failure("there is a context " + context.name + " already", "safawinet context remove " + context.name);
  }
  if (!current_) current_ = context.name;
  contexts_.push_back(std::move(context));
  write();
}

void Contexts::use(std::string_view name) {
  const FileLock lock(folder_ / "lock");
  read();
  current_ = get(name).name;
  write();
}

void Contexts::remove(std::string_view name) {
  const FileLock lock(folder_ / "lock");
  read();
  const std::string removed = get(name).name;
  std::erase_if(contexts_, [&](const Context& context) { return context.name == removed; });
  if (current_ == removed) current_.reset();
  write();
  remove_file(credentials_file(removed));
}

std::filesystem::path Contexts::credentials_file(std::string_view name) const {
  return folder_ / "credentials" / (std::string(name) + ".json");
}

void Contexts::read() {
  const auto file = folder_ / "contexts.json";
  const auto text = read_private_file(file);
  contexts_.clear();
  current_.reset();
  if (!text) return;
  const auto json = parse_json(text->reveal());
  auto content = json ? from_json<ContextsFile>(*json) : Result<ContextsFile>(std::unexpected(json.error()));
  if (!content) throw Failure(file.string() + " cannot be understood", "move it away, and add the contexts again");
  for (const auto& context : content->contexts) check_context_name(context.name);
  contexts_ = std::move(content->contexts);
  current_ = std::move(content->current);
}

void Contexts::write() const {
  const ContextsFile content{.current = current_, .contexts = contexts_};
  write_private_file(folder_ / "contexts.json", to_json(content) + "\n");
}

}  // namespace safawinet::cli
