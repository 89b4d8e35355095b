#include "aws/sns.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include "aws/sigv4.hpp"
#include "base/encoding.hpp"
#include "base/json.hpp"

namespace safawinet::aws {
namespace {

constexpr std::size_t kCertificatesKept = 16;
constexpr std::size_t kCertificateLimit = std::size_t{16} * 1024;  // bytes
constexpr std::chrono::milliseconds kFetchPatience{5'000};
constexpr int kRsaBitsAtLeast = 2048;
// Whoever knows the name of a topic can make us look for certificates that are not there.
constexpr std::size_t kFailedFetches = 100;
constexpr std::ptrdiff_t kFailedFetchesOfANetwork = 10;
constexpr std::chrono::minutes kFailedFetchesWindow{1};
// And could keep us busy with a host that is slow.
constexpr int kWaitingAtMost = 64;
constexpr std::chrono::seconds kLongestWait{10};
constexpr std::chrono::seconds kFailureRemembered{5};  // of one address, for those who wait for it meanwhile

// One more who waits, as long as it lives.
class Waiting {
 public:
  explicit Waiting(std::atomic<int>& count) : count_(count), place_(++count) {}
  ~Waiting() { --count_; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  [[nodiscard]] bool is_one_too_many() const { return place_ > kWaitingAtMost; }

 private:
  std::atomic<int>& count_;
  int place_;
};

std::expected<std::string, std::string> text_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) {
    return std::unexpected("\"" + std::string(name) + "\" must be there, and text");
  }
  return std::string(value->get_string());
}

std::unexpected<Error> unreadable(std::string detail) {
  return refuse(ErrorCode::unreadable_request, "This is no message of SNS: " + std::move(detail) + ".");
}

std::unexpected<Error> untrusted(std::string detail) { return refuse(ErrorCode::forbidden, std::move(detail)); }

// SNS tries again later.
std::unexpected<Error> no_certificate(const std::string& why) {
  return refuse(Error{.code = ErrorCode::unavailable, .cause = {"no certificate of SNS: " + why}});
}

std::optional<SnsMessage::Type> parse_type(std::string_view type) {
  if (type == "Notification") return SnsMessage::Type::notification;
  if (type == "SubscriptionConfirmation") return SnsMessage::Type::subscription_confirmation;
  if (type == "UnsubscribeConfirmation") return SnsMessage::Type::unsubscribe_confirmation;
  return std::nullopt;
}

std::string_view name_of(SnsMessage::Type type) {
  switch (type) {
    case SnsMessage::Type::notification:
      return "Notification";
    case SnsMessage::Type::subscription_confirmation:
      return "SubscriptionConfirmation";
    case SnsMessage::Type::unsubscribe_confirmation:
      return "UnsubscribeConfirmation";
  }
  std::unreachable();
}

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("\n").append(value).append("\n");
}

}  // namespace

Result<SnsMessage> parse_sns_message(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return std::unexpected(json.error());
  if (!json->is_object()) return unreadable("it is no JSON object");
  const auto& object = json->get_object();
  SnsMessage message;
  const auto type = text_of(object, "Type");
  if (!type) return unreadable(type.error());
  const auto known = parse_type(*type);
  if (!known) return unreadable("\"Type\" must be one that SNS sends");
  message.type = *known;
  const bool is_confirmation = message.type != SnsMessage::Type::notification;
  const std::array<std::pair<std::string_view, std::string*>, 9> members{
      {{"MessageId", &message.message_id},
       {"TopicArn", &message.topic_arn},
       {"Message", &message.message},
       {"Timestamp", &message.timestamp},
       {"SignatureVersion", &message.signature_version},
       {"Signature", &message.signature},
       {"SigningCertURL", &message.signing_certificate_url},
       {"Token", &message.token},
       {"SubscribeURL", &message.subscribe_url}}};
  for (const auto& [name, target] : members) {
    const bool is_of_confirmations = target == &message.token || target == &message.subscribe_url;
    if (is_of_confirmations && !is_confirmation) continue;
    auto value = text_of(object, name);
    if (!value) return unreadable(value.error());
    *target = std::move(*value);
  }
  const auto* subject = object.if_contains("Subject");
  if (subject != nullptr && subject->is_string()) message.subject = std::string(subject->get_string());
  return message;
}

std::string canonical_text(const SnsMessage& message) {
  std::string text;
  append_line(text, "Message", message.message);
  append_line(text, "MessageId", message.message_id);
  if (message.type == SnsMessage::Type::notification) {
    if (message.subject) append_line(text, "Subject", *message.subject);
  } else {
    append_line(text, "SubscribeURL", message.subscribe_url);
  }
  append_line(text, "Timestamp", message.timestamp);
  if (message.type != SnsMessage::Type::notification) append_line(text, "Token", message.token);
  append_line(text, "TopicArn", message.topic_arn);
  append_line(text, "Type", name_of(message.type));
  return text;
}

std::optional<std::string> sns_host_of(std::string_view topic_arn) {
  std::array<std::string_view, 4> parts;  // arn:partition:sns:region
  for (auto& part : parts) {
    const auto end = topic_arn.find(':');
    if (end == std::string_view::npos) return std::nullopt;
    part = topic_arn.substr(0, end);
    topic_arn.remove_prefix(end + 1);
  }
  const auto& [arn, partition, service, region] = parts;
  const bool is_region = !region.empty() && std::ranges::all_of(region, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (arn != "arn" || service != "sns" || !is_region) return std::nullopt;
  const std::string_view suffix = partition == "aws-cn" ? ".amazonaws.com.cn" : ".amazonaws.com";
  return "sns." + std::string(region) + std::string(suffix);
}

bool is_certificate_url_of(std::string_view url, std::string_view topic_arn) {
  const auto host = sns_host_of(topic_arn);
  if (!host) return false;
  const std::string start = "https://" + *host + "/SimpleNotificationService-";
  constexpr std::string_view kEnd = ".pem";
  constexpr std::size_t kDigits = 32;
  if (url.size() != start.size() + kDigits + kEnd.size()) return false;
  return url.starts_with(start) && url.ends_with(kEnd) && is_lower_hex(url.substr(start.size(), kDigits));
}

std::string confirmation_url_of(const SnsMessage& message) {
  const Request request{.method = "GET",
                        .host = sns_host_of(message.topic_arn).value_or(""),
                        .query = {{"Action", "ConfirmSubscription"},
                                  {"TopicArn", message.topic_arn},
                                  {"Token", message.token},
                                  {"AuthenticateOnUnsubscribe", "true"}}};
  return "https://" + request.host + target_of(request);
}

SnsVerifier::SnsVerifier(SnsTrust trust, const std::filesystem::path& ca_file, BlockingPool& pool, const Clock& clock)
    : trust_(std::move(trust)), pool_(pool), clock_(clock), fetcher_(ca_file, [this] { return pool_.is_stopping(); }) {}

Task<Result<SnsMessage>> SnsVerifier::verify(std::string_view body, std::string network) {
  auto message = parse_sns_message(body);
  if (!message) co_return message;
  if (std::ranges::find(trust_.topics, message->topic_arn) == trust_.topics.end()) {
    co_return untrusted("Of this topic nothing is taken.");
  }
  const bool is_version_2 = message->signature_version == "2";
  if (!is_version_2 && !(trust_.takes_version_1 && message->signature_version == "1")) {
    co_return untrusted("The version of the signature is not taken.");
  }
  if (!is_certificate_url_of(message->signing_certificate_url, message->topic_arn)) {
    co_return untrusted("The certificate is not where Amazon keeps those of the topic's region.");
  }
  const auto certificate = co_await certificate_at(message->signing_certificate_url, std::move(network));
  if (!certificate) co_return std::unexpected(certificate.error());
  const auto now = clock_.now();
  if (!certificate->is_valid_at(now)) co_return untrusted("The certificate is not valid now.");
  if (certificate->rsa_bits() < kRsaBitsAtLeast) co_return untrusted("The key of the certificate is too short.");
  const auto signature = from_base64(message->signature);
  const auto digest = is_version_2 ? SignatureDigest::sha256 : SignatureDigest::sha1;
  const auto text = canonical_text(*message);
  if (!signature || !certificate->verify(digest, as_bytes(text), *signature)) {
    co_return untrusted("The signature is wrong.");
  }
  const auto sent_at = parse_rfc3339(message->timestamp);
  if (!sent_at) co_return unreadable("\"Timestamp\" is no time");
  if (*sent_at > now + kSnsAheadAtMost) co_return untrusted("The message is from the future.");
  if (*sent_at < now - kSnsMessageIdsKept) co_return untrusted("The message is too old.");
  co_return message;
}

Task<Status> SnsVerifier::confirm(const SnsMessage& message) {
  const FetchRequest request{.url = confirmation_url_of(message), .longest = kFetchPatience};
  const Waiting waiting(waiting_);
  if (waiting.is_one_too_many()) {
    co_return refuse(Error{.code = ErrorCode::unavailable, .cause = {"too many subscriptions are being confirmed"}});
  }
  auto confirm = [&]() -> std::string {
    const std::scoped_lock lock(fetching_);
    try {
      const auto answer = fetcher_.perform(request);
      return answer.status == 200 ? "" : "SNS answered " + std::to_string(answer.status);
    } catch (const FetchFailed& failure) {
      return failure.what();
    }
  };
  const auto failure = co_await pool_.run(std::move(confirm));
  if (failure.empty()) co_return Status{};
  co_return refuse(Error{.code = ErrorCode::unavailable, .cause = {"a subscription was not confirmed: " + failure}});
}

Task<Result<Certificate>> SnsVerifier::certificate_at(std::string url, std::string network) {
  if (auto found = find_certificate(url)) co_return *std::move(found);
  const Waiting waiting(waiting_);
  if (waiting.is_one_too_many()) co_return no_certificate("too many wait for one");
  const auto latest = clock_.monotonic() + kLongestWait;
  auto fetch = [&] { return fetch_certificate(url, network, latest); };
  co_return co_await pool_.run(std::move(fetch));
}

std::optional<Certificate> SnsVerifier::find_certificate(const std::string& url) {
  const std::scoped_lock lock(mutex_);
  const auto found = certificates_.find(url);
  return found == certificates_.end() ? std::nullopt : std::optional(found->second);
}

Result<Certificate> SnsVerifier::fetch_certificate(const std::string& url, const std::string& network,
                                                   MonotonicTime latest) {
  const std::scoped_lock lock(fetching_);
  if (auto found = find_certificate(url)) return *std::move(found);
  const auto now = clock_.monotonic();
  if (now > latest) return no_certificate("it took too long to ask for others");
  std::erase_if(failed_, [&](const FailedFetch& failed) { return failed.at + kFailedFetchesWindow <= now; });
  const auto of_network = std::ranges::count(failed_, network, &FailedFetch::network);
  if (failed_.size() >= kFailedFetches || of_network >= kFailedFetchesOfANetwork) {
    return no_certificate("too many were looked for in vain");
  }
  const bool has_just_failed = std::ranges::any_of(
      failed_, [&](const FailedFetch& failed) { return failed.url == url && failed.at + kFailureRemembered > now; });
  if (has_just_failed) return no_certificate("it could not be had just now");
  std::string failure;
  bool is_there_none = false;
  try {
    const FetchRequest request{.url = url, .longest = kFetchPatience, .answer_limit = kCertificateLimit};
    const auto answer = fetcher_.perform(request);
    if (answer.status == 200) {
      auto parsed = Certificate::parse_pem(answer.body);
      if (parsed) {
        const std::scoped_lock keep(mutex_);
        if (certificates_.size() >= kCertificatesKept) certificates_.clear();
        certificates_.emplace(url, *parsed);
        return *std::move(parsed);
      }
      failure = "what is there " + parsed.error();
      is_there_none = true;
    } else {
      failure = "SNS answered " + std::to_string(answer.status);
      is_there_none = answer.status >= 400 && answer.status < 500;
    }
  } catch (const FetchFailed& failed) {
    failure = failed.what();
  }
  failed_.push_back({.at = now, .url = url, .network = network});
  if (is_there_none) return untrusted("There is no such certificate.");
  return no_certificate(failure);
}

}  // namespace safawinet::aws
