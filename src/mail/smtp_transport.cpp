#include "mail/smtp_transport.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "base/ascii.hpp"
#include "fetch/curl_handle.hpp"

namespace safawinet {
namespace {

constexpr long kConnectSeconds = 10;
constexpr std::size_t kReplyLimit = 300;  // bytes of a reply that are kept

struct Reading {
  std::string_view left;
};

std::size_t give(char* into, std::size_t size, std::size_t count, void* from) {
  auto& left = static_cast<Reading*>(from)->left;
  const auto part = left.substr(0, size * count);
  std::ranges::copy(part, into);
  left.remove_prefix(part.size());
  return part.size();
}

// Follows the conversation, as libcurl tells it.
struct Conversation {
  SmtpStage stage = SmtpStage::greeting;
  std::string last_reply{};
  bool takes_utf8 = false;  // it has said SMTPUTF8 (RFC 6531)
  bool is_over = false;     // what it says now is good-bye

  void say(std::string_view line) {
    if (line.starts_with("MAIL ")) stage = SmtpStage::sender;
    if (line.starts_with("RCPT ")) stage = SmtpStage::recipient;
    if (line.starts_with("DATA")) stage = SmtpStage::data;
    if (line.starts_with("QUIT")) is_over = true;
  }
  void hear(std::string_view line) {
    if (is_over) return;
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > 4 && line.starts_with("250") && line.substr(4) == "SMTPUTF8") takes_utf8 = true;
    last_reply = printable(line, kReplyLimit);
  }
};

int follow(CURL*, curl_infotype type, char* bytes, std::size_t size, void* into) {
  auto& conversation = *static_cast<Conversation*>(into);
  if (type == CURLINFO_HEADER_OUT) conversation.say({bytes, size});
  if (type == CURLINFO_HEADER_IN) conversation.hear({bytes, size});
  return 0;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "5.1.1" -> "5.1", "4.7.26" -> "4.7"; empty if there is none.
std::string_view subject_of(std::string_view enhanced) {
  if (enhanced.size() < 5 || !is_digit(enhanced[0]) || enhanced[1] != '.' || !is_digit(enhanced[2])) return {};
  return enhanced[3] == '.' && is_digit(enhanced[4]) ? enhanced.substr(0, 3) : std::string_view();
}

// Not to be let in, not to be relayed, not to be understood: what somebody puts right, and no fault of mail or
// recipient.
bool is_about_us(std::string_view code, std::string_view subject, std::string_view text) {
  if (code == "530" || code == "503" || code == "502" || code == "500") return true;
  if (subject == "5.5" || text.starts_with("5.7.0")) return true;
  static constexpr std::array<std::string_view, 6> kPhrases{"relay access denied",     "relaying denied",
                                                            "relay not permitted",     "unable to relay",
                                                            "authentication required", "rcpthosts"};
  return std::ranges::any_of(kPhrases, [&](std::string_view phrase) { return contains_ignoring_case(text, phrase); });
}

Handover try_later(std::string_view reply, bool is_servers_trouble) {
  return {.kind = Handover::Kind::later, .detail = std::string(reply), .is_servers_trouble = is_servers_trouble};
}

Handover try_mailbox_later(std::string_view reply) {
  return {.kind = Handover::Kind::later, .detail = std::string(reply), .is_about_mailbox = true};
}

Handover never(Handover::Kind kind, std::string_view reply) { return {.kind = kind, .detail = std::string(reply)}; }

Handover no_such_mailbox(std::string_view reply) {
  return {.kind = Handover::Kind::recipient_refused, .detail = std::string(reply), .is_about_mailbox = true};
}

// RCPT, or DATA, was answered 4xx.
Handover judge_not_now(std::string_view reply, std::string_view subject) {
  if (reply.starts_with("421") || subject == "4.3" || subject == "4.4") return try_later(reply, true);
  const bool is_bare = subject.empty() && (reply.starts_with("450") || reply.starts_with("452"));
  return subject == "4.1" || subject == "4.2" || is_bare ? try_mailbox_later(reply) : try_later(reply, false);
}

}  // namespace

// The enhanced code (RFC 3463) first, wherever there is one: what the text says besides may hold anything, an address
// too.
Handover judge_smtp_reply(SmtpStage stage, std::string_view reply) {
  using enum Handover::Kind;
  if (stage == SmtpStage::greeting || stage == SmtpStage::sender) return try_later(reply, true);
  const auto text = reply.size() > 4 ? reply.substr(4) : std::string_view();
  const auto subject = subject_of(text);
  if (!reply.starts_with('5')) return judge_not_now(reply, subject);
  if (subject == "5.2") {
    // The mailbox is full, or takes nothing so large: it may be otherwise tomorrow.
    const bool is_full = text.starts_with("5.2.2") || text.starts_with("5.2.3");
    return is_full ? try_mailbox_later(reply) : no_such_mailbox(reply);
  }
  if (subject == "5.1") {
    // 5.1.7 and 5.1.8 are about the sender.
    const bool is_senders = text.starts_with("5.1.7") || text.starts_with("5.1.8");
    return is_senders ? try_later(reply, true) : no_such_mailbox(reply);
  }
  if (stage == SmtpStage::recipient && is_about_us(reply.substr(0, 3), subject, text)) return try_later(reply, true);
  // A policy against this recipient's mail, or against us: it says nothing for good.
  if (stage == SmtpStage::recipient && (subject == "5.7" || subject == "5.3" || subject == "5.4")) {
    return try_later(reply, false);
  }
  if (!subject.empty() || stage == SmtpStage::data) return never(message_refused, reply);
  if (reply.starts_with("552")) return try_mailbox_later(reply);
  // Without a code that says why: most often there is no such mailbox, but it may be us whom the server does not like.
  const bool is_refusal = reply.starts_with("550") || reply.starts_with("551") || reply.starts_with("553");
  return never(is_refusal ? recipient_refused : message_refused, reply);
}

SmtpTransport::SmtpTransport(SmtpRelay relay, Sender from, std::string list_unsubscribe,
                             std::function<bool()> has_to_stop)
    : relay_(std::move(relay)),
      from_(std::move(from)),
      list_unsubscribe_(std::move(list_unsubscribe)),
      handle_(std::make_unique<CurlHandle>(relay_.ca_file, std::move(has_to_stop))) {
  auto* const curl = handle_->get();
  const bool is_implicit = relay_.security == SmtpSecurity::tls;
  const bool is_address = relay_.host.find(':') != std::string::npos;
  const std::string host = is_address ? "[" + relay_.host + "]" : relay_.host;
  // The path is the name that we greet with (RFC 5321 section 4.1.1.1).
  const std::string url = std::string(is_implicit ? "smtps://" : "smtp://") + host + ":" + std::to_string(relay_.port) +
                          "/" + std::string(from_.domain());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, is_implicit ? "smtps" : "smtp");
  curl_easy_setopt(curl, CURLOPT_USE_SSL, relay_.security == SmtpSecurity::none ? CURLUSESSL_NONE : CURLUSESSL_ALL);
  if (!relay_.user.empty()) {
    curl_easy_setopt(curl, CURLOPT_USERNAME, relay_.user.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, std::string(relay_.password.reveal()).c_str());
  }
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(kLongestSend.count()));
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, ("<" + from_.address + ">").c_str());
  curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, follow);
}

SmtpTransport::~SmtpTransport() = default;

Handover SmtpTransport::send(const Uuid& id, const Mail& mail, Time date) {
  auto* const curl = handle_->get();
  const std::string message = to_rfc5322(id, mail, from_, date, list_unsubscribe_);
  Reading reading{.left = message};
  Conversation conversation{.takes_utf8 = takes_utf8_};
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> recipients(
      curl_slist_append(nullptr, ("<" + mail.to + ">").c_str()), curl_slist_free_all);
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(curl, CURLOPT_READDATA, &reading);
  curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(message.size()));
  curl_easy_setopt(curl, CURLOPT_DEBUGDATA, &conversation);
  const auto code = handle_->perform();
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, nullptr);
  takes_utf8_ = conversation.takes_utf8;
  if (code == CURLE_OK) return {.kind = Handover::Kind::taken};
  const auto& reply = conversation.last_reply;
  const bool is_refusal = reply.starts_with('4') || reply.starts_with('5');
  // A connection that broke says nothing about the mail, whatever the last reply was.
  const bool has_broken = code == CURLE_OPERATION_TIMEDOUT || code == CURLE_COULDNT_CONNECT ||
                          code == CURLE_GOT_NOTHING || code == CURLE_SSL_CONNECT_ERROR ||
                          code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_USE_SSL_FAILED;
  if (is_refusal && !has_broken && !is_ascii(mail.to) && conversation.stage == SmtpStage::recipient &&
      !conversation.takes_utf8) {
    return {.kind = Handover::Kind::message_refused, .detail = "the mail server takes no such addresses (no SMTPUTF8)"};
  }
  if (is_refusal && !has_broken) return judge_smtp_reply(conversation.stage, reply);
  throw std::runtime_error("SMTP server " + relay_.host + ": " + handle_->reason(code));
}

}  // namespace safawinet
