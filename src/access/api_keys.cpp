#include "access/api_keys.hpp"

#include <utility>

#include "access/standing.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kShownCharacters = 10;  // of a key's text

Error field_error(std::string pointer, std::string code, std::string detail) {
  Error error{.code = ErrorCode::invalid_fields};
  error.fields.push_back({std::move(pointer), std::move(code), std::move(detail)});
  return error;
}

std::unexpected<Error> not_authenticated(std::string_view why) {
  return refuse(Error{.code = ErrorCode::unauthenticated, .cause = {std::string(why)}});
}

std::string target_of(ApiKeyId id) { return "api-key:" + id.text(); }

// For the record: what it may do, and where from.
std::string describe(const NewApiKey& wanted) {
  auto text = wanted.name + ": " + to_text(wanted.permissions);
  for (const auto& network : wanted.networks) text += " from " + network.text();
  if (wanted.expires_at) text += " until " + to_rfc3339(*wanted.expires_at);
  return text;
}

}  // namespace

Task<Result<Operator>> ApiKeys::authenticate(std::string_view text, IpAddress client, Origin origin) {
  const auto hash = hash_api_key(text);
  if (!hash) co_return not_authenticated("no API key of ours");
  const auto found = co_await store_.find_by_hash(parts_.database, *hash);
  if (!found) co_return not_authenticated("unknown API key");
  const auto& key = found->key;
  const auto now = parts_.clock.now();
  if (key.revoked_at) co_return not_authenticated("revoked API key");
  if (key.expires_at && *key.expires_at <= now) co_return not_authenticated("expired API key");
  if (!found->is_owner_active) co_return not_authenticated("the owner of the API key is not active");
  if (!key.networks.empty() && !any_contains(key.networks, client)) {
    co_await record_use_from_elsewhere(key, std::move(origin));
    co_return not_authenticated("API key used from a network that is not its own");
  }
  co_await note_use(key, now, origin);
  const auto rank = found->owner_role.value_or(Role::superadmin);
  co_return Operator{.actor = Actor{target_of(key.id)},
                     .rank = rank,
                     .permissions = key.permissions & permissions_of(rank),
                     .user = {},
                     .session = {},
                     .api_key = key.id,
                     .key_owner = key.owner};
}

// It is likely to be stolen. That is written a few times only, however often it is tried.
Task<void> ApiKeys::record_use_from_elsewhere(const ApiKey& key, Origin origin) {
  const auto full = co_await parts_.limits.take(kStrayUsesPerKey, key.id.text());
  if (full) co_return;
  AuditEntry entry{.action = "api-key.refused",
                   .outcome = AuditOutcome::refused,
                   .actor = Actor{target_of(key.id)},
                   .target = target_of(key.id),
                   .reason = "not from a network of the key",
                   .origin = std::move(origin)};
  co_await parts_.audit.record(parts_.database, std::move(entry));
}

Task<void> ApiKeys::note_use(const ApiKey& key, Time now, const Origin& origin) {
  const auto known = now - kLastUseGranularity;
  if (key.last_used_at && *key.last_used_at > known) co_return;
  try {
    co_await store_.note_use(parts_.database, key.id, now, origin.ip_address, known);
  } catch (const Unavailable&) {
    // A database that only reads at the moment still says who may read.
  }
}

Task<Result<CreatedApiKey>> ApiKeys::create(Operator acting, NewApiKey wanted, Origin origin) {
  const auto now = parts_.clock.now();
  if (wanted.permissions.empty()) {
    co_return refuse(field_error("/permissions", "too-short", "a key needs at least one permission"));
  }
  if (wanted.expires_at && *wanted.expires_at <= now) {
    co_return refuse(field_error("/expiresAt", "invalid", "must be in the future"));
  }
  if (acting.api_key) co_return refuse(ErrorCode::forbidden, "An API key makes no API keys.");
  if (const auto allowed = parts_.mode.check_change_of_credentials(now); !allowed) {
    co_return std::unexpected(allowed.error());
  }
  auto text = make_api_key(parts_.random);
  const auto start = std::string(text.text.reveal().substr(0, kShownCharacters));
  ApiKeyWithOwner made{.key = {.id = ApiKeyId::make(parts_.clock, parts_.random),
                               .name = wanted.name,
                               .key_start = start,
                               .owner = acting.user,
                               .created_by = acting.actor.text,
                               .permissions = wanted.permissions,
                               .networks = wanted.networks,
                               .created_at = now,
                               .expires_at = wanted.expires_at,
                               .last_used_at = {},
                               .last_used_from = {},
                               .revoked_at = {}},
                       .owner_role = {},
                       .is_owner_active = true};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<Role>> {
    const auto current = co_await confirm(transaction, acting, Permission::api_keys_write, now);
    if (!current) co_return std::unexpected(current.error());
    for (const auto permission : wanted.permissions.list()) {
      if (current->may(permission)) continue;
      co_return refuse(ErrorCode::forbidden,
                       "You cannot give " + std::string(name_of(permission)) + ", which you do not have yourself.");
    }
    const auto usable = co_await store_.count_usable(transaction, acting.user, now);
    if (usable >= kUsableKeysPerOwner) {
      co_return refuse(ErrorCode::conflict, "There are " + std::to_string(kUsableKeysPerOwner) +
                                                " usable keys of this owner: revoke some first.");
    }
    co_await store_.insert(transaction, made.key, text.hash);
    AuditEntry entry{.action = "api-key.created",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = target_of(made.key.id),
                     .reason = describe(wanted),
                     .origin = origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return current->rank;
  };
  const auto rank = co_await parts_.database.transact(std::move(body));
  if (!rank) co_return std::unexpected(rank.error());
  if (made.key.owner) made.owner_role = *rank;
  CreatedApiKey created{.made = std::move(made), .text = std::move(text.text)};
  co_return created;
}

Task<Status> ApiKeys::revoke(Operator acting, ApiKeyId id, Origin origin) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto current = co_await confirm(transaction, acting, Permission::api_keys_write, now);
    if (!current) co_return std::unexpected(current.error());
    const auto found = co_await store_.lock(transaction, id);
    if (!found) co_return refuse(Error{.code = ErrorCode::not_found, .target = target_of(id)});
    if (!current->may_contain(found->owner_role.value_or(Role::superadmin))) {
      co_return refuse(Error{.code = ErrorCode::forbidden,
                             .detail = {"The owner of this key has a higher role than yours."},
                             .target = target_of(id)});
    }
    const bool is_news = co_await store_.revoke(transaction, id, now);
    if (!is_news) co_return false;
    AuditEntry entry{.action = "api-key.revoked",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = target_of(id),
                     .reason = found->key.name,
                     .origin = origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  const auto revoked = co_await parts_.database.transact(std::move(body));
  if (!revoked) co_return std::unexpected(revoked.error());
  co_return Status{};
}

Task<Result<ApiKeyWithOwner>> ApiKeys::get(ApiKeyId id) {
  auto found = co_await store_.find(parts_.database, id);
  if (!found) co_return refuse(ErrorCode::not_found);
  co_return std::move(*found);
}

Task<std::vector<ApiKeyWithOwner>> ApiKeys::list(std::optional<ApiKeyId> before, std::int64_t limit) {
  co_return co_await store_.list(parts_.database, before, limit);
}

Task<std::optional<ApiKeyWithOwner>> ApiKeys::find(std::string_view text) {
  const auto hash = hash_api_key(text);
  if (!hash) co_return std::nullopt;
  co_return co_await store_.find_by_hash(parts_.database, *hash);
}

}  // namespace safawinet
