// What goes into a statement and what comes out of it.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/ids.hpp"

namespace safawinet::sql {

using Null = std::monostate;
using Value = std::variant<Null, bool, std::int64_t, std::string, Bytes, Time, Uuid>;
using Values = std::vector<Value>;

// One parameter. Optional things become NULL or their value; ids and times keep their type, so that each engine binds
// them in its own way (SQLite: RFC 3339 text and 36-character ids).
template <class T>
Value to_value(const T& parameter) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, Time> || std::is_same_v<T, Uuid> ||
                std::is_same_v<T, Bytes>) {
    return parameter;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<std::int64_t>(parameter);
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    return std::string(std::string_view(parameter));
  } else if constexpr (requires { parameter.uuid; }) {
    return parameter.uuid;
  } else if constexpr (requires { parameter.has_value(); }) {
    return parameter.has_value() ? to_value(*parameter) : Value(Null{});
  } else {
    static_assert(std::is_same_v<T, std::nullptr_t>, "no SQL type for this parameter");
    return Null{};
  }
}

template <class... Parameters>
Values to_values(const Parameters&... parameters) {
  Values values;
  values.reserve(sizeof...(parameters));
  (values.push_back(to_value(parameters)), ...);
  return values;
}

// A column that cannot be read as what was asked for: a bug in a statement or a damaged database.
class BadColumn : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A cell as the engine returned it, before it is asked for as a type.
using Cell = std::variant<Null, std::int64_t, std::string, Bytes>;

class Row {
 public:
  explicit Row(std::vector<Cell> cells) : cells_(std::move(cells)) {}

  [[nodiscard]] std::size_t size() const { return cells_.size(); }

  // The column must be there and not NULL.
  template <class T>
  [[nodiscard]] T get(std::size_t column) const {
    auto value = find<T>(column);
    if (!value) throw BadColumn("column " + std::to_string(column) + " is NULL or malformed");
    return std::move(*value);
  }

  // The same of text, which the row loses: for lists of very many rows.
  [[nodiscard]] std::string take_text(std::size_t column) {
    auto* const text = std::get_if<std::string>(&cells_.at(column));
    if (text == nullptr) throw BadColumn("column " + std::to_string(column) + " is NULL or malformed");
    return std::move(*text);
  }

  // None when the column is NULL.
  template <class T>
  [[nodiscard]] std::optional<T> find(std::size_t column) const {
    const Cell& cell = cells_.at(column);
    if (std::holds_alternative<Null>(cell)) return std::nullopt;
    if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Bytes> || std::is_same_v<T, std::int64_t>) {
      return std::get<T>(cell);
    } else if constexpr (std::is_same_v<T, bool>) {
      return std::get<std::int64_t>(cell) != 0;
    } else if constexpr (std::is_same_v<T, Time>) {
      const auto& text = std::get<std::string>(cell);
      const auto time = parse_rfc3339(text);
      // As SQLite's datetime('now') writes it, by whoever types SQL: without an offset, and UTC.
      return time ? time : parse_rfc3339(text + 'Z');
    } else {
      return T::parse(std::get<std::string>(cell));
    }
  }

 private:
  std::vector<Cell> cells_;
};

// All rows that a statement gave; statements whose answer could be large carry a LIMIT.
struct Rows {
  std::vector<Row> rows;
  std::int64_t affected = 0;  // rows inserted, updated or deleted by the statement itself, not by its triggers

  [[nodiscard]] bool empty() const { return rows.empty(); }
  [[nodiscard]] std::size_t size() const { return rows.size(); }
  [[nodiscard]] const Row& front() const { return rows.front(); }
  [[nodiscard]] auto begin() const { return rows.begin(); }
  [[nodiscard]] auto end() const { return rows.end(); }
};

}  // namespace safawinet::sql
