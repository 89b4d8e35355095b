// Where AWS credentials come from, as Amazon's own tools look for them: the environment, the container's endpoint (ECS,
// EKS), the machine's metadata service (EC2, IMDSv2 alone).
#pragma once

#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

#include "aws/sigv4.hpp"
#include "base/clock.hpp"
#include "fetch/fetch.hpp"

namespace safawinet::aws {

// Nobody gives credentials. `what()` names the places that were asked.
class NoCredentials : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Threading: any thread; one asks while the others wait. It blocks: not for an event loop.
class CredentialSource {
 public:
  // The value of an environment variable; empty if it is not set.
  using Environment = std::function<std::string(const char* name)>;

  // `has_to_stop` is asked now and then while an endpoint is.
  CredentialSource(Environment environment, const Clock& clock, std::function<bool()> has_to_stop = {});

  // Those that were found last, until five minutes before they expire. Throws NoCredentials, FetchFailed; what failed
  // is not tried again for five seconds.
  Credentials get();
  // Asks again the next time: they were refused.
  void forget();

 private:
  Credentials find();
  std::optional<Credentials> of_environment();
  std::optional<Credentials> of_container();
  std::optional<Credentials> of_machine();
  [[nodiscard]] std::string metadata_endpoint() const;

  Environment environment_;
  const Clock& clock_;
  std::mutex mutex_;
  Fetcher fetcher_;
  std::optional<Credentials> found_;
  std::exception_ptr failure_;  // of the last try; none: it found some
  MonotonicTime failed_at_{};
};

}  // namespace safawinet::aws
