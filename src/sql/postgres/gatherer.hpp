// Makes one statement of many calls of the same: while some are on their way, those that come meanwhile wait, and then
// go together, in one round trip, one transaction and one execution.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/suspend.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"

namespace safawinet::sql {

inline constexpr std::size_t kGatheredLimit = 128;   // calls in one statement
inline constexpr std::size_t kGatheringsAtOnce = 2;  // statements on their way, of one event loop

// Threading: its event loop only.
class Gatherer {
 public:
  // `run` runs one statement by itself.
  using Run = std::function<Task<Rows>(const Statement&, Values)>;
  Gatherer(EventLoop& loop, Run run) : loop_(loop), run_(std::move(run)) {}

  // What the statement answers to these values, whoever else it is run with (see Statement::gathered). What fails
  // together for a reason that lies in one of the calls is tried one by one.
  Task<Rows> run(const Statement& statement, Values values);

 private:
  struct Call {
    Values* values;  // these and the rows are in the frame of the coroutine that waits
    Rows* rows;
    std::unique_ptr<Resumption> waiting;
  };
  using Calls = std::vector<Call>;
  struct Queue {
    Statement alone;
    Statement together;
    std::deque<Call> calls;
    std::size_t on_their_way = 0;
  };

  static std::string to_array(const Calls& calls, std::size_t parameter);
  Task<void> work(Queue& queue);
  Task<void> run_together(Queue& queue, Calls& calls);
  Task<void> run_alone(Queue& queue, Call& call);

  EventLoop& loop_;
  const Run run_;
  std::unordered_map<const char*, Queue> queues_;  // by the address of the text
};

}  // namespace safawinet::sql
