// What is asked, and what is made of the answers.
//
// A workload is a list of items (a token, a credential). Item i belongs to the connection i modulo the number of
// connections, and a connection has one request in flight: so no session is ever refreshed twice at once, and each
// refresh uses the token of the last answer. Threading: different items may be used from different threads at once;
// everything else before or after the run.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "load/options.hpp"

namespace safawinet::bench {

class Workload {
 public:
  virtual ~Workload() = default;

  [[nodiscard]] virtual std::size_t size() const = 0;
  // The whole request of one item, as it goes over the wire; valid until the item's next call.
  virtual std::string_view request(std::size_t item) = 0;
  virtual void take_answer(std::size_t item, int status, std::string_view body) = 0;
  // Whether the item can still be used: a session that was refused for good cannot.
  [[nodiscard]] virtual bool is_usable(std::size_t item) const = 0;
  // One line "accessToken<TAB>refreshToken" per living session; a session that was not yet refreshed has no access
  // token.
  [[nodiscard]] virtual std::string tokens() const = 0;
};

// Throws std::runtime_error when the file of items cannot be read or holds what cannot be sent.
std::unique_ptr<Workload> make_workload(const Options& options);

}  // namespace safawinet::bench
