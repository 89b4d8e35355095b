#include "fetch/curl_handle.hpp"

#include <stdexcept>
#include <utility>

#include "fetch/fetch.hpp"

namespace safawinet {
namespace {

int look_whether_to_stop(void* asked, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& has_to_stop = *static_cast<const std::function<bool()>*>(asked);
  return has_to_stop && has_to_stop() ? 1 : 0;
}

}  // namespace

CurlHandle::CurlHandle(const std::filesystem::path& ca_file, std::function<bool()> has_to_stop)
    : curl_(curl_easy_init()), has_to_stop_(std::move(has_to_stop)) {
  if (curl_ == nullptr) throw std::runtime_error("libcurl cannot be used");
  const std::string authorities = ca_file.empty() ? std::string(kSystemAuthorities) : ca_file.string();
  curl_easy_setopt(curl_, CURLOPT_CAINFO, authorities.c_str());
  curl_easy_setopt(curl_, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(curl_, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(curl_, CURLOPT_PROXY, "");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_QUICK_EXIT, 1L);  // a resolver that is slow is not waited for
  curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, look_whether_to_stop);
  curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &has_to_stop_);
  curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, error_.data());
}

CurlHandle::~CurlHandle() { curl_easy_cleanup(curl_); }

CURLcode CurlHandle::perform() {
  error_[0] = '\0';
  return curl_easy_perform(curl_);
}

std::string CurlHandle::reason(CURLcode code) const {
  return error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
}

}  // namespace safawinet
