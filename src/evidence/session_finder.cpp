#include "evidence/session_finder.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "access/standing.hpp"

namespace safawinet {
namespace {

Finding begin_finding(const Artefact& artefact, std::string_view state) {
  return {.kind = name_of(artefact.kind), .state = state, .offset = artefact.offset};
}

NamedApiKey to_named(const ApiKeyWithOwner& found) {
  const auto& key = found.key;
  return {.id = key.id,
          .name = key.name,
          .key_start = key.key_start,
          .created_by = key.created_by,
          .owner_role = found.owner_role,
          .created_at = key.created_at,
          .expires_at = key.expires_at,
          .last_used_at = key.last_used_at,
          .last_used_from = key.last_used_from,
          .revoked_at = key.revoked_at};
}

std::string_view state_of(const ApiKeyWithOwner& found, Time now) {
  if (found.key.revoked_at || !found.is_owner_active) return "revoked";
  return found.key.expires_at && *found.key.expires_at <= now ? "expired" : "valid";
}

std::string client_network_of(const NamedSession& session) {
  const auto address = IpAddress::parse(session.device.ip_address);
  return address ? address->client_network() : std::string();
}

// "access-token: 1, email: 2"
std::string kinds_text(const Findings& findings) {
  std::map<std::string_view, int> counts;
  for (const auto& item : findings.items) ++counts[item.kind];
  std::string text;
  for (const auto& [kind, count] : counts) {
    text.append(text.empty() ? "" : ", ").append(kind).append(": ").append(std::to_string(count));
  }
  return text.empty() ? "nothing" : text;
}

// Whom the search was about, where that is one user.
std::string target_of(const Findings& findings) {
  return findings.users.size() == 1 ? target_of(findings.users.front().user.id) : "sessions";
}

}  // namespace

Task<Result<Findings>> SessionFinder::find(FindingRequest request) {
  const auto acting = request.acting;
  const auto origin = request.origin;
  auto looking = look(std::move(request));
  auto findings = co_await boost::asio::co_spawn(parts_.slow_loop, std::move(looking), use_task);
  const auto kinds = kinds_text(findings);
  const auto target = target_of(findings);
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto confirmed = co_await confirm(transaction, acting, Permission::sessions_find, parts_.clock.now());
    if (!confirmed) co_return std::unexpected(confirmed.error());
    AuditEntry entry{.action = "session.find",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = target,
                     .reason = kinds,
                     .origin = origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  auto recording = parts_.database.transact(std::move(body));
  const auto recorded = co_await std::move(recording);
  if (!recorded) co_return std::unexpected(recorded.error());
  co_return std::move(findings);
}

Task<Findings> SessionFinder::look(FindingRequest request) {
  const auto now = parts_.clock.now();
  auto artefacts = artefacts_in(request.text.reveal());
  Findings findings;
  findings.is_cut = artefacts.is_cut;
  for (auto& artefact : artefacts.items) {
    auto finding = co_await identify(std::move(artefact), request.acting, now);
    if (finding.session) {
      finding.network = client_network_of(*finding.session);
      const auto owner = finding.session->user;
      if (!finding.user) finding.user = co_await store_.find_user(parts_.database, owner);
    }
    findings.items.push_back(std::move(finding));
  }
  co_await add_what_is_beside(findings, now);
  co_return findings;
}

Task<Finding> SessionFinder::identify(Artefact artefact, const Operator& acting, Time now) {
  switch (artefact.kind) {
    case ArtefactKind::access_token:
      co_return co_await identify_access_token(std::move(artefact), now);
    case ArtefactKind::refresh_token:
      co_return co_await identify_refresh_token(std::move(artefact), now);
    case ArtefactKind::api_key:
      co_return co_await identify_api_key(std::move(artefact), now);
    case ArtefactKind::id:
      co_return co_await identify_id(std::move(artefact), acting, now);
    case ArtefactKind::email:
      co_return co_await identify_email(std::move(artefact));
    case ArtefactKind::request_id:
      co_return co_await identify_request(std::move(artefact), now);
    case ArtefactKind::ip_address: {
      auto finding = begin_finding(artefact, "unused");
      finding.network = IpAddress::parse(artefact.text).value().client_network();
      co_return finding;
    }
    case ArtefactKind::ip_network: {
      auto finding = begin_finding(artefact, "unused");
      finding.network = artefact.text;
      co_return finding;
    }
  }
  std::unreachable();
}

Task<Finding> SessionFinder::identify_access_token(Artefact artefact, Time now) {
  auto finding = begin_finding(artefact, "not-ours");
  const auto keyring = parts_.keyring.get();
  std::string key_id;
  bool is_distrusted = false;
  const auto find_key = [&](std::string_view id) {
    key_id = id;
    const auto* const former = keyring->find_former_key(id);
    is_distrusted = former != nullptr && former->is_distrusted;
    return former != nullptr ? &former->key : keyring->find_verifying_key(id);
  };
  const AccessExpectations whenever{
      .issuer = parts_.issuer, .audience = parts_.audience, .now = Time(Time::duration::min())};
  const auto claims = verify_access_token(artefact.text, find_key, whenever);
  if (!claims) co_return finding;
  finding.key_id = key_id;
  finding.token_id = claims->token_id;
  finding.issued_at = claims->issued_at;
  finding.expires_at = claims->expires_at;
  finding.session = co_await store_.find_session(parts_.database, claims->session, now);
  finding.user = co_await store_.find_user(parts_.database, claims->subject);
  const bool is_live = finding.session && finding.session->is_live() && finding.user && finding.user->is_active &&
                       claims->token_version >= finding.user->token_version;
  finding.state = is_live ? "valid" : "revoked";
  if (is_distrusted) finding.state = "distrusted";
  if (now >= claims->expires_at) finding.state = "expired";
  co_return finding;
}

Task<Finding> SessionFinder::identify_refresh_token(Artefact artefact, Time now) {
  auto finding = begin_finding(artefact, "not-ours");
  const auto keyring = parts_.keyring.get();
  bool is_former = false;
  bool is_distrusted = false;
  const auto token = parse_refresh_token(artefact.text, [&](std::uint32_t id) {
    const auto* const former = keyring->find_former_mac_key(id);
    is_former = former != nullptr;
    is_distrusted = is_former && former->is_distrusted;
    return is_former ? &former->key : keyring->find_mac_key(id);
  });
  if (!token) co_return finding;
  const auto generation = static_cast<std::int64_t>(token->generation);
  finding.key_id = std::to_string(token->key_id);
  finding.generation = generation;
  finding.state = is_distrusted ? "distrusted" : "revoked";
  finding.session = co_await store_.find_session(parts_.database, token->session, now);
  if (!finding.session) co_return finding;
  const auto owner = finding.session->user;
  finding.user = co_await store_.find_user(parts_.database, owner);
  finding.expires_at = finding.session->expires_at;
  if (finding.session->state == "expired") {
    finding.state = "expired";
  } else if (!is_former && finding.session->is_live() && finding.user && finding.user->is_active) {
    finding.state = generation < finding.session->generation ? "used" : "valid";
  }
  co_return finding;
}

Task<Finding> SessionFinder::identify_api_key(Artefact artefact, Time now) {
  auto finding = begin_finding(artefact, "not-ours");
  const auto found = co_await parts_.api_keys.find(artefact.text);
  if (!found) co_return finding;
  finding.state = state_of(*found, now);
  finding.expires_at = found->key.expires_at;
  finding.api_key = to_named(*found);
  const auto owner = found->key.owner;
  if (owner) finding.user = co_await store_.find_user(parts_.database, *owner);
  co_return finding;
}

Task<Finding> SessionFinder::identify_id(Artefact artefact, const Operator& acting, Time now) {
  auto finding = begin_finding(artefact, "unknown");
  const auto id = Uuid::parse(artefact.text).value();
  const SessionId session_id{id};
  const UserId user_id{id};
  const ApiKeyId key_id{id};
  finding.session = co_await store_.find_session(parts_.database, session_id, now);
  if (finding.session) {
    finding.kind = "session-id";
    finding.state = finding.session->state;
    co_return finding;
  }
  finding.user = co_await store_.find_user(parts_.database, user_id);
  if (finding.user) {
    finding.kind = "user-id";
    finding.state = "known";
    co_return finding;
  }
  if (!acting.may(Permission::api_keys_read)) co_return finding;
  const auto key = co_await parts_.api_keys.get(key_id);
  if (!key) co_return finding;
  finding.kind = "api-key-id";
  finding.state = state_of(*key, now);
  finding.api_key = to_named(*key);
  const auto owner = key->key.owner;
  if (owner) finding.user = co_await store_.find_user(parts_.database, *owner);
  co_return finding;
}

Task<Finding> SessionFinder::identify_email(Artefact artefact) {
  auto finding = begin_finding(artefact, "unknown");
  finding.user = co_await store_.find_user(parts_.database, artefact.text);
  if (finding.user) finding.state = "known";
  co_return finding;
}

// The record names who acted and on whom: a session that it names says more than a user.
Task<Finding> SessionFinder::identify_request(Artefact artefact, Time now) {
  constexpr std::string_view kUser = "user:";
  constexpr std::string_view kSession = "session:";
  auto finding = begin_finding(artefact, "unknown");
  const auto names = co_await store_.find_request(parts_.database, artefact.text);
  if (!names.empty()) finding.state = "known";
  for (const auto& name : names) {
    const std::string_view text = name;
    if (text.starts_with(kSession) && !finding.session) {
      const auto id = SessionId::parse(text.substr(kSession.size()));
      if (id) finding.session = co_await store_.find_session(parts_.database, *id, now);
    } else if (text.starts_with(kUser) && !finding.user) {
      const auto id = UserId::parse(text.substr(kUser.size()));
      if (id) finding.user = co_await store_.find_user(parts_.database, *id);
    }
  }
  if (finding.session && finding.user && finding.session->user != finding.user->id) finding.user.reset();
  co_return finding;
}

Task<void> SessionFinder::add_what_is_beside(Findings& findings, Time now) {
  std::set<UserId> users;
  std::vector<IpNetwork> networks;
  for (const auto& item : findings.items) {
    if (item.user && users.insert(item.user->id).second) {
      BesideUser beside{.user = *item.user, .live = {}, .ended = {}};
      findings.users.push_back(std::move(beside));
    }
    const auto network = IpNetwork::parse(item.network);
    if (network && std::ranges::find(networks, *network) == networks.end()) networks.push_back(*network);
  }
  for (auto& beside : findings.users) {
    const auto id = beside.user.id;
    beside.live = co_await store_.live_sessions(parts_.database, id, now);
    beside.ended = co_await store_.ended_sessions(parts_.database, id);
  }
  auto of_networks = co_await store_.live_sessions(parts_.database, networks, now);
  std::set<std::string> in_use;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    BesideNetwork beside{.network = networks[i].text(), .live = std::move(of_networks[i])};
    if (beside.live.count > 0) in_use.insert(beside.network);
    findings.networks.push_back(std::move(beside));
  }
  for (auto& item : findings.items) {
    const bool is_address = item.kind == "ip-address" || item.kind == "ip-network";
    if (is_address && in_use.contains(item.network)) item.state = "in-use";
  }
}

}  // namespace safawinet
