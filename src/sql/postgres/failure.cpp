#include "sql/postgres/failure.hpp"

#include <stdexcept>

namespace safawinet::sql {
namespace {

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> candidates) {
  for (const auto candidate : candidates) {
    if (text == candidate) return true;
  }
  return false;
}

// The server, not the statement, is the trouble: resources (53), operator intervention (57), system errors (58),
// internal errors (XX), a lock that was not to be had in time (55P03).
bool is_trouble_of_the_server(std::string_view sqlstate) {
  const auto group = sqlstate.substr(0, 2);
  return is_any_of(group, {"08", "53", "57", "58", "XX"}) || sqlstate == "55P03";
}

}  // namespace

bool is_unavailable(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Unavailable&) {
    return true;
  } catch (...) {
    return false;
  }
}

std::string without_line_end(std::string message) {
  while (message.ends_with('\n')) message.pop_back();
  return message;
}

std::exception_ptr to_exception(std::string_view sqlstate, std::string_view message) {
  auto text = "database: " + without_line_end(std::string(message));
  text += " (SQLSTATE " + std::string(sqlstate) + ")";
  if (is_any_of(sqlstate, {"40001", "40P01"})) return std::make_exception_ptr(Conflicted(text));
  if (sqlstate == "23505") return std::make_exception_ptr(UniqueViolation(text));
  if (sqlstate.starts_with("23")) return std::make_exception_ptr(ConstraintViolation(text));
  // A standby, or a primary that was made read-only; a plan that no longer fits a migrated table is prepared anew.
  if (is_any_of(sqlstate, {"25006", "0A000"})) return std::make_exception_ptr(NotPrimary(text));
  // The backend ends itself after these.
  if (is_any_of(sqlstate, {"57P01", "57P02", "57P03", "57P05", "25P03"})) {
    return std::make_exception_ptr(ConnectionLost(text));
  }
  if (is_trouble_of_the_server(sqlstate)) return std::make_exception_ptr(Unavailable(text));
  return std::make_exception_ptr(std::runtime_error(text));
}

}  // namespace safawinet::sql
