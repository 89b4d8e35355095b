// Asking HTTP servers that we do not trust with more than the answer: certificates of Amazon's, mail APIs, credentials.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safawinet {

class CurlHandle;

struct FetchRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> fields{};
  std::string body{};
  std::chrono::milliseconds longest{10'000};          // for all of it
  std::size_t answer_limit = std::size_t{64} * 1024;  // bytes of the body
};

struct FetchAnswer {
  unsigned status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case

  // Empty if there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
};

// There was no whole answer. `what()` is for the log, and names the host.
class FetchFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One connection at a time, kept open between requests to the same host. Certificates are checked against `ca_file`
// (PEM; empty: the system's authorities), TLS is 1.2 or later, no redirection is followed, no proxy is asked.
// Threading: one thread at a time. It blocks: not for an event loop.
class Fetcher {
 public:
  // `has_to_stop` is asked now and then: what is under way fails when it says so; empty: never.
  explicit Fetcher(const std::filesystem::path& ca_file, std::function<bool()> has_to_stop = {});
  ~Fetcher();
  Fetcher(Fetcher&&) noexcept;

  // Whatever the status is. Throws FetchFailed.
  FetchAnswer perform(const FetchRequest& request);

 private:
  std::unique_ptr<CurlHandle> handle_;
};

// The authorities that this machine trusts, where Debian keeps them.
inline constexpr std::string_view kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

}  // namespace safawinet
