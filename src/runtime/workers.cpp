#include "runtime/workers.hpp"

#include <pthread.h>

#include <string>

#include "runtime/scheduling.hpp"

namespace safawinet {

Workers::Workers(unsigned request_loops) {
  for (unsigned i = 0; i < request_loops + 2; ++i) {
    loops_.push_back(std::make_unique<EventLoop>());
    guards_.emplace_back(loops_.back()->get_executor());
  }
}

Workers::~Workers() { stop(); }

std::vector<EventLoop*> Workers::request_loops() const {
  auto loops = all();
  loops.resize(loops.size() - 2);
  return loops;
}

std::vector<EventLoop*> Workers::all() const {
  std::vector<EventLoop*> loops;
  for (const auto& loop : loops_) loops.push_back(loop.get());
  return loops;
}

void Workers::start() {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->restart();  // a loop that ran a task at start was stopped by it
    threads_.emplace_back([loop = loops_[i].get()] {
      prefer_short_slices_on_this_thread();
      loop->run();
    });
    const auto name = i + 1 == loops_.size()   ? std::string("mail")
                      : i + 2 == loops_.size() ? std::string("background")
                                               : "loop-" + std::to_string(i);
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

void Workers::stop() {
  for (const auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace safawinet
