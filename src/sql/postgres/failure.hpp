// What PostgreSQL says went wrong, by SQLSTATE (PostgreSQL manual, appendix A).
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "sql/database.hpp"

namespace safawinet::sql {

// The connection is gone. What was sent and not yet answered may or may not have been done.
class ConnectionLost : public Unavailable {
 public:
  using Unavailable::Unavailable;
};

// This server does not take writes (any more): nothing was done, and another one must be looked for.
class NotPrimary : public Unavailable {
 public:
  using Unavailable::Unavailable;
};

// The transaction met another one; all of it may be tried again.
class Conflicted : public Unavailable {
 public:
  using Unavailable::Unavailable;
};

class UniqueViolation : public ConstraintViolation {
 public:
  using ConstraintViolation::ConstraintViolation;
};

// Whether it is one of the above, or another kind of Unavailable.
bool is_unavailable(const std::exception_ptr& failure);

// What libpq says ends with a line end.
std::string without_line_end(std::string message);

// The exception for an error that the server reported. Its text carries the SQLSTATE and is for the log.
std::exception_ptr to_exception(std::string_view sqlstate, std::string_view message);

}  // namespace safawinet::sql
