// The composition root: everything is made here, from the settings, top to bottom.
#pragma once

#include <memory>

#include "config/settings.hpp"

namespace safawinet::app {

// Threading: made, run and destroyed by one thread, which has SIGINT and SIGTERM blocked (block_signals).
class Application {
 public:
  // Opens and makes everything, and learns all revocations, before it listens. Throws StartFailure.
  explicit Application(const config::Settings& settings);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // Serves until SIGINT or SIGTERM, then drains: readiness goes, listeners close, requests in flight finish. A second
  // signal ends the waiting.
  void run();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// To be called before any thread is made, so that only run() sees the signals. Also ignores SIGPIPE.
void block_signals();

}  // namespace safawinet::app
