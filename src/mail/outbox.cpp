#include "mail/outbox.hpp"

#include <boost/describe/class.hpp>

#include <utility>

#include "base/encoding.hpp"
#include "base/json.hpp"

namespace safawinet {
namespace {

// Mails of former versions have neither kind nor HTML.
struct SealedMail {
  std::string to;
  std::string subject;
  std::string text;
  std::optional<std::string> html;
  std::optional<std::string> kind;
  std::optional<UserId> user;
};
BOOST_DESCRIBE_STRUCT(SealedMail, (), (to, subject, text, html, kind, user))

constexpr sql::Statement kInsert{
    "INSERT INTO mail_outbox (id, sealed, kind, priority, user_id, next_attempt_at, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $6)"};
constexpr sql::Statement kDelete{"DELETE FROM mail_outbox WHERE id = $1"};

std::string purpose_of(const Uuid& id) { return "mail/" + id.text(); }

}  // namespace

Task<Uuid> Outbox::enqueue(sql::Transaction& transaction, Mail mail) {
  const auto now = clock_.now();
  const auto id = Uuid::version7(now, random_);
  const auto kind = name_of(mail.kind);
  const auto priority = static_cast<std::int64_t>(priority_of(mail.kind));
  const auto user = mail.user;
  const SealedMail content{.to = std::move(mail.to),
                           .subject = std::move(mail.subject),
                           .text = std::move(mail.text),
                           .html = std::move(mail.html),
                           .kind = std::string(kind),
                           .user = user};
  const auto plain = to_json(content);
  const auto sealed = to_base64(master_key_.seal(purpose_of(id), as_bytes(plain)));
  co_await transaction.execute(kInsert, id, sealed, kind, priority, user, now);
  co_return id;
}

Task<void> Outbox::enqueue_in_vain(sql::Transaction& transaction, Mail mail) {
  const auto id = co_await enqueue(transaction, std::move(mail));
  co_await transaction.execute(kDelete, id);
}

std::optional<Mail> open_mail(const MasterKey& master_key, const Uuid& id, const std::string& sealed) {
  const auto bytes = from_base64(sealed);
  const auto opened = bytes ? master_key.open(purpose_of(id), *bytes) : std::nullopt;
  if (!opened) return std::nullopt;
  const auto json = parse_json({reinterpret_cast<const char*>(opened->data()), opened->size()});
  if (!json) return std::nullopt;
  auto content = from_json<SealedMail>(*json);
  if (!content) return std::nullopt;
  const auto kind = content->kind ? parse_mail_kind(*content->kind) : std::nullopt;
  // One of a former version, all of whose mails were such.
  constexpr auto kFormer = MailKind::reset_password;
  return Mail{.to = std::move(content->to),
              .kind = kind.value_or(kFormer),
              .user = content->user,
              .subject = std::move(content->subject),
              .text = std::move(content->text),
              .html = std::move(content->html).value_or("")};
}

}  // namespace safawinet
