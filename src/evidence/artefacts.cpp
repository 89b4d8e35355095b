#include "evidence/artefacts.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "access/api_key.hpp"
#include "accounts/email_address.hpp"
#include "base/address.hpp"
#include "base/ids.hpp"
#include "crypto/access_token.hpp"
#include "crypto/refresh_token.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kRequestIdCharacters = 16;
constexpr std::size_t kUuidCharacters = 36;
constexpr std::size_t kLocalPartLimit = 64;
constexpr std::size_t kDomainLimit = 253;
constexpr std::size_t kNetworkLimit = 64;  // characters of the longest address, with a prefix or a port, and some more

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_digit(c) || is_letter(c) || c == '_' || c == '-'; }  // base64url, too
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_of_uuid(char c) { return is_hex(c) || c == '-'; }
bool is_of_network(char c) { return is_hex(c) || c == '.' || c == ':' || c == '/'; }
bool is_of_domain(char c) { return is_digit(c) || is_letter(c) || c == '.' || c == '-'; }
// Less than an address may have: "email=ada@example.com" names ada.
bool is_of_local_part(char c) { return is_word(c) || c == '.' || c == '+' || c == '%' || c == '\''; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

// Reads a text from several sides; what one side has taken, the next ones do not see.
class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  void run() {
    find_prefixed(kRefreshTokenPrefix, kRefreshTokenBytes, ArtefactKind::refresh_token);
    find_prefixed(kApiKeyPrefix, kApiKeyCharacters, ArtefactKind::api_key);
    find_access_tokens();
    find_ids();
    find_request_ids();
    find_emails();
    find_networks();
  }

  Artefacts take() {
    std::ranges::sort(found_.items, {}, &Artefact::offset);
    return std::move(found_);
  }

 private:
  [[nodiscard]] std::size_t end_of(std::size_t begin, bool (*belongs)(char)) const {
    while (begin < text_.size() && belongs(text_[begin])) ++begin;
    return begin;
  }
  [[nodiscard]] bool is_word_at(std::size_t position) const {
    return position < text_.size() && is_word(text_[position]);
  }

  void add(ArtefactKind kind, std::size_t offset, std::size_t length, std::string text) {
    std::fill_n(text_.begin() + static_cast<std::ptrdiff_t>(offset), length, ' ');
    if (seen_.contains({kind, text})) return;
    if (found_.items.size() == kArtefactsLimit) {
      found_.is_cut = true;
      return;
    }
    seen_.emplace(kind, text);
    found_.items.push_back({.kind = kind, .offset = offset, .text = std::move(text)});
  }

  // Text of a fixed length behind a prefix; a longer word is something else.
  void find_prefixed(std::string_view prefix, std::size_t length, ArtefactKind kind) {
    for (auto begin = text_.find(prefix); begin != std::string::npos; begin = text_.find(prefix, begin + 1)) {
      auto end = begin;
      while (end < begin + length && is_word_at(end)) ++end;
      if (end == begin + length && !is_word_at(end)) add(kind, begin, length, text_.substr(begin, length));
    }
  }

  // Three words with dots between them, of which the first is JSON in base64url: RFC 7515 section 3.1.
  void find_access_tokens() {
    constexpr std::string_view kStart = "eyJ";
    for (auto begin = text_.find(kStart); begin != std::string::npos;) {
      auto end = end_of(begin, is_word);
      const bool is_start_of_word = begin == 0 || !is_word_at(begin - 1);
      if (is_start_of_word) {
        int parts = 1;
        while (parts < 3 && end < text_.size() && text_[end] == '.' && is_word_at(end + 1)) {
          end = end_of(end + 1, is_word);
          ++parts;
        }
        const auto length = end - begin;
        if (parts == 3 && length <= kAccessTokenLimitBytes) {
          add(ArtefactKind::access_token, begin, length, text_.substr(begin, length));
        }
      }
      begin = text_.find(kStart, end);
    }
  }

  void find_ids() {
    for (std::size_t begin = 0; begin < text_.size();) {
      if (!is_of_uuid(text_[begin])) {
        ++begin;
        continue;
      }
      const auto end = end_of(begin, is_of_uuid);
      const bool is_whole = (begin == 0 || !is_word_at(begin - 1)) && !is_word_at(end);
      if (is_whole && end - begin == kUuidCharacters) {
        const auto id = Uuid::parse(std::string_view(text_).substr(begin, kUuidCharacters));
        if (id) add(ArtefactKind::id, begin, kUuidCharacters, id->text());
      }
      begin = end;
    }
  }

  void find_request_ids() {
    constexpr std::string_view kName = "request";
    const auto folded = lower(text_);
    for (auto at = folded.find(kName); at != std::string::npos; at = folded.find(kName, at + 1)) {
      auto begin = at + kName.size();
      if (begin < folded.size() && (folded[begin] == '-' || folded[begin] == '_' || folded[begin] == ' ')) ++begin;
      if (!std::string_view(folded).substr(begin).starts_with("id")) continue;
      begin += 2;
      const auto longest = begin + 6;  // `\": \"`
      while (begin < longest && begin < folded.size() &&
             std::string_view("\"'\\:= ").find(folded[begin]) != std::string_view::npos) {
        ++begin;
      }
      auto end = begin;
      while (end <= begin + kRequestIdCharacters && is_word_at(end)) ++end;
      if (end - begin == kRequestIdCharacters) {
        add(ArtefactKind::request_id, begin, kRequestIdCharacters, text_.substr(begin, kRequestIdCharacters));
      }
    }
  }

  void find_emails() {
    for (auto at = text_.find('@'); at != std::string::npos; at = text_.find('@', at + 1)) {
      auto begin = at;
      while (begin > 0 && at - begin < kLocalPartLimit && is_of_local_part(text_[begin - 1])) --begin;
      while (begin < at && (text_[begin] == '\'' || text_[begin] == '.')) ++begin;
      auto end = at + 1;
      while (end < text_.size() && end - at <= kDomainLimit && is_of_domain(text_[end])) ++end;
      while (end > at + 1 && (text_[end - 1] == '.' || text_[end - 1] == '-')) --end;
      const auto address = EmailAddress::parse(std::string_view(text_).substr(begin, end - begin));
      if (address) add(ArtefactKind::email, begin, end - begin, lower(address->text()));
    }
  }

  void find_networks() {
    for (std::size_t begin = 0; begin < text_.size();) {
      if (!is_of_network(text_[begin])) {
        ++begin;
        continue;
      }
      const auto end = end_of(begin, is_of_network);
      const bool is_whole = (begin == 0 || !is_word_at(begin - 1)) && !is_word_at(end);
      if (is_whole && end - begin <= kNetworkLimit) look_at_network(begin, end);
      begin = end;
    }
  }

  // "192.0.2.7", "192.0.2.7:443", "192.0.2.0/24", "2001:db8::7." and what else surrounds addresses.
  void look_at_network(std::size_t begin, std::size_t end) {
    const auto is_mark = [this](std::size_t at) { return text_[at] == '.' || text_[at] == '/'; };
    while (begin < end && is_mark(begin)) ++begin;
    while (end > begin && is_mark(end - 1)) --end;
    const std::string candidate = text_.substr(begin, end - begin);
    const auto try_address = [&](std::string_view part) {
      const auto address = IpAddress::parse(part);
      if (address) add(ArtefactKind::ip_address, begin, end - begin, address->text());
      return address.has_value();
    };
    if (candidate == "::" || try_address(candidate)) return;
    if (const auto slash = candidate.find('/'); slash != std::string::npos) {
      const auto network = IpNetwork::parse(candidate);
      if (network) {
        add(ArtefactKind::ip_network, begin, end - begin, network->text());
      } else {
        try_address(std::string_view(candidate).substr(0, slash));
      }
      return;
    }
    if (candidate.ends_with(':') && try_address(std::string_view(candidate).substr(0, candidate.size() - 1))) return;
    const auto colon = candidate.find(':');
    if (colon == candidate.rfind(':') && colon != std::string::npos) {
      try_address(std::string_view(candidate).substr(0, colon));
    }
  }

  std::string text_;
  Artefacts found_;
  std::set<std::pair<ArtefactKind, std::string>> seen_;
};

}  // namespace

std::string_view name_of(ArtefactKind kind) {
  switch (kind) {
    case ArtefactKind::access_token:
      return "access-token";
    case ArtefactKind::refresh_token:
      return "refresh-token";
    case ArtefactKind::api_key:
      return "api-key";
    case ArtefactKind::id:
      return "id";
    case ArtefactKind::email:
      return "email";
    case ArtefactKind::ip_address:
      return "ip-address";
    case ArtefactKind::ip_network:
      return "ip-network";
    case ArtefactKind::request_id:
      return "request-id";
  }
  std::unreachable();
}

Artefacts artefacts_in(std::string_view text) {
  Scan scan(text);
  scan.run();
  return scan.take();
}

}  // namespace safawinet
