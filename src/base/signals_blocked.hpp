// Signals that wait until something is done.
#pragma once

#include <signal.h>

namespace safawinet {

// Keeps signals from the thread that makes it, and from the threads that this one starts meanwhile; they arrive at its
// end. May be nested: each end brings back what was there at its beginning.
class SignalsBlocked {
 public:
  explicit SignalsBlocked(const sigset_t& signals) { ::pthread_sigmask(SIG_BLOCK, &signals, &before_); }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace safawinet
