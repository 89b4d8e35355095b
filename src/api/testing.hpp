// For tests of the API: every route behind the pipeline, on a real database; only the network is missing.
#pragma once

#include <boost/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/openapi.hpp"
#include "api/pipeline.hpp"
#include "api/routes.hpp"
#include "base/json.hpp"
#include "factors/testing.hpp"
#include "keys/testing.hpp"

namespace safawinet::testing {

// A request that owns what http::Request refers to.
struct SentRequest {
  http::Method method = http::Method::get;
  std::string target;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string peer = "192.0.2.8";
  bool is_encrypted = false;

  [[nodiscard]] http::Request view() const {
    http::Request request;
    request.method = method;
    request.target = target;
    const auto question = std::min(target.find('?'), target.size());
    request.path = std::string_view(target).substr(0, question);
    request.query = std::string_view(target).substr(std::min(question + 1, target.size()));
    for (const auto& [name, value] : fields) request.fields.push_back({name, value});
    request.body = body;
    request.peer = IpAddress::parse(peer).value();
    request.is_encrypted = is_encrypted;
    return request;
  }
};

inline SentRequest get(std::string target) { return {.target = std::move(target), .body = {}, .fields = {}}; }
inline SentRequest post(std::string target, std::string json) {
  return {.method = http::Method::post,
          .target = std::move(target),
          .body = std::move(json),
          .fields = {{"Content-Type", "application/json"}}};
}
inline SentRequest post_form(std::string target, std::string form) {
  return {.method = http::Method::post,
          .target = std::move(target),
          .body = std::move(form),
          .fields = {{"Content-Type", "application/x-www-form-urlencoded"}}};
}
inline SentRequest with(SentRequest request, std::string name, std::string value) {
  request.fields.emplace_back(std::move(name), std::move(value));
  return request;
}

// The value of a field of the answer, the shared ones included.
inline std::optional<std::string> field_of(const http::Response& response, std::string_view name) {
  for (const auto& [field, value] : response.fields) {
    if (field == name) return value;
  }
  const auto line = std::string(name) + ": ";
  const auto begin = response.common_fields.find(line);
  if (begin == std::string_view::npos) return std::nullopt;
  const auto value = response.common_fields.substr(begin + line.size());
  return std::string(value.substr(0, value.find("\r\n")));
}

// To be compared with what is in JSON.
inline boost::json::value json_text(std::string_view text) {
  return boost::json::value(boost::json::string_view(text));
}

inline boost::json::object json_of(const http::Response& response) {
  return boost::json::parse(response.body).as_object();
}

struct ApiAtWork : FactorsAtWork {
  explicit ApiAtWork(api::PipelineOptions pipeline_options = {}, std::vector<api::Route> further_routes = {},
                     LogLevel log_level = LogLevel::error)
      : FactorsAtWork(sql::testing::kEngines.front()),
        least_logged(log_level),
        options(std::move(pipeline_options)),
        further(std::move(further_routes)) {}

  http::Response send(const SentRequest& sent) {
    auto request = sent.view();
    return run(pipeline.answer(request));
  }
  http::Response send_as(const LoggedIn& caller, SentRequest sent) {
    return send(with(std::move(sent), "Authorization", "Bearer " + std::string(caller.tokens.access_token.reveal())));
  }
  // A new account of this role, logged in.
  LoggedIn somebody(std::string_view role, std::string_view address) {
    sign_up(address);
    by_hand("UPDATE users SET role = '" + std::string(role) + "' WHERE email = '" + std::string(address) + "'");
    return log_in(address).value();
  }

  std::vector<api::Route> table() {
    auto all = api::routes({.auth = &auth_api,
                            .users = &users_api,
                            .sessions = &sessions_api,
                            .users_admin = &users_admin_api,
                            .forced_logout = &forced_logout_api,
                            .bulk_logouts = &bulk_logout_api,
                            .finding = &find_api,
                            .resource_servers = &resource_servers_api,
                            .audit = &audit_api,
                            .modes = &mode_api,
                            .api_keys = &api_keys_api,
                            .keyring = &keys_api,
                            .under_attack = &under_attack_api,
                            .pages = &pages_api,
                            .open = &public_api,
                            .factors = &factors_api,
                            .email = &email_api,
                            .email_events = &email_events_api});
    all.insert(all.end(), further.begin(), further.end());
    return all;
  }

  // The keys of the database instead of those that sessions have without one. Gives their states.
  std::string publish_stored_keys() {
    auto loaded = run(load_keyring(database, master_key, usual_key_rules(), clock, random));
    keyring.set(loaded.keyring);
    return loaded.states;
  }

  LogLevel least_logged;
  api::PipelineOptions options;
  std::vector<api::Route> further;
  api::ProcessState process;
  Log mail_log{LogLevel::error};
  Readmission readmission{{.database = database,
                           .accounts = accounts,
                           .codes = factor_codes,
                           .audit = audit,
                           .outbox = outbox,
                           .letters = letters,
                           .clock = clock}};
  api::AuthApi auth_api{{.accounts = accounts,
                         .sessions = sessions,
                         .guard = guard,
                         .second_step = second_step,
                         .readmission = readmission,
                         .origins = api::BrowserOrigins({"https://app.example.com", rules.issuer})}};
  Bounces bounces{
      {.database = database, .sessions = sessions, .audit = audit, .log = mail_log, .clock = clock, .random = random},
      BounceRules{}};
  MailDesk mail_desk{{.database = database,
                      .audit = audit,
                      .outbox = outbox,
                      .letters = letters,
                      .master_key = master_key,
                      .clock = clock}};
  ReputationGuard reputation_guard{database, mail_hold, clock, true};
  aws::SnsVerifier sns_verifier{{}, {}, mail_pool, clock};
  api::EmailApi email_api{{.bounces = bounces,
                           .desk = mail_desk,
                           .guard = reputation_guard,
                           .accounts = accounts,
                           .letters = letters,
                           .clock = clock}};
  api::EmailEventsApi email_events_api{{.verifier = sns_verifier, .bounces = bounces, .log = mail_log}};
  api::UsersApi users_api{accounts};
  api::SessionsApi sessions_api{sessions};
  Administration administration{Administration::Parts{.database = database,
                                                      .sessions = sessions,
                                                      .audit = audit,
                                                      .outbox = outbox,
                                                      .letters = letters,
                                                      .clock = clock}};
  Assistance assistance{{.database = database,
                         .accounts = accounts,
                         .sessions = sessions,
                         .attempts = attempts,
                         .limits = limits,
                         .audit = audit,
                         .clock = clock}};
  UserImport user_import{database, audit, mode_in_force, clock, random};
  UserMaking user_making{{.database = database,
                          .accounts = accounts,
                          .passwords = passwords,
                          .audit = audit,
                          .clock = clock,
                          .random = random}};
  api::UsersAdminApi users_admin_api{{.accounts = accounts,
                                      .sessions = sessions,
                                      .administration = administration,
                                      .assistance = assistance,
                                      .making = user_making,
                                      .import = user_import,
                                      .enrolment = enrolment}};
  api::FactorsApi factors_api{enrolment, second_step};
  api::ForcedLogoutApi forced_logout_api{accounts, sessions};
  BulkLogoutService bulk_logouts{{.database = database,
                                  .feed = feed,
                                  .audit = audit,
                                  .clock = clock,
                                  .random = random,
                                  .slow_loop = *loops.front(),
                                  .confirmation_key = MacKey(root.derive("bulk-logout-confirmation"))}};
  api::BulkLogoutApi bulk_logout_api{bulk_logouts};
  RevocationPages revocation_pages{database, feed, clock, MacKey(root.derive("revocation-cursor"))};
  api::ResourceServersApi resource_servers_api{{.guard = guard,
                                                .sessions = sessions,
                                                .pages = revocation_pages,
                                                .feed = feed,
                                                .database = database,
                                                .clock = clock}};
  AuditKeys audit_keys{.entries = MacKey(root.derive("audit")), .chain = MacKey(root.derive("audit-chain"))};
  CheckpointKey checkpoint_key{root.derive("audit-checkpoint")};
  AuditChain audit_chain{{.database = database,
                          .audit = audit,
                          .clock = clock,
                          .slow_loop = *loops.front(),
                          .keys = audit_keys,
                          .checkpoint_key = checkpoint_key}};
  AuditCheckpoints audit_checkpoints{{.chain = audit_chain,
                                      .key = checkpoint_key,
                                      .clock = clock,
                                      .slow_loop = *loops.front(),
                                      .file = "/nowhere/audit-checkpoints.jsonl"}};
  api::AuditApi audit_api{audit_chain, audit_checkpoints, clock};
  ApiKeys api_keys{{.database = database,
                    .audit = audit,
                    .limits = limits,
                    .mode = mode_in_force,
                    .clock = clock,
                    .random = random}};
  SessionFinder session_finder{{.database = database,
                                .keyring = keyring,
                                .api_keys = api_keys,
                                .audit = audit,
                                .clock = clock,
                                .slow_loop = *loops.front(),
                                .issuer = rules.issuer,
                                .audience = rules.audience}};
  api::FindApi find_api{session_finder};
  api::ApiKeysApi api_keys_api{api_keys, clock};
  KeyringWatch keyring_watch{{.database = database,
                              .master_key = master_key,
                              .rules = usual_key_rules(),
                              .clock = clock,
                              .random = random,
                              .published = keyring},
                             publish_stored_keys()};
  KeyService keys{{.database = database,
                   .master_key = master_key,
                   .rules = usual_key_rules(),
                   .watch = keyring_watch,
                   .sessions = sessions,
                   .audit = audit,
                   .clock = clock,
                   .random = random,
                   .slow_loop = *loops.front()}};
  api::KeysApi keys_api{keys, clock};
  api::UnderAttackApi under_attack_api{under_attack};
  ModeSwitch mode_switch{
      {.database = database, .audit = audit, .clock = clock, .in_force = mode_in_force, .on_change = {}}};
  api::ModeApi mode_api{mode_switch, {.access_lifetime = rules.access_lifetime, .refresh_grace = rules.refresh_grace}};
  api::PagesApi pages_api{accounts};
  api::PublicApi public_api{{.database = database,
                             .feed = feed,
                             .keyring = keyring,
                             .limits = limits,
                             .process = process,
                             .mode = mode_in_force,
                             .issuer = rules.issuer,
                             .jwks_url = rules.issuer + "/.well-known/jwks.json",
                             .jwks_max_age = std::chrono::minutes(5),
                             .openapi = "{}",
                             .docs_page = "<!doctype html>"}};
  api::Idempotency idempotency{database, clock, MacKey(root.derive("idempotency"))};
  RequestMetrics request_metrics{api::route_names(table())};
  Log log{least_logged};
  api::Pipeline pipeline{{.guard = guard,
                          .api_keys = api_keys,
                          .attempts = attempts,
                          .limits = limits,
                          .idempotency = idempotency,
                          .audit = audit,
                          .database = database,
                          .metrics = request_metrics,
                          .log = log,
                          .mode = mode_in_force,
                          .clock = clock,
                          .random = random},
                         table(),
                         options};
};

}  // namespace safawinet::testing
