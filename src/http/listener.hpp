// Listening sockets: opened here, or inherited from a supervisor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace safawinet::http {

struct ListeningSockets {
  std::vector<Descriptor> sockets;  // at least one for each loop; socket i belongs to loop i modulo the number of loops
  std::uint16_t port = 0;
  std::string address;  // "127.0.0.1:8080"
};

// Opens one socket for each of `loops` on the same address with SO_REUSEPORT. Throws std::runtime_error that says what
// to change; an address on which another program listens is refused even if that program would share it.
ListeningSockets listen_on(const std::string& host, std::uint16_t port, std::size_t loops);

// Takes over listening sockets. Where there are fewer than loops, several loops share one.
ListeningSockets adopt(const std::vector<int>& sockets, std::size_t loops);

// A socket that was passed to this process as systemd does it (sd_listen_fds(3)): LISTEN_PID is our process, LISTEN_FDS
// their number, LISTEN_FDNAMES their names, separated by colons.
struct InheritedSocket {
  int descriptor = -1;
  std::string name;  // "unknown" where none was given
};

// The sockets that were passed to us; none if LISTEN_PID names another process. They are marked close-on-exec, and the
// variables are removed, so that no child process takes them for its own. Call once, before other threads run. Throws
// std::runtime_error when the variables make no sense.
std::vector<InheritedSocket> take_inherited_sockets();

}  // namespace safawinet::http
