#include "cli/http_client.hpp"

#include <curl/curl.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "app/version.hpp"
#include "cli/console.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";
constexpr long kConnectSeconds = 10;
constexpr long kAnswerSeconds = 120;
constexpr std::size_t kAnswerLimit = std::size_t{64} * 1024 * 1024;  // bytes

struct Fields {
  ~Fields() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
  curl_slist* list = nullptr;
};

std::size_t take_body(char* bytes, std::size_t, std::size_t size, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + size > kAnswerLimit) return 0;
  body.append(bytes, size);
  return size;
}

int look_for_interrupts(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return is_interrupted() ? 1 : 0; }

std::optional<std::int64_t> retry_after(CURL* handle) {
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0) return std::nullopt;
  return seconds;
}

std::string hint_for(CURLcode code, const std::string& context) {
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    return "if the authority is your own, add the context again with --ca-file FILE";
  }
  if (code == CURLE_SSL_CACERT_BADFILE) return "look at the CA file: safawinet context show " + context;
  return "is it running, and is the URL right? safawinet context show " + context +
         "; on the server's own machine, --local works without it";
}

}  // namespace

struct HttpClient::Handle {
  Handle() : curl(curl_easy_init()) {
    if (curl == nullptr) throw Failure("cannot use libcurl");
  }
  ~Handle() { curl_easy_cleanup(curl); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  CURL* curl;
  std::array<char, CURL_ERROR_SIZE> error{};
};

HttpClient::HttpClient(const Context& context)
    : url_(context.url), name_(context.name), handle_(std::make_unique<Handle>()) {
  auto* curl = handle_->curl;
  const std::string authorities = context.ca_file.value_or(kSystemAuthorities);
  curl_easy_setopt(curl, CURLOPT_CAINFO, authorities.c_str());
  curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, url_.starts_with("https://") ? "https" : "http");
  // Plain http is for this machine only, where no proxy stands between.
  if (url_.starts_with("http://")) curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kAnswerSeconds);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, (std::string("safawinet/") + std::string(app::kVersion)).c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_for_interrupts);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, handle_->error.data());
}

HttpClient::~HttpClient() = default;

ApiResponse HttpClient::send(const ApiRequest& request) {
  check_interrupted();
  auto* curl = handle_->curl;
  Fields fields;
  fields.add("Accept: application/json");
  fields.add("Expect:");
  fields.add(request.body.empty() ? "Content-Type:" : "Content-Type: application/json");
  if (request.idempotency_key) fields.add("Idempotency-Key: " + *request.idempotency_key);
  if (request.credential) fields.add("Authorization: Bearer " + std::string(request.credential->reveal()));

  ApiResponse response;
  curl_easy_setopt(curl, CURLOPT_URL, (url_ + request.target).c_str());
  if (request.method == "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, nullptr);
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, nullptr);
  } else {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.reveal().size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.reveal().data());  // NOLINT: its size is set above
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, std::string(request.method).c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.list);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &response.body);
  handle_->error[0] = '\0';
  const auto code = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
  check_interrupted();
  if (code != CURLE_OK) {
    const std::string why = handle_->error[0] != '\0' ? handle_->error.data() : curl_easy_strerror(code);
    throw Failure("no answer from " + url_ + ": " + why, hint_for(code, name_));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<unsigned>(status);
  response.retry_after_seconds = retry_after(curl);
  return response;
}

}  // namespace safawinet::cli
