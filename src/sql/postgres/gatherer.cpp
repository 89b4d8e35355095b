#include "sql/postgres/gatherer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <string>
#include <utility>

#include "sql/postgres/failure.hpp"
#include "sql/postgres/result.hpp"

namespace safawinet::sql {
namespace {

void append_element(std::string& array, const Value& value) {
  const auto text = to_parameter(value);
  if (!text) {
    array += "NULL";
    return;
  }
  array += '"';
  for (const char character : *text) {
    if (character == '"' || character == '\\') array += '\\';
    array += character;
  }
  array += '"';
}

}  // namespace

Task<Rows> Gatherer::run(const Statement& statement, Values values) {
  auto& queue = queues_[statement.gathered];
  queue.alone = statement;
  queue.together = Statement{.text = statement.gathered};
  Rows rows;
  auto start = [this, &queue, &values, &rows](std::unique_ptr<Resumption> waiting) {
    queue.calls.push_back({.values = &values, .rows = &rows, .waiting = std::move(waiting)});
    if (queue.on_their_way == kGatheringsAtOnce) return;
    ++queue.on_their_way;
    boost::asio::co_spawn(loop_, work(queue), boost::asio::detached);
  };
  co_await suspend(std::move(start));
  co_return rows;
}

Task<void> Gatherer::work(Queue& queue) {
  while (!queue.calls.empty()) {
    const auto end = queue.calls.begin() + static_cast<std::ptrdiff_t>(std::min(queue.calls.size(), kGatheredLimit));
    Calls calls(std::make_move_iterator(queue.calls.begin()), std::make_move_iterator(end));
    queue.calls.erase(queue.calls.begin(), end);
    if (calls.size() == 1) {
      co_await run_alone(queue, calls.front());
    } else {
      co_await run_together(queue, calls);
    }
  }
  --queue.on_their_way;
}

std::string Gatherer::to_array(const Calls& calls, std::size_t parameter) {
  std::string array = "{";
  for (const auto& call : calls) {
    if (array.size() > 1) array += ',';
    append_element(array, call.values->at(parameter));
  }
  return array + '}';
}

Task<void> Gatherer::run_together(Queue& queue, Calls& calls) {
  Rows answer;
  std::exception_ptr failure;
  try {
    Values arrays;
    for (std::size_t parameter = 0; parameter < calls.front().values->size(); ++parameter) {
      arrays.emplace_back(to_array(calls, parameter));
    }
    answer = co_await run_(queue.together, std::move(arrays));
  } catch (const std::exception&) {
    failure = std::current_exception();
  }
  if (failure && !is_unavailable(failure)) {
    for (auto& call : calls) co_await run_alone(queue, call);
    co_return;
  }
  for (auto& row : answer.rows) {
    auto& rows = *calls.at(static_cast<std::size_t>(row.get<std::int64_t>(row.size() - 1)) - 1).rows;
    rows.rows.push_back(std::move(row));
    ++rows.affected;
  }
  for (auto& call : calls) call.waiting->resume(failure);
}

Task<void> Gatherer::run_alone(Queue& queue, Call& call) {
  std::exception_ptr failure;
  try {
    *call.rows = co_await run_(queue.alone, std::move(*call.values));
  } catch (const std::exception&) {
    failure = std::current_exception();
  }
  call.waiting->resume(failure);
}

}  // namespace safawinet::sql
