#include "load/workload.hpp"

#include <fstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "load/answer.hpp"

namespace safawinet::bench {
namespace {

constexpr std::size_t kMostItems = 1'000'000;

std::vector<std::string> read_lines(const std::string& file) {
  std::ifstream input(file);
  if (!input) throw std::runtime_error("cannot read " + file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(input, line);) {
    if (!line.empty()) lines.push_back(std::move(line));
    if (lines.size() > kMostItems) throw std::runtime_error("too many lines in " + file);
  }
  if (lines.empty()) throw std::runtime_error("nothing in " + file);
  return lines;
}

std::string_view require_token(std::string_view text) {
  if (!is_token(text)) throw std::runtime_error("a line is not a token");
  return text;
}

// For e-mail addresses and passwords: refuses what would need escaping instead of escaping it.
std::string_view require_plain(std::string_view text) {
  for (const char character : text) {
    if (character < ' ' || character > '~' || character == '"' || character == '\\') {
      throw std::runtime_error("credentials are printable ASCII without quotes and backslashes");
    }
  }
  return text;
}

std::string post_json(std::string_view path, std::string_view host, std::string_view body) {
  std::string request;
  request.reserve(256 + body.size());
  request.append("POST ").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  request.append("\r\nUser-Agent: safawinet-load\r\nContent-Type: application/json\r\nContent-Length: ");
  request.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return request;
}

std::string get(std::string_view path, std::string_view host, std::string_view access_token) {
  std::string request;
  request.append("GET ").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  request.append("\r\nUser-Agent: safawinet-load\r\n");
  if (!access_token.empty()) request.append("Authorization: Bearer ").append(access_token).append("\r\n");
  return request.append("\r\n");
}

struct Tokens {
  std::string access;
  std::string refresh;
};

// Keeps the old ones when the answer holds none.
void take_tokens(std::string_view body, Tokens& tokens) {
  const auto access = find_json_text(body, "accessToken");
  const auto refresh = find_json_text(body, "refreshToken");
  if (!access || !refresh || !is_token(*access) || !is_token(*refresh)) return;
  tokens.access.assign(*access);
  tokens.refresh.assign(*refresh);
}

std::string as_lines(const std::vector<Tokens>& all) {
  std::string lines;
  for (const Tokens& tokens : all) {
    if (!tokens.refresh.empty()) lines.append(tokens.access).append("\t").append(tokens.refresh).append("\n");
  }
  return lines;
}

// get-me and raw: the requests never change.
class Reads final : public Workload {
 public:
  explicit Reads(std::vector<std::string> requests) : requests_(std::move(requests)) {}
  std::size_t size() const override { return requests_.size(); }
  std::string_view request(std::size_t item) override { return requests_[item]; }
  void take_answer(std::size_t, int, std::string_view) override {}
  bool is_usable(std::size_t) const override { return true; }
  std::string tokens() const override { return {}; }

 private:
  std::vector<std::string> requests_;
};

class Logins final : public Workload {
 public:
  explicit Logins(std::vector<std::string> requests) : requests_(std::move(requests)), tokens_(requests_.size()) {}
  std::size_t size() const override { return requests_.size(); }
  std::string_view request(std::size_t item) override { return requests_[item]; }
  void take_answer(std::size_t item, int status, std::string_view body) override {
    if (status == 200) take_tokens(body, tokens_[item]);
  }
  bool is_usable(std::size_t) const override { return true; }
  std::string tokens() const override { return as_lines(tokens_); }

 private:
  std::vector<std::string> requests_;
  std::vector<Tokens> tokens_;
};

class Refreshes final : public Workload {
 public:
  Refreshes(std::string host, const std::vector<std::string>& refresh_tokens)
      : host_(std::move(host)), sessions_(refresh_tokens.size()) {
    for (std::size_t item = 0; item < sessions_.size(); ++item) {
      sessions_[item].tokens.refresh = require_token(refresh_tokens[item]);
    }
  }
  std::size_t size() const override { return sessions_.size(); }
  std::string_view request(std::size_t item) override {
    Session& session = sessions_[item];
    std::string body;
    body.reserve(32 + session.tokens.refresh.size());
    body.append(R"({"refreshToken":")").append(session.tokens.refresh).append(R"("})");
    session.request = post_json("/v1/auth/refresh", host_, body);
    return session.request;
  }
  void take_answer(std::size_t item, int status, std::string_view body) override {
    if (status == 200) take_tokens(body, sessions_[item].tokens);
    // A session that ended stays ended; one refused for now (429, 503) is tried again with the same token.
    if (status == 401 || status == 403) sessions_[item].has_ended = true;
  }
  bool is_usable(std::size_t item) const override { return !sessions_[item].has_ended; }
  std::string tokens() const override {
    std::vector<Tokens> all;
    for (const Session& session : sessions_) {
      if (!session.has_ended) all.push_back(session.tokens);
    }
    return as_lines(all);
  }

 private:
  struct Session {
    Tokens tokens;
    std::string request;
    bool has_ended = false;
  };

  std::string host_;
  std::vector<Session> sessions_;
};

}  // namespace

std::unique_ptr<Workload> make_workload(const Options& options) {
  const bool is_six = options.address.find(':') != std::string::npos;
  const std::string host =
      (is_six ? "[" + options.address + "]" : options.address) + ":" + std::to_string(options.port);
  std::vector<std::string> requests;
  switch (options.workload) {
    case WorkloadKind::raw:
      requests.push_back(get(require_plain(options.path), host, {}));
      return std::make_unique<Reads>(std::move(requests));
    case WorkloadKind::get_me:
      for (const std::string& line : read_lines(options.items_file)) {
        requests.push_back(get("/v1/users/me", host, require_token(line)));
      }
      return std::make_unique<Reads>(std::move(requests));
    case WorkloadKind::login:
      for (const std::string& line : read_lines(options.items_file)) {
        const std::size_t tab = line.find('\t');
        if (tab == std::string::npos) throw std::runtime_error("a line of credentials is email<TAB>password");
        std::string body = R"({"email":")";
        body.append(require_plain(std::string_view(line).substr(0, tab))).append(R"(","password":")");
        body.append(require_plain(std::string_view(line).substr(tab + 1))).append(R"("})");
        requests.push_back(post_json("/v1/auth/login", host, body));
      }
      return std::make_unique<Logins>(std::move(requests));
    case WorkloadKind::refresh:
      return std::make_unique<Refreshes>(host, read_lines(options.items_file));
  }
  throw std::logic_error("no such workload");
}

}  // namespace safawinet::bench
