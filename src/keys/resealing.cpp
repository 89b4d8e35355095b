#include "keys/resealing.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

using sql::Statement;

// One column. `page`: the place of a value, what it is sealed for, and the value, of some places behind $1. `replace`:
// at the place $1 the value $2, if it is still there, by $3.
constexpr std::string_view kBeforeEveryId = "00000000-0000-0000-0000-000000000000";

struct SealedColumn {
  std::string_view before_first;  // place
  Statement page;
  Statement replace;
};

constexpr std::array<SealedColumn, 4> kColumns{{
    {.before_first = "",
     .page = {"SELECT id, 'key/' || purpose || '/' || id, sealed FROM keys WHERE id > $1 ORDER BY id LIMIT 100"},
     .replace = {"UPDATE keys SET sealed = $3 WHERE id = $1 AND sealed = $2"}},
    {.before_first = "",
     .page = {"SELECT 'root', 'root-secret', sealed FROM root_secret WHERE $1 = ''"},
     .replace = {"UPDATE root_secret SET sealed = $3 WHERE sealed = $2 AND $1 = 'root'"}},
    {.before_first = kBeforeEveryId,
     .page =
         {"SELECT user_id, 'totp-secret/' || user_id, sealed FROM totp_factors WHERE user_id > $1 ORDER BY user_id "
          "LIMIT 100",
          "SELECT user_id::text, 'totp-secret/' || user_id::text, sealed FROM totp_factors WHERE user_id > $1::uuid "
          "ORDER BY user_id LIMIT 100"},
     .replace = {"UPDATE totp_factors SET sealed = $3 WHERE user_id = $1 AND sealed = $2",
                 "UPDATE totp_factors SET sealed = $3 WHERE user_id = $1::uuid AND sealed = $2"}},
    {.before_first = kBeforeEveryId,
     .page = {"SELECT id, 'mail/' || id, sealed FROM mail_outbox WHERE id > $1 ORDER BY id LIMIT 100",
              "SELECT id::text, 'mail/' || id::text, sealed FROM mail_outbox WHERE id > $1::uuid ORDER BY id "
              "LIMIT 100"},
     .replace = {"UPDATE mail_outbox SET sealed = $3 WHERE id = $1 AND sealed = $2",
                 "UPDATE mail_outbox SET sealed = $3 WHERE id = $1::uuid AND sealed = $2"}},
}};

struct SealedValue {
  std::string place;
  std::string purpose;
  std::string sealed;
};

Task<std::vector<SealedValue>> read_page(sql::Database& database, const SealedColumn& column, std::string after) {
  const auto rows = co_await database.read(column.page, after);
  std::vector<SealedValue> values;
  for (const auto& row : rows) {
    values.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<std::string>(2)});
  }
  co_return values;
}

bool opens_alone(const MasterKey& master_key, const SealedValue& value) {
  const auto bytes = from_base64(value.sealed);
  return bytes && master_key.opens_alone(value.purpose, *bytes);
}

// None if no key opens it.
std::optional<std::string> sealed_anew(const MasterKey& master_key, const SealedValue& value) {
  const auto bytes = from_base64(value.sealed);
  auto opened = bytes ? master_key.open(value.purpose, *bytes) : std::nullopt;
  if (!opened) return std::nullopt;
  auto sealed = to_base64(master_key.seal(value.purpose, *opened));
  wipe(*opened);
  return sealed;
}

}  // namespace

Task<Resealed> Resealing::round() {
  Resealed resealed;
  for (const auto& column : kColumns) {
    std::string after(column.before_first);
    for (;;) {
      const auto values = co_await read_page(database_, column, after);
      if (values.empty()) break;
      after = values.back().place;
      for (const auto& value : values) {
        if (opens_alone(master_key_, value)) continue;
        const auto anew = sealed_anew(master_key_, value);
        if (!anew) {
          ++resealed.unreadable;
          continue;
        }
        const auto written = co_await database_.write(column.replace, value.place, value.sealed, *anew);
        resealed.values += written.affected;
      }
    }
  }
  co_return resealed;
}

Task<std::int64_t> Resealing::count() {
  std::int64_t count = 0;
  for (const auto& column : kColumns) {
    std::string after(column.before_first);
    for (;;) {
      const auto values = co_await read_page(database_, column, after);
      if (values.empty()) break;
      after = values.back().place;
      for (const auto& value : values) count += opens_alone(master_key_, value) ? 0 : 1;
    }
  }
  co_return count;
}

}  // namespace safawinet
