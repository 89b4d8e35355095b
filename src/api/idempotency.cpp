#include "api/idempotency.hpp"

#include "base/encoding.hpp"
#include "base/secret.hpp"

namespace safawinet::api {
namespace {

using sql::Statement;

constexpr Statement kFind{
    "SELECT request_hash, status, body FROM idempotent_answers WHERE caller = $1 AND key_hash = $2 AND created_at > "
    "$3"};
constexpr Statement kInsert{
    "INSERT INTO idempotent_answers (caller, key_hash, request_hash, status, body, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (caller, key_hash) DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status, "
    "body = excluded.body, created_at = excluded.created_at"};
constexpr Statement kSweep{
    "DELETE FROM idempotent_answers WHERE (caller, key_hash) IN "
    "(SELECT caller, key_hash FROM idempotent_answers WHERE created_at <= $1 LIMIT 5000)"};

}  // namespace

Task<Result<Idempotency::Claim>> Idempotency::claim(std::string caller, std::string_view key,
                                                    const http::Request& request) {
  if (key.empty() || key.size() > kIdempotencyKeyLimit) {
    co_return refuse(Error{.code = ErrorCode::invalid_fields,
                           .fields = {{"Idempotency-Key", "invalid", "must have 1 to 255 characters"}}});
  }
  auto key_hash = to_hex(key_.sign(as_bytes(key)));
  {
    const std::lock_guard lock(mutex_);
    if (!under_way_.emplace(caller, key_hash).second) {
      co_return refuse(ErrorCode::conflict, "A request with this Idempotency-Key is under way.");
    }
  }
  Claim claim(*this, std::move(caller), std::move(key_hash), mac_of(request));
  const Time oldest = clock_.now() - kIdempotentAnswersKept;
  const auto rows = co_await database_.read(kFind, claim.caller_, claim.key_hash_, oldest);
  if (!rows.empty()) {
    if (rows.front().get<std::string>(0) != claim.request_hash_) {
      co_return refuse(ErrorCode::conflict, "This Idempotency-Key was used with another request.");
    }
    claim.earlier_ = http::Response{.status = static_cast<unsigned>(rows.front().get<std::int64_t>(1)),
                                    .content_type = "application/json",
                                    .body = rows.front().get<std::string>(2)};
  }
  co_return std::move(claim);
}

Task<void> Idempotency::Claim::keep(const http::Response& response) {
  if (response.status >= 300) co_return;
  co_await owner_->database_.write(kInsert, caller_, key_hash_, request_hash_, response.status, response.body,
                                   owner_->clock_.now());
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

void Idempotency::release(const std::string& caller, const std::string& key_hash) {
  const std::lock_guard lock(mutex_);
  under_way_.erase({caller, key_hash});
}

}  // namespace safawinet::api
