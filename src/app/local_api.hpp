// The API in process, for `--local`: the same routes, checks and records on the configured database, with no socket.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "http/message.hpp"

namespace safawinet::app {

// Threading: made, used and destroyed by one thread.
class LocalApi {
 public:
  // Needs to read the master key and the database, which must have this binary's schema. `account` is who acts, as the
  // operating system knows them: the record says "os:<account>". Throws StartFailure; with the embedded database also
  // while a server runs on it.
  LocalApi(const config::Settings& settings, const std::string& account);
  // What was done is in the chain of the audit log when this ends, if the database lets it within five seconds.
  ~LocalApi();
  LocalApi(const LocalApi&) = delete;
  LocalApi& operator=(const LocalApi&) = delete;

  // `target` is a path with its query. An empty body is none; the key may be empty.
  http::Response answer(http::Method method, std::string_view target, std::string_view body,
                        std::string_view idempotency_key);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace safawinet::app
