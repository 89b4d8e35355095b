// The retained revocations for those who verify access tokens elsewhere, page by page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/task.hpp"
#include "crypto/digest.hpp"
#include "sessions/revocation_cursor.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/revocation_index.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::size_t kSessionsInRevocation = 1'000;       // at the most, of one item
inline constexpr std::size_t kSessionsInRevocationPage = 20'000;  // no further item is begun beyond

struct RevocationPage {
  struct Item {
    Revocation revocation;
    std::string cursor;  // what follows it
  };
  std::vector<Item> items;
  std::int64_t epoch = 0;  // tokens of an older one are dead, but for sessions that were spared
  std::string next;        // the cursor behind all of them
  bool has_more = false;   // there may be more to read at once
  bool is_reset = false;   // the cursor could not be continued: this begins with the oldest that is retained
};

// Whoever reads page after page, each with the cursor of the one before, gets every revocation that was committed
// before the last reading began, whatever the order of the commits, from whichever node, and as a rule once. What is
// no longer retained concerned tokens that have expired since. Threading: any event loop.
class RevocationPages {
 public:
  RevocationPages(sql::Database& database, const RevocationFeed& feed, const Clock& clock, MacKey key)
      : database_(database), feed_(feed), clock_(clock), key_(std::move(key)) {}

  // Up to `limit` items behind the cursor `after`; none: from the beginning. A cursor that is unknown, too old, or of
  // another history of the database (a restored copy, a standby that took over) begins again, too, and says so. Throws
  // Unavailable, also when this node cannot be sure that its database is the one that everybody writes to.
  Task<RevocationPage> read(std::optional<std::string> after, std::size_t limit);

 private:
  struct Reading;

  Task<Reading> read_behind(const RevocationCursor& cursor);
  [[nodiscard]] bool can_continue(const RevocationCursor& cursor, const Reading& reading) const;

  sql::Database& database_;
  const RevocationFeed& feed_;
  const Clock& clock_;
  MacKey key_;
};

}  // namespace safawinet
