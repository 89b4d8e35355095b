// IP addresses and networks of clients.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safawinet {

// An IPv4 or IPv6 address; IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2) are held as IPv4.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // IPv4 in the first four
  bool is_v6 = false;

  static std::optional<IpAddress> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  // The client network by which limits and queues are fair: /24 for IPv4, /56 for IPv6, as "192.0.2.0/24".
  [[nodiscard]] std::string client_network() const;

  auto operator<=>(const IpAddress&) const = default;
};

// A CIDR block such as "10.0.0.0/8" or "2001:db8::/32"; a bare address is a block of one.
struct IpNetwork {
  IpAddress base;
  unsigned prefix_length = 0;

  // None when the text is no CIDR block or has bits set behind the prefix.
  static std::optional<IpNetwork> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] std::string text() const;

  bool operator==(const IpNetwork&) const = default;
};

bool any_contains(const std::vector<IpNetwork>& networks, const IpAddress& address);

}  // namespace safawinet
