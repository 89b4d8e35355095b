#include "mail/outbox.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/encoding.hpp"
#include "base/json.hpp"

namespace safawinet {

BOOST_DESCRIBE_STRUCT(Mail, (), (to, subject, text))

namespace {

// How long a mail belongs to the node that is sending it; sending must take less.
constexpr std::chrono::seconds kClaimed{60};
constexpr std::chrono::seconds kFirstRetry{5};
constexpr std::chrono::seconds kLongestRetry{3600};

constexpr sql::Statement kInsert{
    "INSERT INTO mail_outbox (id, sealed, next_attempt_at, created_at) VALUES ($1, $2, $3, $3)"};
constexpr sql::Statement kDue{
    "SELECT id, sealed, attempts, created_at FROM mail_outbox WHERE next_attempt_at <= $1 ORDER BY next_attempt_at "
    "LIMIT 50"};
// Whoever comes second finds that it is no longer due.
constexpr sql::Statement kClaim{"UPDATE mail_outbox SET next_attempt_at = $3 WHERE id = $1 AND next_attempt_at <= $2"};
constexpr sql::Statement kDelete{"DELETE FROM mail_outbox WHERE id = $1"};
constexpr sql::Statement kPostpone{
    "UPDATE mail_outbox SET attempts = attempts + 1, next_attempt_at = $2, last_error = $3 WHERE id = $1"};

std::string purpose_of(const Uuid& id) { return "mail/" + id.text(); }

std::optional<Mail> open_mail(const MasterKey& master_key, const Uuid& id, const std::string& sealed) {
  const auto bytes = from_base64(sealed);
  const auto opened = bytes ? master_key.open(purpose_of(id), *bytes) : std::nullopt;
  if (!opened) return std::nullopt;
  const auto json = parse_json({reinterpret_cast<const char*>(opened->data()), opened->size()});
  if (!json) return std::nullopt;
  auto mail = from_json<Mail>(*json);
  return mail ? std::optional(std::move(*mail)) : std::nullopt;
}

std::chrono::seconds retry_delay(std::int64_t attempts) {
  return std::min(kFirstRetry * (std::int64_t{1} << std::min<std::int64_t>(attempts, 10)), kLongestRetry);
}

}  // namespace

Task<void> Outbox::enqueue(sql::Transaction& transaction, Mail mail) { co_await insert(transaction, std::move(mail)); }

Task<void> Outbox::enqueue_in_vain(sql::Transaction& transaction, Mail mail) {
  const auto id = co_await insert(transaction, std::move(mail));
  co_await transaction.execute(kDelete, id);
}

Task<Uuid> Outbox::insert(sql::Transaction& transaction, Mail mail) {
  const auto now = clock_.now();
  const auto id = Uuid::version7(now, random_);
  const auto plain = to_json(mail);
  const auto sealed = to_base64(master_key_.seal(purpose_of(id), as_bytes(plain)));
  co_await transaction.execute(kInsert, id, sealed, now);
  co_return id;
}

Task<Delivery> MailWorker::deliver_due() {
  Delivery delivery;
  const auto due = co_await database_.read(kDue, clock_.now());
  for (const auto& row : due) {
    const auto id = row.get<Uuid>(0);
    const bool is_ours = co_await claim(id);
    if (!is_ours) continue;
    std::string failure;
    try {
      const auto mail = open_mail(master_key_, id, row.get<std::string>(1));
      if (mail) {
        transport_.send(id, *mail, row.get<Time>(3));
      } else {
        failure = "cannot be opened with this master key";
      }
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) {
      co_await database_.write(kDelete, id);
      ++delivery.sent;
    } else {
      const Time next = clock_.now() + retry_delay(row.get<std::int64_t>(2));
      co_await database_.write(kPostpone, id, next, failure);
      ++delivery.failed;
    }
  }
  co_return delivery;
}

Task<bool> MailWorker::claim(Uuid id) {
  const auto now = clock_.now();
  const Time until = now + kClaimed;
  const auto claimed = co_await database_.write(kClaim, id, now, until);
  co_return claimed.affected == 1;
}

}  // namespace safawinet
