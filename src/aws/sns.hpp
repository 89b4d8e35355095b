// Notifications of Amazon SNS over HTTPS: what they say, and whether Amazon says it ("Verifying the signatures of
// Amazon SNS messages" in its developer guide).
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "crypto/certificate.hpp"
#include "fetch/fetch.hpp"
#include "runtime/blocking_pool.hpp"

namespace safawinet::aws {

struct SnsMessage {
  enum class Type { notification, subscription_confirmation, unsubscribe_confirmation } type = Type::notification;
  std::string message_id;
  std::string topic_arn;
  std::optional<std::string> subject;
  std::string message;
  std::string timestamp;        // as it was signed
  std::string token{};          // of confirmations
  std::string subscribe_url{};  // the same
  std::string signature_version;
  std::string signature;  // base64
  std::string signing_certificate_url;
};

// The envelope. Unknown members are ignored. Errors: unreadable_request.
Result<SnsMessage> parse_sns_message(std::string_view body);

// What is signed.
std::string canonical_text(const SnsMessage& message);

// The host by which a topic's region speaks: "sns.eu-central-1.amazonaws.com". None if it is no ARN of a topic.
std::optional<std::string> sns_host_of(std::string_view topic_arn);

// Whether this is where Amazon keeps certificates of the topic's region: one exact form, over HTTPS.
bool is_certificate_url_of(std::string_view url, std::string_view topic_arn);

// The address that confirms a subscription, made of verified parts alone.
std::string confirmation_url_of(const SnsMessage& message);

struct SnsTrust {
  std::vector<std::string> topics;  // whose messages are taken
  bool takes_version_1 = false;     // SHA-1
};

// How far a message's time may be from ours. One that is as old as message ids are remembered, or older, could be taken
// twice.
inline constexpr std::chrono::minutes kSnsAheadAtMost{5};
inline constexpr std::chrono::days kSnsMessageIdsKept{15};

// Threading: verify() on any event loop.
class SnsVerifier {
 public:
  SnsVerifier(SnsTrust trust, const std::filesystem::path& ca_file, BlockingPool& pool, const Clock& clock);

  // The message, if a configured topic has sent it and it may be taken now; that it is new is for the caller to see.
  // Checked in this order: strict JSON, topic, version of the signature, place of the certificate; then the certificate
  // is fetched; the certificate, the signature, the time. Errors: unreadable_request, forbidden, unavailable (no
  // certificate could be had: SNS tries again).
  // `network`: from where the body came. From each, and in all, certificates are looked for in vain only so often.
  Task<Result<SnsMessage>> verify(std::string_view body, std::string network);

  // Tells SNS that the subscription is wanted. Errors: unavailable.
  Task<Status> confirm(const SnsMessage& message);

 private:
  struct FailedFetch {
    MonotonicTime at;
    std::string url;
    std::string network;
  };

  Task<Result<Certificate>> certificate_at(std::string url, std::string network);
  // On a thread of the pool: one at a time, and those who wait find what it found. Not begun after `latest`.
  Result<Certificate> fetch_certificate(const std::string& url, const std::string& network, MonotonicTime latest);
  [[nodiscard]] std::optional<Certificate> find_certificate(const std::string& url);

  SnsTrust trust_;
  BlockingPool& pool_;
  const Clock& clock_;
  std::mutex fetching_;
  Fetcher fetcher_;                  // while `fetching_` is held
  std::vector<FailedFetch> failed_;  // the same
  std::atomic<int> waiting_{0};      // for the pool
  std::mutex mutex_;
  std::map<std::string, Certificate> certificates_;
};

}  // namespace safawinet::aws
