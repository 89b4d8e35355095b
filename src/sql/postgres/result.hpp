// Values to and from PostgreSQL's text format.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>

#include "sql/value.hpp"

namespace safawinet::sql {

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ResultDeleter>;

// The text that PostgreSQL reads as this value, whatever type it infers for the parameter; none is NULL.
std::optional<std::string> to_parameter(const Value& value);

// Integers and booleans become integers, bytea bytes, timestamptz RFC 3339 text (the session's time zone is UTC), and
// everything else its text.
Rows to_rows(const PGresult& result);

}  // namespace safawinet::sql
