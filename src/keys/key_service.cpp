#include "keys/key_service.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#include "access/standing.hpp"
#include "crypto/signing_key.hpp"

namespace safawinet {
namespace {

// A former key that seems to have done its work is kept for so long, by a clock that nobody sets: the other one may
// have jumped.
constexpr std::chrono::minutes kRetiredAfter{10};

constexpr sql::Statement kApiKeys{
    "SELECT count(*), min(created_at) FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > "
    "$1)"};
constexpr sql::Statement kFactors{"SELECT count(*), min(created_at) FROM totp_factors"};
constexpr sql::Statement kMasterKey{"SELECT first_used_at FROM master_keys WHERE fingerprint = $1"};
constexpr sql::Statement kRootSecret{"SELECT created_at FROM root_secret"};

std::string key_target(std::string_view id) { return "key:" + std::string(id); }

bool is_in_use(const KeyEntry& key) {
  return key.state == KeyState::next || key.state == KeyState::active || key.state == KeyState::verifying;
}

bool is_done(const std::vector<StoredKey>& keys, std::string_view id, Time now) {
  const auto found = std::ranges::find(keys, id, [](const StoredKey& key) { return key.entry.id; });
  return found != keys.end() && found->entry.state == KeyState::verifying && found->entry.until &&
         *found->entry.until <= now;
}

std::string_view kind_of(KeyPurpose purpose) {
  return purpose == KeyPurpose::signing ? "signing-key" : "refresh-mac-key";
}

std::string_view action_of(KeyState state) {
  switch (state) {
    case KeyState::next:
      return "key.made";
    case KeyState::active:
      return "key.activated";
    case KeyState::verifying:
      return "key.superseded";
    case KeyState::retired:
      return "key.retired";
    case KeyState::compromised:
      return "key.distrusted";
  }
  std::unreachable();
}

}  // namespace

KeyService::KeyService(Parts parts)
    : parts_(std::move(parts)), store_(parts_.master_key), resealing_(parts_.database, parts_.master_key) {}

Task<std::vector<KeyEntry>> KeyService::list() {
  const auto keys = co_await store_.list(parts_.database);
  std::vector<KeyEntry> entries;
  for (const auto& key : keys) entries.push_back(key.entry);
  co_return entries;
}

Task<Result<KeyService::Shown>> KeyService::get(std::string id) {
  const auto keys = co_await store_.list(parts_.database);
  const auto found = std::ranges::find(keys, id, [](const StoredKey& key) { return key.entry.id; });
  if (found == keys.end()) co_return refuse(ErrorCode::not_found);
  Shown shown{.entry = found->entry, .jwk = {}};
  if (found->entry.purpose == KeyPurpose::signing) {
    auto secret = store_.open(*found);
    const auto key = SigningKey::from_pkcs8(secret);
    wipe(secret);
    if (key) shown.jwk = key->verifying_key().jwk();
  }
  co_return shown;
}

Task<Result<KeysRotated>> KeyService::rotate(RotateKeys command) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<KeysRotated>> {
    const auto acting = co_await confirm(transaction, command.acting, Permission::keys_rotate, now);
    if (!acting) co_return std::unexpected(acting.error());
    co_await store_.lock(transaction);
    const auto keys = co_await store_.list(transaction);
    KeyringChange change(keys, parts_.rules, now, parts_.random);
    auto& life = change.of(command.purpose);
    const auto* const active = life.find(KeyState::active);
    const auto was = active == nullptr ? std::string() : active->id;
    if (command.expected && *command.expected != was) {
      co_return refuse(ErrorCode::conflict, "The active key is " + was + ": somebody else has rotated.");
    }
    const auto due_at = life.rotate();
    life.go_on([](const KeyEntry&) { return false; });
    co_await change.write(transaction, store_);
    const auto* const next = life.find(due_at ? KeyState::next : KeyState::active);
    co_await record(transaction, due_at ? "key.rotation-scheduled" : "key.rotated", command.acting.actor,
                    key_target(next->id), command.reason, command.origin);
    KeysRotated rotated{.active = *life.find(KeyState::active), .next = *life.find(KeyState::next), .due_at = due_at};
    co_return rotated;
  };
  auto rotated = co_await parts_.database.transact(std::move(body));
  if (!rotated) co_return std::unexpected(rotated.error());
  co_await be_in_force();
  co_return std::move(*rotated);
}

Task<Result<KeyDistrusted>> KeyService::distrust(DistrustKey command) {
  const auto now = parts_.clock.now();
  const bool ends_sessions = command.extent == DistrustExtent::sessions;
  std::optional<std::int64_t> epoch;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<KeyDistrusted>> {
    epoch.reset();
    const auto acting = co_await confirm(transaction, command.acting, Permission::keys_rotate, now);
    if (!acting) co_return std::unexpected(acting.error());
    if (ends_sessions && !acting->may(Permission::sessions_end_all)) {
      co_return refuse(ErrorCode::forbidden, "You may not end everybody's sessions.");
    }
    co_await store_.lock(transaction);
    const auto keys = co_await store_.list(transaction);
    KeyringChange change(keys, parts_.rules, now, parts_.random);
    auto* const life = change.find_life_of(command.id);
    if (life == nullptr) co_return refuse(Error{.code = ErrorCode::not_found, .target = key_target(command.id)});
    const auto key = *life->find(command.id);
    if (key.purpose == KeyPurpose::refresh_mac && is_in_use(key) && !ends_sessions) {
      Error error{.code = ErrorCode::invalid_fields};
      error.fields.push_back(
          {"/revoke", "sessions-needed",
           "whoever has this key can continue every session, so its sessions have to end: sessions"});
      co_return refuse(std::move(error));
    }
    std::vector<std::string> ids;
    if (key.state != KeyState::compromised) ids.push_back(key.id);
    if (command.extent != DistrustExtent::key && key.purpose == KeyPurpose::signing) {
      for (const auto& other : entries_of(keys, KeyPurpose::signing)) {
        if (other.id != key.id && is_in_use(other)) ids.push_back(other.id);
      }
    }
    for (const auto& id : ids) life->distrust(id);
    life->complete();
    co_await change.write(transaction, store_);
    for (const auto& id : ids) {
      co_await record(transaction, "key.distrusted", command.acting.actor, key_target(id), command.reason,
                      command.origin);
    }
    if (ends_sessions) {
      epoch = co_await parts_.sessions.end_everybodys(transaction, "key-compromised", command.acting.actor);
      co_await record(transaction, "session.force-logout-all", command.acting.actor, "everybody", command.reason,
                      command.origin);
    }
    KeyDistrusted distrusted{.ids = std::move(ids), .active = *life->find(KeyState::active), .sessions = {}};
    co_return distrusted;
  };
  auto distrusted = co_await parts_.database.transact(std::move(body));
  if (!distrusted) co_return std::unexpected(distrusted.error());
  co_await be_in_force();
  if (epoch) distrusted->sessions = co_await parts_.sessions.count_ended_by(*epoch, now);
  co_return std::move(*distrusted);
}

// What is committed stays so, also when this node cannot read it at the moment: the feed and the watch go on trying.
Task<void> KeyService::be_in_force() {
  co_await parts_.sessions.made_known();
  try {
    co_await parts_.watch.look();
  } catch (const Unavailable&) {
    co_return;
  }
}

Task<SecretsInventory> KeyService::inventory() {
  const auto now = parts_.clock.now();
  SecretsInventory inventory;
  const auto master = co_await parts_.database.read(kMasterKey, parts_.master_key.fingerprint());
  inventory.items.push_back({.kind = "master-key",
                             .name = parts_.master_key.fingerprint(),
                             .since = master.empty() ? std::nullopt : master.front().find<Time>(0),
                             .note = "seals what follows"});
  const auto root = co_await parts_.database.read(kRootSecret);
  inventory.items.push_back({.kind = "root-secret",
                             .name = "1",
                             .since = root.empty() ? std::nullopt : root.front().find<Time>(0),
                             .note = "the audit log's MACs and the like are derived from it; stays"});
  const auto keys = co_await store_.list(parts_.database);
  for (const auto& [entry, sealed] : keys) {
    if (!is_in_use(entry)) continue;
    inventory.items.push_back({.kind = std::string(kind_of(entry.purpose)),
                               .name = entry.id,
                               .since = entry.created_at,
                               .note = std::string(name_of(entry.state))});
  }
  for (const auto& fingerprint : parts_.master_key.fingerprints_of_others()) {
    const auto other = co_await parts_.database.read(kMasterKey, fingerprint);
    inventory.items.push_back({.kind = "other-master-key",
                               .name = fingerprint,
                               .since = other.empty() ? std::nullopt : other.front().find<Time>(0),
                               .note = "opens what is not sealed anew yet"});
  }
  const auto factors = co_await parts_.database.read(kFactors);
  inventory.items.push_back({.kind = "second-factors",
                             .name = std::to_string(factors.front().get<std::int64_t>(0)),
                             .since = factors.front().find<Time>(1),
                             .note = "secrets of people's apps; since: the oldest"});
  const auto api_keys = co_await parts_.database.read(kApiKeys, now);
  const auto usable = api_keys.front().get<std::int64_t>(0);
  inventory.items.push_back({.kind = "api-keys",
                             .name = std::to_string(usable),
                             .since = api_keys.front().find<Time>(1),
                             .note = "usable; since: the oldest"});
  // Opens everything that is sealed.
  inventory.sealed_otherwise = co_await boost::asio::co_spawn(parts_.slow_loop, resealing_.count(), use_task);
  co_return inventory;
}

Task<std::vector<KeyEntry>> KeyService::tend() {
  const auto now = parts_.clock.now();
  const auto go_on = [this](KeyringChange& change) {
    if (is_first_round_) change.of(KeyPurpose::signing).demand_algorithm();
    change.go_on([this](const KeyEntry& key) { return may_retire(key); });
  };
  {
    const auto keys = co_await store_.list(parts_.database);
    // A clock that has jumped and returned: what seemed done is not.
    std::erase_if(done_since_, [&](const auto& seen) { return !is_done(keys, seen.first, now); });
    KeyringChange change(keys, parts_.rules, now, parts_.random);
    go_on(change);
    if (change.is_nothing() && !is_first_round_) co_return std::vector<KeyEntry>();
  }
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::vector<KeyEntry>>> {
    co_await store_.lock(transaction);
    const auto keys = co_await store_.list(transaction);
    KeyringChange change(keys, parts_.rules, now, parts_.random);
    go_on(change);
    if (is_first_round_) co_await note_master_key(transaction, now);
    co_await change.write(transaction, store_);
    auto moved = change.moved();
    const Origin nowhere;
    for (const auto& key : moved) {
      const auto target = key_target(key.id);
      co_await record(transaction, action_of(key.state), Actor::system(), target, "", nowhere);
    }
    co_return moved;
  };
  auto moved = co_await parts_.database.transact(std::move(body));
  is_first_round_ = false;
  co_return std::move(moved.value());
}

Task<void> KeyService::note_master_key(sql::Transaction& transaction, Time now) {
  const bool is_new = co_await store_.note_master_key(transaction, now);
  if (!is_new) co_return;
  const Origin nowhere;
  const auto target = "master-key:" + parts_.master_key.fingerprint();
  co_await record(transaction, "master-key.introduced", Actor::system(), target, "", nowhere);
}

Task<Resealed> KeyService::reseal() {
  if (!parts_.master_key.has_others()) co_return Resealed{};
  co_return co_await resealing_.round();
}

bool KeyService::may_retire(const KeyEntry& key) {
  const auto now = parts_.clock.monotonic();
  return now - done_since_.try_emplace(key.id, now).first->second >= kRetiredAfter;
}

Task<void> KeyService::record(sql::Transaction& transaction, std::string_view action, Actor actor, std::string target,
                              std::string reason, Origin origin) {
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::done,
                   .actor = std::move(actor),
                   .target = std::move(target),
                   .reason = std::move(reason),
                   .origin = std::move(origin)};
  co_await parts_.audit.record(transaction, std::move(entry));
}

}  // namespace safawinet
