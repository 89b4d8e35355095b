#include "fetch/fetch.hpp"

#include <curl/curl.h>

#include <utility>

#include "base/ascii.hpp"
#include "fetch/curl_handle.hpp"

namespace safawinet {
namespace {

constexpr long kConnectMilliseconds = 5'000;
constexpr std::size_t kFieldLimit = 100;  // of an answer

struct Answering {
  FetchAnswer answer;
  std::size_t limit = 0;
  bool is_too_long = false;
};

std::size_t take_body(char* bytes, std::size_t, std::size_t size, void* into) {
  auto& answering = *static_cast<Answering*>(into);
  if (answering.answer.body.size() + size > answering.limit) {
    answering.is_too_long = true;
    return 0;
  }
  answering.answer.body.append(bytes, size);
  return size;
}

std::size_t take_field(char* bytes, std::size_t, std::size_t size, void* into) {
  auto& fields = static_cast<Answering*>(into)->answer.fields;
  std::string_view line(bytes, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || fields.size() >= kFieldLimit) return size;
  auto name = to_lower(line.substr(0, colon));
  auto value = line.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  fields.emplace_back(std::move(name), std::string(value));
  return size;
}

struct FieldList {
  FieldList() = default;
  ~FieldList() { curl_slist_free_all(list); }
  FieldList(const FieldList&) = delete;
  FieldList& operator=(const FieldList&) = delete;
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }

  curl_slist* list = nullptr;
};

std::string_view host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

}  // namespace

std::string_view FetchAnswer::field(std::string_view name) const {
  for (const auto& [known, value] : fields) {
    if (known == name) return value;
  }
  return {};
}

Fetcher::Fetcher(const std::filesystem::path& ca_file, std::function<bool()> has_to_stop)
    : handle_(std::make_unique<CurlHandle>(ca_file, std::move(has_to_stop))) {
  auto* const curl = handle_->get();
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "safawinet");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_field);
}

Fetcher::~Fetcher() = default;
Fetcher::Fetcher(Fetcher&&) noexcept = default;

FetchAnswer Fetcher::perform(const FetchRequest& request) {
  auto* const curl = handle_->get();
  FieldList fields;
  fields.add("Expect:");
  for (const auto& [name, value] : request.fields) fields.add(std::string(name).append(": ").append(value));
  Answering answering{.answer = {}, .limit = request.answer_limit};
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, request.url.starts_with("https://") ? "https" : "http");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.longest.count()));
  if (request.method == "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, nullptr);
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, nullptr);
  } else {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());  // NOLINT: its size is set above
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.list);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answering);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answering);
  const auto code = handle_->perform();
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) {
    auto why = handle_->reason(code);
    if (answering.is_too_long) why = "the answer has more than " + std::to_string(request.answer_limit) + " bytes";
    throw FetchFailed("no answer from " + std::string(host_of(request.url)) + ": " + why);
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answering.answer.status = static_cast<unsigned>(status);
  return std::move(answering.answer);
}

}  // namespace safawinet
