#include "api/idempotency.hpp"

#include <cstdint>
#include <exception>
#include <utility>

#include "base/encoding.hpp"
#include "base/secret.hpp"

namespace safawinet::api {
namespace {

using sql::Statement;

// The status of a request that has no answer yet.
constexpr unsigned kUnderWay = 0;
// Between a claim that fails and the look at what stands in its way, that may have gone.
constexpr int kTriesOfClaim = 3;
// What was done must not be done again because a connection broke.
constexpr int kTriesOfKeeping = 2;

// Takes the place of a claim ($5) and of an answer ($6) that are too old to count.
constexpr Statement kClaim{
    "INSERT INTO idempotent_answers (caller, key_hash, request_hash, status, body, created_at) "
    "VALUES ($1, $2, $3, 0, '', $4) "
    "ON CONFLICT (caller, key_hash) DO UPDATE SET request_hash = excluded.request_hash, status = 0, body = '', "
    "created_at = excluded.created_at "
    "WHERE idempotent_answers.created_at <= $6 OR "
    "(idempotent_answers.status = 0 AND idempotent_answers.created_at <= $5) "
    "RETURNING 1"};
constexpr Statement kFind{
    "SELECT request_hash, status, body FROM idempotent_answers WHERE caller = $1 AND key_hash = $2"};
constexpr Statement kKeep{
    "UPDATE idempotent_answers SET status = $4, body = $5, created_at = $6 "
    "WHERE caller = $1 AND key_hash = $2 AND status = 0 AND created_at = $3"};
constexpr Statement kRelease{
    "DELETE FROM idempotent_answers WHERE caller = $1 AND key_hash = $2 AND status = 0 AND created_at = $3"};
// The age is asked again: of what is used anew meanwhile, the new row stays.
constexpr Statement kSweep{
    "DELETE FROM idempotent_answers WHERE created_at <= $1 AND (caller, key_hash) IN "
    "(SELECT caller, key_hash FROM idempotent_answers WHERE created_at <= $1 LIMIT 5000)"};

}  // namespace

Task<Result<Idempotency::Claim>> Idempotency::claim(std::string caller, std::string_view key,
                                                    const http::Request& request) {
  if (key.empty() || key.size() > kIdempotencyKeyLimit) {
    co_return refuse(Error{.code = ErrorCode::invalid_fields,
                           .fields = {{"Idempotency-Key", "invalid", "must have 1 to 255 characters"}}});
  }
  const auto now = clock_.now();
  Claim claim(*this, std::move(caller), to_hex(key_.sign(as_bytes(key))), mac_of(request), now);
  const Time oldest_claim = now - kIdempotencyClaimKept;
  const Time oldest_answer = now - kIdempotentAnswersKept;
  for (int tries = 0; tries < kTriesOfClaim; ++tries) {
    sql::Rows claimed;
    std::exception_ptr failure;
    try {
      claimed = co_await database_.write(kClaim, claim.caller_, claim.key_hash_, claim.request_hash_, now, oldest_claim,
                                         oldest_answer);
    } catch (const Unavailable&) {
      failure = std::current_exception();
    }
    if (failure) {
      co_await claim.release();  // it may have been written all the same
      std::rethrow_exception(failure);
    }
    if (!claimed.empty()) co_return std::move(claim);
    const auto rows = co_await database_.read(kFind, claim.caller_, claim.key_hash_);
    if (rows.empty()) continue;
    const auto& row = rows.front();
    if (row.get<std::string>(0) != claim.request_hash_) {
      co_return refuse(ErrorCode::conflict, "This Idempotency-Key was used with another request.");
    }
    const auto status = static_cast<unsigned>(row.get<std::int64_t>(1));
    if (status == kUnderWay) break;
    claim.earlier_ =
        http::Response{.status = status, .content_type = "application/json", .body = row.get<std::string>(2)};
    co_return std::move(claim);
  }
  co_return refuse(ErrorCode::conflict, "A request with this Idempotency-Key is under way.");
}

Task<void> Idempotency::Claim::settle(const http::Response& response) {
  if (response.status >= 300) {
    co_await release();
    co_return;
  }
  const auto now = owner_->clock_.now();
  for (int tries = 1;; ++tries) {
    try {
      co_await owner_->database_.write(kKeep, caller_, key_hash_, claimed_at_, response.status, response.body, now);
      co_return;
    } catch (const Unavailable&) {
      if (tries == kTriesOfKeeping) throw;
    }
  }
}

Task<void> Idempotency::Claim::release() {
  try {
    co_await owner_->database_.write(kRelease, caller_, key_hash_, claimed_at_);
  } catch (const Unavailable&) {
    // It ends by itself.
  }
}

Task<void> Idempotency::sweep() {
  const Time oldest = clock_.now() - kIdempotentAnswersKept;
  co_await database_.write(kSweep, oldest);
}

std::string Idempotency::mac_of(const http::Request& request) const {
  std::string text(name_of(request.method));
  text.append(" ").append(request.path).append("\n").append(request.body);
  const SecretText wiped(std::move(text));
  return to_hex(key_.sign(as_bytes(wiped.reveal())));
}

}  // namespace safawinet::api
