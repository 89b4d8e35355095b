#include "config/checks.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <numeric>

#include "base/encoding.hpp"
#include "base/file.hpp"

namespace safawinet::config {
namespace {

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  unsigned bits = 0;  // 32 or 128
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  Address address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
    address.bits = 32;
    return address;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
    address.bits = 128;
    return address;
  }
  return std::nullopt;
}

// Digits only: no sign, no white space, nothing behind.
std::optional<unsigned> parse_digits(std::string_view text, unsigned maximum) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number > maximum) return std::nullopt;
  return number;
}

bool has_bits_behind(const Address& address, unsigned prefix_length) {
  for (unsigned bit = prefix_length; bit < address.bits; ++bit) {
    if ((address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return true;
  }
  return false;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const auto substituted = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
    }
  }
  return row[to.size()];
}

}  // namespace

std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text) {
  const std::string complaint =
      "must be an IP address and a port, such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::1]:8080\"";
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::unexpected(complaint);
  const auto port = parse_digits(text.substr(colon + 1), 65535);
  if (!port) return std::unexpected(complaint);
  auto host = text.substr(0, colon);
  const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (has_brackets) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  const auto address = parse_address(host);
  if (!address || has_brackets != (address->bits == 128)) return std::unexpected(complaint);
  return ListenAddress{.host = std::string(host), .port = static_cast<std::uint16_t>(*port)};
}

Complaint check_origin(std::string_view text) {
  const std::string complaint =
      "must be an origin such as \"https://app.example.com\" (scheme, host in lower case, port)";
  if (text == "*") return "must name each origin: \"*\" would open the API to every web page";
  auto rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return complaint;
  }
  if (rest.find('@') != std::string_view::npos) return "must not contain a user name or a password";
  if (rest.find_first_of("/?#") != std::string_view::npos) return complaint + ": no path, no slash at the end";
  auto host = rest;
  const auto colon = rest.rfind(':');
  const auto bracket = rest.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon)) {
    const auto port = parse_digits(rest.substr(colon + 1), 65535);
    if (!port || *port == 0) return complaint;
    if (*port == (text.starts_with("https://") ? 443U : 80U)) return "must leave out the usual port, as browsers do";
    host = rest.substr(0, colon);
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const auto address = parse_address(host.substr(1, host.size() - 2));
    return address && address->bits == 128 ? Complaint() : complaint;
  }
  return is_host_name(host) ? Complaint() : complaint;
}

Complaint check_network(std::string_view text) {
  const std::string complaint = "must be a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or one address";
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return complaint;
  if (slash == std::string_view::npos) return std::nullopt;
  const auto prefix_length = parse_digits(text.substr(slash + 1), address->bits);
  if (!prefix_length) return complaint;
  if (has_bits_behind(*address, *prefix_length))
    return "must not have bits set behind the prefix, as in \"10.0.0.0/8\"";
  return std::nullopt;
}

Complaint check_postgresql_url(std::string_view text) {
  if (text.starts_with("postgresql://") || text.starts_with("postgres://")) return std::nullopt;
  return "must be a URL such as \"postgresql://user:password@host:5432/safawinet\" (several hosts, with commas, are "
         "tried for the one that takes writes)";
}

Complaint check_email_address(std::string_view text) {
  const auto at = text.rfind('@');
  const bool has_space = text.find_first_of(" \t<>,;\"") != std::string_view::npos;
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size() || text.size() > 254 || has_space) {
    return "must be an e-mail address such as \"admin@example.com\"";
  }
  return std::nullopt;
}

Complaint check_sender(std::string_view text) {
  const auto open = text.find('<');
  if (open == std::string_view::npos) {
    if (!check_email_address(text)) return std::nullopt;
  } else if (text.ends_with('>') && !check_email_address(text.substr(open + 1, text.size() - open - 2))) {
    return std::nullopt;
  }
  return "must be an e-mail address, alone or as in \"Safawinet <accounts@example.com>\"";
}

Complaint check_endpoint(std::string_view text) {
  const auto complaint = check_origin(text);
  return complaint ? Complaint("must be an origin such as \"https://email-gateway.example.com\" (scheme, host, port)")
                   : complaint;
}

Complaint check_host(std::string_view text) {
  if (is_host_name(text) || parse_address(text)) return std::nullopt;
  return "must be the name or the address of a host, without a port";
}

Complaint check_aws_region(std::string_view text) {
  const bool is_region =
      text.size() >= 6 && text.size() <= 30 && text.front() != '-' && text.back() != '-' &&
      std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  return is_region ? Complaint() : "must be a region such as \"eu-central-1\"";
}

Complaint check_sns_topic(std::string_view text) {
  const std::string complaint = "must be the ARN of a topic such as \"arn:aws:sns:eu-central-1:123456789012:bounces\"";
  std::array<std::string_view, 6> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto end = i + 1 == parts.size() ? text.size() : text.find(':');
    if (end == std::string_view::npos) return complaint;
    parts.at(i) = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const bool has_partition = parts[1] == "aws" || parts[1] == "aws-cn" || parts[1] == "aws-us-gov";
  const bool has_account =
      parts[4].size() == 12 && std::ranges::all_of(parts[4], [](char c) { return c >= '0' && c <= '9'; });
  const bool has_name = !parts[5].empty() && parts[5].size() <= 256 && std::ranges::all_of(parts[5], [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  const bool is_topic =
      parts[0] == "arn" && has_partition && parts[2] == "sns" && !check_aws_region(parts[3]) && has_account && has_name;
  return is_topic ? Complaint() : complaint;
}

Complaint check_way_out(std::string_view text) {
  const bool is_one_word = text.find_first_of(" <>\"") == std::string_view::npos;
  const bool is_mail = text.starts_with("mailto:") && !check_email_address(text.substr(7, text.substr(7).find('?')));
  if (is_one_word && (is_mail || text.starts_with("https://"))) return std::nullopt;
  return "must be an address such as \"https://example.com/no-more-mail\" or \"mailto:no-more@example.com\"";
}

Complaint check_readable_file(const std::string& path) {
  if (access(path.c_str(), R_OK) == 0) return std::nullopt;
  return "must be a file that this user may read: " + last_error();
}

std::expected<SecretText, std::string> parse_master_key(std::string_view text) {
  auto bytes = from_base64(text);
  if (!bytes) bytes = from_base64url(text);
  if (!bytes || bytes->size() != 32) {
    return std::unexpected("must be 32 random bytes in base64; `openssl rand -base64 32` makes one");
  }
  return SecretText(std::string(bytes->begin(), bytes->end()));
}

std::string without_credentials(std::string_view text) {
  std::string out(text);
  const auto scheme = out.find("://");
  // Up to the last "@": a password that was not percent-encoded may contain "/" and "@" itself.
  const auto at = out.rfind('@');
  if (scheme != std::string::npos && at != std::string::npos && at > scheme)
    out.replace(scheme + 3, at - scheme - 3, "***");
  constexpr std::string_view parameter = "password=";
  for (auto found = out.find(parameter); found != std::string::npos; found = out.find(parameter, found + 1)) {
    const auto begin = found + parameter.size();
    const auto end = std::min(out.find_first_of("& ", begin), out.size());
    out.replace(begin, end - begin, "***");
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 200;
  const auto clean = without_credentials(text);  // before the cut, which might take away the "@" behind a password
  std::string out = "\"";
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto code = static_cast<unsigned char>(clean[i]);
    const bool starts_character = (code & 0xC0U) != 0x80U;
    if (i >= longest && starts_character) return out + "…\"";
    if (code == '"' || code == '\\') out += '\\';
    out += code < 0x20 || code == 0x7F ? '?' : clean[i];
  }
  return out + '"';
}

std::string_view closest(std::string_view text, std::span<const std::string_view> candidates) {
  constexpr std::size_t longest_input = 100;
  if (text.size() > longest_input) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, text.size() / 3) + 1;
  for (const auto candidate : candidates) {
    const auto distance = edit_distance(text, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace safawinet::config
