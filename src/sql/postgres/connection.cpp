#include "sql/postgres/connection.hpp"

#include <array>
#include <stdexcept>
#include <utility>

#include "sql/postgres/failure.hpp"

namespace safawinet::sql {
namespace {

const char* text_of(const Statement& statement) {
  return statement.postgresql != nullptr ? statement.postgresql : statement.text;
}

std::string last_error(const PGconn* connection) { return without_line_end(PQerrorMessage(connection)); }

std::exception_ptr failure_of(const PGresult& result) {
  const char* sqlstate = PQresultErrorField(&result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(&result, PG_DIAG_MESSAGE_PRIMARY);
  if (sqlstate != nullptr) return to_exception(sqlstate, message != nullptr ? message : "");
  return std::make_exception_ptr(ConnectionLost("database: " + std::string(PQresultErrorMessage(&result))));
}

}  // namespace

PostgresConnection::PostgresConnection(EventLoop& loop, OpenedConnection opened)
    : handle_(std::move(opened.handle)),
      timeline_(opened.timeline),
      socket_(loop.get_executor(), PQsocket(handle_.get())),
      deadline_(loop.get_executor()) {
  // Notices ("terminating connection…") arrive as the connection's end, too.
  PQsetNoticeReceiver(handle_.get(), [](void*, const PGresult*) {}, nullptr);
  if (PQsetnonblocking(handle_.get(), 1) != 0 || PQenterPipelineMode(handle_.get()) == 0) {
    const auto why = last_error(handle_.get());
    socket_.release();
    throw Unavailable("database: " + why);
  }
}

PostgresConnection::~PostgresConnection() {
  // libpq closes the socket, not we.
  if (handle_) socket_.release();
}

void PostgresConnection::start(std::function<void()> on_lost) {
  on_lost_ = std::move(on_lost);
  wait_for_input();
}

Task<Rows> PostgresConnection::execute(const Statement& statement, const Values& values) {
  const std::array one{Step{&statement, &values}};
  const std::span<const Step> steps(one);
  auto answers = co_await execute(steps);
  co_return std::move(answers.front());
}

Task<std::vector<Rows>> PostgresConnection::execute(std::span<const Step> steps) {
  const auto self = shared_from_this();
  std::vector<Rows> answers;
  answers.reserve(steps.size());
  if (!is_open()) throw ConnectionLost("the connection to the database has ended");
  Exchange exchange{.queries = {},
                    .answered = 0,
                    .answers = &answers,
                    .failure = nullptr,
                    .waiting = nullptr,
                    .sent_at = MonotonicClock::now()};
  // What cannot be sent is thrown here: once the coroutine is suspended, nothing may be thrown.
  send(exchange, steps);
  auto start = [this, &exchange](std::unique_ptr<Resumption> waiting) {
    exchange.waiting = std::move(waiting);
    exchanges_.push_back(std::move(exchange));
    flush();
    watch_deadline();
  };
  co_await suspend(std::move(start));
  co_return answers;
}

void PostgresConnection::send(Exchange& exchange, std::span<const Step> steps) {
  using Parameters = std::vector<std::optional<std::string>>;
  // First of all: a value that cannot be sent must not leave half an exchange behind, whose answers would be taken for
  // those of the next.
  std::vector<Parameters> of_steps;
  of_steps.reserve(steps.size());
  for (const auto& step : steps) {
    auto& parameters = of_steps.emplace_back();
    parameters.reserve(step.values->size());
    for (const auto& value : *step.values) parameters.push_back(to_parameter(value));
  }
  std::vector<const char*> pointers;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto* text = text_of(*steps[i].statement);
    if (!prepared_.contains(text)) prepare(*steps[i].statement, exchange);
    pointers.clear();
    for (const auto& parameter : of_steps[i]) pointers.push_back(parameter ? parameter->c_str() : nullptr);
    const auto& name = prepared_.at(text);
    if (PQsendQueryPrepared(handle_.get(), name.c_str(), static_cast<int>(pointers.size()), pointers.data(), nullptr,
                            nullptr, 0) == 0) {
      fail_to_send();
    }
    exchange.queries.push_back(steps[i].statement);
  }
  if (PQpipelineSync(handle_.get()) == 0) fail_to_send();
}

void PostgresConnection::fail_to_send() {
  const auto why = last_error(handle_.get());
  end(why);
  throw ConnectionLost("database: " + why);
}

void PostgresConnection::prepare(const Statement& statement, Exchange& exchange) {
  const auto* text = text_of(statement);
  auto name = "s" + std::to_string(++names_given_);
  if (PQsendPrepare(handle_.get(), name.c_str(), text, 0, nullptr) == 0) fail_to_send();
  prepared_.emplace(text, std::move(name));
  exchange.queries.push_back(nullptr);
}

void PostgresConnection::flush() {
  const int left = PQflush(handle_.get());
  if (left < 0) return lose();
  if (left > 0) wait_for_room();
}

void PostgresConnection::wait_for_input() {
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error || !self->is_open()) return;
                       if (PQconsumeInput(self->handle_.get()) == 0) return self->lose();
                       self->take_answers();
                       if (self->is_open()) self->wait_for_input();
                     });
}

void PostgresConnection::wait_for_room() {
  if (std::exchange(is_waiting_for_room_, true)) return;
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->is_waiting_for_room_ = false;
                       if (!error && self->is_open()) self->flush();
                     });
}

// One timer, set for the oldest exchange.
void PostgresConnection::watch_deadline() {
  if (is_watching_deadline_ || exchanges_.empty()) return;
  is_watching_deadline_ = true;
  const auto left = exchanges_.front().sent_at + kAnswerDeadline - MonotonicClock::now();
  deadline_.expires_after(std::chrono::ceil<std::chrono::milliseconds>(left));
  deadline_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->is_watching_deadline_ = false;
    if (!self->is_open() || self->exchanges_.empty()) return;
    if (MonotonicClock::now() >= self->exchanges_.front().sent_at + kAnswerDeadline) {
      return self->end("the database does not answer");
    }
    self->watch_deadline();
  });
}

void PostgresConnection::take_answers() {
  while (is_open() && !exchanges_.empty() && PQisBusy(handle_.get()) == 0) {
    ResultHandle result(PQgetResult(handle_.get()));
    if (result) {
      take_result(std::move(result));
    } else if (PQstatus(handle_.get()) == CONNECTION_BAD) {
      return lose();
    } else {
      ++exchanges_.front().answered;
    }
  }
  if (!is_open()) return;
  bool is_notified = false;
  while (auto* notification = PQnotifies(handle_.get())) {
    PQfreemem(notification);
    is_notified = true;
  }
  if (is_notified && on_notification_) on_notification_();
  if (PQstatus(handle_.get()) == CONNECTION_BAD) lose();
}

void PostgresConnection::take_result(ResultHandle result) {
  auto& exchange = exchanges_.front();
  switch (PQresultStatus(result.get())) {
    case PGRES_PIPELINE_SYNC:
      return finish_exchange();
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
      try {
        const bool is_query =
            exchange.answered < exchange.queries.size() && exchange.queries[exchange.answered] != nullptr;
        if (is_query) exchange.answers->push_back(to_rows(*result));
      } catch (const std::exception&) {
        exchange.failure = std::current_exception();
      }
      return;
    case PGRES_PIPELINE_ABORTED:
      return;  // an earlier step has failed
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_SINGLE_TUPLE:
      if (!exchange.failure) exchange.failure = failure_of(*result);
      return;
  }
}

void PostgresConnection::finish_exchange() {
  auto exchange = std::move(exchanges_.front());
  exchanges_.pop_front();
  if (exchange.failure) {
    // What was prepared in it may not have been: such names are not used again.
    bool has_prepared = false;
    for (const auto* query : exchange.queries) {
      if (query == nullptr) {
        has_prepared = true;
      } else if (std::exchange(has_prepared, false)) {
        prepared_.erase(text_of(*query));
      }
    }
  }
  exchange.waiting->resume(exchange.failure);
}

void PostgresConnection::close(const std::string& reason) {
  on_lost_ = nullptr;
  end(reason);
}

void PostgresConnection::lose() { end(last_error(handle_.get())); }

void PostgresConnection::end(const std::string& reason) {
  if (!is_open()) return;
  socket_.release();
  handle_.reset();
  deadline_.cancel();
  const auto lost = std::make_exception_ptr(ConnectionLost("database: " + reason));
  for (auto& exchange : std::exchange(exchanges_, {})) exchange.waiting->resume(lost);
  if (auto on_lost = std::exchange(on_lost_, nullptr)) on_lost();
}

}  // namespace safawinet::sql
