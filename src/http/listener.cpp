#include "http/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace safawinet::http {
namespace {

constexpr int backlog = 4096;  // the kernel lowers it to net.core.somaxconn
constexpr int first_inherited_descriptor = 3;
constexpr int inherited_at_most = 64;

std::string join(const std::string& host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

[[noreturn]] void fail(const std::string& address, int error) {
  std::string text = "cannot listen on " + address + ": ";
  switch (error) {
    case EADDRINUSE:
      text +=
          "another program listens there; stop it, or set another address (SAFAWINET_LISTEN; port 0 takes a free one)";
      break;
    case EACCES:
      text += "not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE, or set a higher port";
      break;
    case EADDRNOTAVAIL:
      text += "this machine has no such address; 0.0.0.0 or :: stand for every address";
      break;
    case EMFILE:
      text += "no file descriptor is left; raise the limit (ulimit -n, LimitNOFILE)";
      break;
    default:
      text += std::generic_category().message(error);
  }
  throw std::runtime_error(text);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error("cannot listen on " + join(host, port) + ": " + ::gai_strerror(error) +
                             "; give an IP address of this machine");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  // A name such as "localhost" may stand for both families: IPv4 is the one that clients try in any case.
  const addrinfo* chosen = found;
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    if (candidate->ai_family == AF_INET) {
      chosen = candidate;
      break;
    }
  }
  Address address;
  std::memcpy(&address.storage, chosen->ai_addr, chosen->ai_addrlen);
  address.size = chosen->ai_addrlen;
  return address;
}

void set_option(int socket, int level, int option, int value) {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

enum class Sharing { alone, with_other_loops };

// A bound socket; closed, with errno set, if it could not be bound.
Descriptor bind_socket(const Address& address, Sharing sharing) {
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return socket;
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (sharing == Sharing::with_other_loops) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.storage.ss_family == AF_INET6) set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(socket.get(), address.get(), address.size) != 0) socket.reset();
  return socket;
}

Address local_address(int socket) {
  Address address;
  address.size = sizeof address.storage;
  if (::getsockname(socket, address.get(), &address.size) != 0) {
    throw std::runtime_error("a listening socket has no address: " + last_error());
  }
  return address;
}

std::uint16_t port_of(const Address& address) {
  // sockaddr_in and sockaddr_in6 have the port in the same place.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

std::string text_of(const Address& address) {
  std::string host(NI_MAXHOST, '\0');
  const auto size = static_cast<socklen_t>(host.size());
  if (::getnameinfo(address.get(), address.size, host.data(), size, nullptr, 0, NI_NUMERICHOST) != 0) return "?";
  host.resize(std::strlen(host.c_str()));
  return join(host, port_of(address));
}

std::optional<long> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  const std::string_view view(text);
  long number = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), number);
  if (error != std::errc{} || end != view.data() + view.size()) {
    throw std::runtime_error(std::string(variable) + " is no number: " + text);
  }
  return number;
}

}  // namespace

ListeningSockets listen_on(const std::string& host, std::uint16_t port, std::size_t loops) {
  Address address = resolve(host, port);
  if (port != 0) {
    // With SO_REUSEPORT the kernel lets a second server of the same user in silently; without it, it does not.
    const Descriptor probe = bind_socket(address, Sharing::alone);
    if (!probe.is_open() || ::listen(probe.get(), 1) != 0) fail(join(host, port), errno);
  }
  ListeningSockets listening;
  while (listening.sockets.size() < loops) {
    Descriptor socket = bind_socket(address, Sharing::with_other_loops);
    if (!socket.is_open() || ::listen(socket.get(), backlog) != 0) fail(join(host, port), errno);
    if (listening.sockets.empty()) address = local_address(socket.get());
    listening.sockets.push_back(std::move(socket));
  }
  listening.port = port_of(address);
  listening.address = text_of(address);
  return listening;
}

ListeningSockets adopt(const std::vector<int>& sockets, std::size_t loops) {
  ListeningSockets listening;
  for (const int inherited : sockets) listening.sockets.emplace_back(inherited);
  for (const Descriptor& socket : listening.sockets) {
    int is_listening = 0;
    socklen_t size = sizeof is_listening;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 || is_listening == 0) {
      throw std::runtime_error("the inherited descriptor " + std::to_string(socket.get()) +
                               " is no listening socket; the supervisor must pass stream sockets (ListenStream=)");
    }
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
  }
  const Address address = local_address(listening.sockets.front().get());
  if (address.storage.ss_family != AF_INET && address.storage.ss_family != AF_INET6) {
    throw std::runtime_error("the inherited socket is no TCP socket; the supervisor must pass TCP sockets");
  }
  const std::size_t inherited = listening.sockets.size();
  while (listening.sockets.size() < loops) {
    const int original = listening.sockets[listening.sockets.size() % inherited].get();
    Descriptor copy(::fcntl(original, F_DUPFD_CLOEXEC, 0));
    if (!copy.is_open()) throw std::runtime_error("cannot share an inherited socket: " + last_error());
    listening.sockets.push_back(std::move(copy));
  }
  listening.port = port_of(address);
  listening.address = text_of(address);
  return listening;
}

std::vector<InheritedSocket> take_inherited_sockets() {
  const auto process = number_in("LISTEN_PID");
  const auto count = number_in("LISTEN_FDS");
  if (!process || !count || *process != static_cast<long>(::getpid())) return {};
  if (*count < 0 || *count > inherited_at_most) {
    throw std::runtime_error("LISTEN_FDS must be a number from 0 to " + std::to_string(inherited_at_most));
  }
  const char* const names_text = std::getenv("LISTEN_FDNAMES");
  std::string_view names = names_text == nullptr ? "" : names_text;
  std::vector<InheritedSocket> sockets;
  for (int index = 0; index < *count; ++index) {
    const std::size_t colon = names.find(':');
    const std::string_view name = names.substr(0, colon);
    const int descriptor = first_inherited_descriptor + index;
    if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
      throw std::runtime_error("LISTEN_FDS counts a descriptor that is not open: " + std::to_string(descriptor));
    }
    sockets.push_back({.descriptor = descriptor, .name = name.empty() ? "unknown" : std::string(name)});
    names.remove_prefix(colon == std::string_view::npos ? names.size() : colon + 1);
  }
  for (const char* const variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(variable);
  return sockets;
}

}  // namespace safawinet::http
