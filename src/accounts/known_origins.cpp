#include "accounts/known_origins.hpp"

#include "base/encoding.hpp"

namespace safawinet {
namespace {

using sql::Statement;

constexpr std::chrono::hours kGranularity{1};  // of last_seen

constexpr Statement kFind{"SELECT 1 FROM known_origins WHERE user_id = $1 AND trait = $2 AND last_seen > $3"};
constexpr Statement kPut{
    "INSERT INTO known_origins (user_id, trait, first_seen, last_seen) VALUES ($1, $2, $3, $3) "
    "ON CONFLICT (user_id, trait) DO UPDATE SET last_seen = excluded.last_seen "
    "WHERE known_origins.last_seen < $4 OR known_origins.last_seen > $3 RETURNING first_seen"};
constexpr Statement kElsewhere{"SELECT 1 FROM known_origins WHERE user_id = $1 AND trait <> $2 LIMIT 1"};
constexpr Statement kKeepNewest{
    "DELETE FROM known_origins WHERE user_id = $1 AND trait IN "
    "(SELECT trait FROM known_origins WHERE user_id = $1 ORDER BY last_seen DESC, trait LIMIT 1000 OFFSET $2)"};
constexpr Statement kForget{"DELETE FROM known_origins WHERE user_id = $1"};
constexpr Statement kSweep{
    "DELETE FROM known_origins WHERE (user_id, trait) IN "
    "(SELECT user_id, trait FROM known_origins WHERE last_seen <= $1 LIMIT 5000)"};

}  // namespace

Task<bool> KnownOrigins::knows(std::optional<UserId> user, std::string network) {
  const auto whose = user.value_or(UserId{});
  const auto trait = trait_of(whose, network);
  const auto rows = co_await database_.read(kFind, whose, trait, clock_.now() - kKnownOriginsForgottenAfter);
  co_return user && !rows.empty();
}

Task<bool> KnownOrigins::remember(sql::Transaction& transaction, UserId user, std::string network) {
  if (network.empty()) co_return false;
  const auto trait = trait_of(user, network);
  const auto now = clock_.now();
  const auto put = co_await transaction.execute(kPut, user, trait, now, now - kGranularity);
  if (put.empty()) co_return false;  // seen a moment ago
  co_await transaction.execute(kKeepNewest, user, kKnownOriginsPerUser);
  if (put.front().get<Time>(0) != now) co_return false;
  const auto elsewhere = co_await transaction.execute(kElsewhere, user, trait);
  co_return !elsewhere.empty();
}

Task<void> KnownOrigins::forget(sql::Transaction& transaction, UserId user) {
  co_await transaction.execute(kForget, user);
}

Task<void> KnownOrigins::sweep() { co_await database_.write(kSweep, clock_.now() - kKnownOriginsForgottenAfter); }

std::string KnownOrigins::trait_of(UserId user, std::string_view network) const {
  const auto text = user.text() + "\n" + std::string(network);
  return to_base64url(key_.sign(as_bytes(text)));
}

}  // namespace safawinet
