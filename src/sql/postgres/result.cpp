#include "sql/postgres/result.hpp"

#include <charconv>
#include <stdexcept>
#include <vector>

namespace safawinet::sql {
namespace {

// Of the types that do not stay text (PostgreSQL's catalogue pg_type).
constexpr Oid kBoolean = 16;
constexpr Oid kBytea = 17;
constexpr Oid kBigint = 20;
constexpr Oid kSmallint = 21;
constexpr Oid kInteger = 23;
constexpr Oid kTimestamptz = 1184;

std::int64_t to_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) throw BadColumn("not a number: " + std::string(text));
  return number;
}

// "2026-11-24 20:25:53.1+00" -> "2026-11-24T20:25:53.1Z"
std::string to_rfc3339_text(std::string_view text) {
  std::string out(text);
  if (out.size() > 10 && out[10] == ' ') out[10] = 'T';
  if (out.ends_with("+00")) out.replace(out.size() - 3, 3, "Z");
  return out;
}

Bytes to_bytes(const char* text) {
  struct Freed {
    void operator()(unsigned char* memory) const { PQfreemem(memory); }
  };
  std::size_t size = 0;
  const std::unique_ptr<unsigned char, Freed> bytes(
      PQunescapeBytea(reinterpret_cast<const unsigned char*>(text), &size));
  if (!bytes) throw BadColumn("not a bytea");
  return {bytes.get(), bytes.get() + size};
}

// Text cannot hold it, and the wire would cut what stands behind it.
std::string without_nul(const std::string& text) {
  if (text.find('\0') != std::string::npos) throw std::invalid_argument("a parameter holds the character NUL");
  return text;
}

Cell to_cell(Oid type, const char* text, std::size_t length) {
  switch (type) {
    case kBoolean:
      return std::int64_t{*text == 't'};
    case kSmallint:
    case kInteger:
    case kBigint:
      return to_integer({text, length});
    case kBytea:
      return to_bytes(text);
    case kTimestamptz:
      return to_rfc3339_text({text, length});
    default:
      return std::string(text, length);
  }
}

}  // namespace

std::optional<std::string> to_parameter(const Value& value) {
  struct {
    std::optional<std::string> operator()(const Null&) const { return std::nullopt; }
    std::optional<std::string> operator()(bool flag) const { return flag ? "true" : "false"; }
    std::optional<std::string> operator()(std::int64_t number) const { return std::to_string(number); }
    std::optional<std::string> operator()(const std::string& text) const { return without_nul(text); }
    std::optional<std::string> operator()(const Bytes& bytes) const { return "\\x" + to_hex(bytes); }
    std::optional<std::string> operator()(Time time) const { return to_rfc3339(time); }
    std::optional<std::string> operator()(const Uuid& id) const { return id.text(); }
  } constexpr convert;
  return std::visit(convert, value);
}

Rows to_rows(const PGresult& result) {
  Rows rows;
  auto* const readable = const_cast<PGresult*>(&result);  // NOLINT(cppcoreguidelines-pro-type-const-cast): only read
  const auto* affected = PQcmdTuples(readable);
  const bool is_select = std::string_view(PQcmdStatus(readable)).starts_with("SELECT");
  if (*affected != '\0' && !is_select) rows.affected = to_integer(affected);
  const int columns = PQnfields(&result);
  const int count = PQntuples(&result);
  rows.rows.reserve(static_cast<std::size_t>(count));
  for (int row = 0; row < count; ++row) {
    std::vector<Cell> cells;
    cells.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(&result, row, column) != 0) {
        cells.emplace_back(Null{});
        continue;
      }
      const auto length = static_cast<std::size_t>(PQgetlength(&result, row, column));
      cells.push_back(to_cell(PQftype(&result, column), PQgetvalue(&result, row, column), length));
    }
    rows.rows.emplace_back(std::move(cells));
  }
  return rows;
}

}  // namespace safawinet::sql
