// What every conversation through libcurl has in common here.
#pragma once

#include <curl/curl.h>

#include <array>
#include <filesystem>
#include <functional>
#include <string>

namespace safawinet {

// Certificates are checked against `ca_file` (PEM; empty: the system's authorities), TLS is 1.2 or later, no proxy is
// asked, and no signal is used. Threading: one thread at a time; performing blocks.
class CurlHandle {
 public:
  // `has_to_stop` is asked now and then: what is under way fails when it says so; empty: never.
  CurlHandle(const std::filesystem::path& ca_file, std::function<bool()> has_to_stop);
  ~CurlHandle();
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;

  [[nodiscard]] CURL* get() const { return curl_; }

  CURLcode perform();
  // In words, of what the last perform() returned.
  [[nodiscard]] std::string reason(CURLcode code) const;

 private:
  CURL* curl_;
  std::function<bool()> has_to_stop_;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

}  // namespace safawinet
