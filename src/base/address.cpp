#include "base/address.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace safawinet {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned mapped_prefix_bits = 96;

bool is_mapped(const std::array<std::uint8_t, 16>& bytes) {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
}

// As written, without folding IPv4-mapped addresses.
std::optional<IpAddress> parse_as_written(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::ranges::copy(text, terminated.begin());
  IpAddress address;
  if (::inet_pton(AF_INET, terminated.data(), address.bytes.data()) == 1) return address;
  address.is_v6 = true;
  if (::inet_pton(AF_INET6, terminated.data(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

IpAddress fold_mapped(const IpAddress& address) {
  if (!address.is_v6 || !is_mapped(address.bytes)) return address;
  IpAddress folded;
  std::copy_n(address.bytes.begin() + mapped_prefix.size(), 4, folded.bytes.begin());
  return folded;
}

void clear_behind(IpAddress& address, unsigned prefix_length) {
  for (std::size_t index = 0; index < address.bytes.size(); ++index) {
    const unsigned first_bit = static_cast<unsigned>(index) * 8;
    if (prefix_length >= first_bit + 8) continue;
    const unsigned kept = prefix_length > first_bit ? prefix_length - first_bit : 0;
    address.bytes[index] = static_cast<std::uint8_t>(address.bytes[index] & (0xff00U >> kept));
  }
}

std::optional<unsigned> parse_prefix_length(std::string_view text, unsigned at_most) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size() || length > at_most) return std::nullopt;
  return length;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const auto written = parse_as_written(text);
  if (!written) return std::nullopt;
  return fold_mapped(*written);
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const char* const written =
      ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), buffer.data(), static_cast<socklen_t>(buffer.size()));
  return written == nullptr ? std::string() : std::string(written);
}

std::string IpAddress::client_network() const {
  const unsigned prefix_length = is_v6 ? 56 : 24;
  IpNetwork network{.base = *this, .prefix_length = prefix_length};
  clear_behind(network.base, prefix_length);
  return network.text();
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto written = parse_as_written(text.substr(0, slash));
  if (!written) return std::nullopt;
  IpNetwork network{.base = fold_mapped(*written), .prefix_length = written->is_v6 ? 128U : 32U};
  if (slash != std::string_view::npos) {
    const auto length = parse_prefix_length(text.substr(slash + 1), network.prefix_length);
    if (!length) return std::nullopt;
    network.prefix_length = *length;
  }
  if (written->is_v6 && !network.base.is_v6) {
    // "::ffff:10.0.0.0/104" is 10.0.0.0/8; a shorter prefix would reach beyond the mapped addresses.
    if (network.prefix_length < mapped_prefix_bits) return std::nullopt;
    network.prefix_length -= mapped_prefix_bits;
  }
  IpAddress cleared = network.base;
  clear_behind(cleared, network.prefix_length);
  if (cleared != network.base) return std::nullopt;
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  if (address.is_v6 != base.is_v6) return false;
  IpAddress cleared = address;
  clear_behind(cleared, prefix_length);
  return cleared == base;
}

std::string IpNetwork::text() const { return base.text() + "/" + std::to_string(prefix_length); }

bool any_contains(const std::vector<IpNetwork>& networks, const IpAddress& address) {
  return std::ranges::any_of(networks, [&address](const IpNetwork& network) { return network.contains(address); });
}

}  // namespace safawinet
