#include "api/routes.hpp"

namespace safawinet::api {

using enum Permission;
using enum RateClass;
using enum IdempotencyKey;
using enum http::Method;

namespace {
constexpr auto anyone = kForEverybody;
constexpr auto user = kForUsers;
constexpr auto guarded = kForUsersGuarded;
}  // namespace

// clang-format off
std::vector<Route> routes(const Apis& apis) {
  const auto& [auth, users, sessions, users_admin, forced, bulk, finding, resource_servers, audit, modes, keys, keyring, attack, pages, everybody, factors, email, email_events] = apis;
  return {
      // Accounts
      {post, "/v1/auth/register", anyone, registration, honoured, "Sign up; the address is proved by mail", bind(auth, &AuthApi::register_user)},
      {post, "/v1/auth/verify-email", anyone, write, ignored, "Prove an address with the token of a mail", bind(auth, &AuthApi::verify_email)},
      {post, "/v1/auth/resend-verification", anyone, mail, ignored, "Mail the verification again", bind(auth, &AuthApi::resend_verification)},
      {post, "/v1/auth/forgot-password", anyone, mail, ignored, "Mail a link to choose a new password", bind(auth, &AuthApi::forgot_password)},
      {post, "/v1/auth/reset-password", anyone, login, ignored, "Choose a new password; ends all sessions", bind(auth, &AuthApi::reset_password)},
      {get, "/v1/users/me", user, read, ignored, "One's own account", bind(users, &UsersApi::get_me)},
      {patch, "/v1/users/me", user, write, ignored, "Change name or locale", bind(users, &UsersApi::patch_me)},
      {delete_, "/v1/users/me", guarded, login, ignored, "Delete one's own account", bind(users, &UsersApi::delete_me)},
      {post, "/v1/users/me/change-password", guarded, login, ignored, "Change the password; ends the other sessions", bind(users, &UsersApi::change_password)},
      {post, "/v1/users/me/change-email", guarded, mail, ignored, "Ask for another address, which is then proved by mail", bind(users, &UsersApi::change_email)},

      // Second factors
      {get, "/v1/users/me/factors", user, read, ignored, "One's own second factor", bind(factors, &FactorsApi::get)},
      {post, "/v1/users/me/factors/totp", guarded, login, ignored, "Ask for the secret of an authenticator app", bind(factors, &FactorsApi::offer_totp)},
      {post, "/v1/users/me/factors/totp/confirm", user, login, ignored, "Have its codes asked for; ends the other sessions", bind(factors, &FactorsApi::confirm_totp)},
      {delete_, "/v1/users/me/factors/totp", user, login, ignored, "Remove it, with the backup codes; ends the other sessions", bind(factors, &FactorsApi::remove_totp)},
      {post, "/v1/users/me/factors/backup-codes", user, login, ignored, "Make new backup codes; ends the other sessions", bind(factors, &FactorsApi::renew_backup_codes)},

      // Sessions
      {post, "/v1/auth/login", anyone, login, ignored, "Log in", bind(auth, &AuthApi::log_in), RefreshCookie::set},
      {post, "/v1/auth/login/second-factor", anyone, login, ignored, "The second step of a login, with the ticket of the first", bind(auth, &AuthApi::log_in_with_code), RefreshCookie::set},
      {post, "/v1/auth/new-address", anyone, mail, ignored, "Give another address for an account that is held because its mails bounce", bind(auth, &AuthApi::give_new_address)},
      {post, "/v1/auth/step-up", user, login, ignored, "Prove again that it is oneself, for what asks for that", bind(factors, &FactorsApi::step_up)},
      {post, "/v1/auth/refresh", anyone, refresh, ignored, "Exchange a refresh token for its successor", bind(auth, &AuthApi::refresh), RefreshCookie::used},
      {post, "/v1/auth/logout", anyone, write, ignored, "End this session, by refresh token or by Bearer", bind(auth, &AuthApi::log_out), RefreshCookie::used},
      {get, "/v1/sessions", user, read, ignored, "One's own devices", bind(sessions, &SessionsApi::list)},
      {post, "/v1/sessions/end-others", user, write, ignored, "End all sessions but this one", bind(sessions, &SessionsApi::end_others)},
      {delete_, "/v1/sessions/{id}", user, write, ignored, "End one session", bind(sessions, &SessionsApi::end_one)},

      // Forced logout
      {post, "/v1/auth/force-logout", sessions_end, operator_, honoured, "End all sessions of one user", bind(forced, &ForcedLogoutApi::force_logout)},
      {post, "/v1/auth/force-logout-all", sessions_end_all, operator_, honoured, "End everybody's sessions", bind(forced, &ForcedLogoutApi::force_logout_all)},
      {post, "/v1/auth/force-logout-bulk", sessions_end_bulk, operator_, honoured, "Preview, then end the sessions that match criteria", bind(bulk, &BulkLogoutApi::preview_or_order)},
      {get, "/v1/auth/force-logout-bulk", sessions_end_bulk, read, ignored, "Forced logouts by criteria that were ordered", bind(bulk, &BulkLogoutApi::list)},
      {get, "/v1/auth/force-logout-bulk/{id}", sessions_end_bulk, read, ignored, "How far one of them is", bind(bulk, &BulkLogoutApi::get)},

      // Administration
      {get, "/v1/admin/users", users_read, read, ignored, "Find users", bind(users_admin, &UsersAdminApi::list_users)},
      {post, "/v1/admin/users", lately(users_write), operator_, honoured, "Make an account", bind(users_admin, &UsersAdminApi::create)},
      {get, "/v1/admin/users/export", lately(users_export), read, ignored, "All users, in the order of their ids", bind(users_admin, &UsersAdminApi::export_users)},
      {post, "/v1/admin/users/import", lately(users_import), operator_, ignored, "Bring users in from another system, many at a time", bind(users_admin, &UsersAdminApi::import_users)},
      {get, "/v1/admin/users/{id}", users_read, read, ignored, "One user", bind(users_admin, &UsersAdminApi::get_user)},
      {get, "/v1/admin/users/{id}/sessions", sessions_read, read, ignored, "The sessions of one user", bind(users_admin, &UsersAdminApi::list_sessions_of)},
      {post, "/v1/admin/users/{id}/disable", users_write, operator_, honoured, "Keep a user out, and end all sessions", bind(users_admin, &UsersAdminApi::disable)},
      {post, "/v1/admin/users/{id}/enable", lately(users_write), operator_, honoured, "Let a user in again", bind(users_admin, &UsersAdminApi::enable)},
      {post, "/v1/admin/users/{id}/role", lately(roles_write), operator_, honoured, "Give a user another role", bind(users_admin, &UsersAdminApi::change_role)},
      {delete_, "/v1/admin/users/{id}", lately(users_delete), operator_, ignored, "Delete a user, with all that is kept of them", bind(users_admin, &UsersAdminApi::delete_user)},
      {post, "/v1/admin/users/{id}/send-reset", users_assist, mail, honoured, "Mail a user a link to choose a new password", bind(users_admin, &UsersAdminApi::send_reset)},
      {post, "/v1/admin/users/{id}/unlock", users_assist, operator_, honoured, "Forget a user's wrong passwords", bind(users_admin, &UsersAdminApi::unlock)},
      {post, "/v1/admin/users/{id}/verify", lately(users_write), operator_, honoured, "Take a user's address as proved", bind(users_admin, &UsersAdminApi::verify)},
      {delete_, "/v1/admin/users/{id}/factors", lately(factors_reset), operator_, ignored, "Take away the second factor of a user who has lost it", bind(factors, &FactorsApi::reset)},
      {delete_, "/v1/admin/users/{id}/sessions/{sessionId}", sessions_end, operator_, ignored, "End one session of a user", bind(users_admin, &UsersAdminApi::end_session)},
      {post, "/v1/admin/sessions/find", sessions_find, operator_, ignored, "Whose session a leaked token, cookie, key, log line, address or network names", bind(finding, &FindApi::find)},
      {post, "/v1/admin/invitations", lately(users_write), mail, honoured, "Mail an invitation to sign up", bind(users_admin, &UsersAdminApi::invite)},

      // For services that are given access tokens
      {post, "/v1/auth/introspect", tokens_introspect, read, ignored, "Whether a token is good, and whose it is (RFC 7662)", introspection_endpoint(resource_servers)},
      {get, "/v1/revocations", revocations_read, read, ignored, "What was revoked, to read on from; or as server-sent events", revocations_endpoint(resource_servers)},

      // Audit
      {get, "/v1/audit", audit_read, read, ignored, "The record of who did what, newest first", bind(audit, &AuditApi::list)},
      {get, "/v1/audit/export", lately(audit_read), read, ignored, "The same in the order of its chain, without gaps", bind(audit, &AuditApi::export_entries)},
      {post, "/v1/audit/verify", audit_read, operator_, ignored, "Whether anybody has altered it", bind(audit, &AuditApi::verify)},
      {post, "/v1/audit/erase", lately(audit_erase), operator_, honoured, "Erase what is personal in the entries that name a user", bind(audit, &AuditApi::erase)},

      // Incidents
      {get, "/v1/admin/mode", mode_read, read, ignored, "The compromise mode that is in force", bind(modes, &ModeApi::get)},
      {post, "/v1/admin/mode", mode_write, operator_, honoured, "Raise or lower the compromise mode, on every node; to lower it asks for step-up", bind(modes, &ModeApi::set)},

      // API keys
      {get, "/v1/admin/api-keys", api_keys_read, read, ignored, "API keys, the revoked ones too", bind(keys, &ApiKeysApi::list)},
      {post, "/v1/admin/api-keys", lately(api_keys_write), operator_, ignored, "Make an API key, which is shown this once", bind(keys, &ApiKeysApi::create)},
      {get, "/v1/admin/api-keys/{id}", api_keys_read, read, ignored, "One API key", bind(keys, &ApiKeysApi::get)},
      {delete_, "/v1/admin/api-keys/{id}", api_keys_write, operator_, ignored, "Revoke an API key, everywhere at once", bind(keys, &ApiKeysApi::revoke)},

      // Keys that make and verify tokens
      {get, "/v1/admin/keys", keys_read, read, ignored, "The keyring: which keys there are, and in which state", bind(keyring, &KeysApi::list)},
      {post, "/v1/admin/keys/rotate", keys_rotate, operator_, honoured, "Let the next key follow the active one; nobody is logged out", bind(keyring, &KeysApi::rotate)},
      {get, "/v1/admin/keys/{kid}", keys_read, read, ignored, "One key, with its public half", bind(keyring, &KeysApi::get)},
      {post, "/v1/admin/keys/{kid}/distrust", keys_rotate, operator_, honoured, "Refuse what a leaked key has made, everywhere at once", bind(keyring, &KeysApi::distrust)},
      {get, "/v1/admin/secrets", keys_read, read, ignored, "The secrets of the service and how old they are", bind(keyring, &KeysApi::list_secrets)},

      // Guessing
      {get, "/v1/admin/under-attack", limits_read, read, ignored, "Whether logins are under attack, and who says so", bind(attack, &UnderAttackApi::get)},
      {post, "/v1/admin/under-attack", limits_write, operator_, honoured, "Lower limits and stricter admission for unknown devices: on, off or auto; all but on ask for step-up", bind(attack, &UnderAttackApi::order)},

      // Mail
      {post, kSesEventsPath, anyone, open, ignored, "What Amazon SES tells of mail, by SNS and signed", email_events_endpoint(email_events)},
      {get, "/v1/email/statistics", mail_read, read, ignored, "How much mail was sent, delivered, bounced and complained about", bind(email, &EmailApi::statistics)},
      {get, "/v1/email/bounces", mail_read, read, ignored, "Bounces and complaints, newest first", bind(email, &EmailApi::list_bounces)},
      {post, "/v1/email/bounces", mail_write, operator_, honoured, "Record a bounce or a complaint that one knows of", bind(email, &EmailApi::record_bounce)},
      {get, "/v1/email/suppressions", mail_read, read, ignored, "Addresses that get no mail", bind(email, &EmailApi::list_suppressions)},
      {post, "/v1/email/suppressions", mail_write, operator_, honoured, "Send no more mail to an address", bind(email, &EmailApi::suppress)},
      {delete_, "/v1/email/suppressions", lately(mail_write), operator_, ignored, "Send mail to an address again", bind(email, &EmailApi::lift_suppression)},
      {get, "/v1/email/outbox", mail_read, read, ignored, "Mail that waits to be sent, oldest first", bind(email, &EmailApi::list_outbox)},
      {post, "/v1/email/outbox/{id}/retry", mail_write, operator_, honoured, "Try now to send a mail that waits", bind(email, &EmailApi::retry)},
      {delete_, "/v1/email/outbox/{id}", lately(mail_write), operator_, ignored, "Do not send a mail that waits", bind(email, &EmailApi::drop)},
      {get, "/v1/email/mails/{id}", mail_read, read, ignored, "What became of one mail", bind(email, &EmailApi::get_mail)},
      {get, "/v1/admin/users/{id}/mails", mail_read, read, ignored, "What became of the mails to one user, newest first", bind(email, &EmailApi::history_of_user)},
      {get, "/v1/email/preview", mail_read, read, ignored, "A kind of mail as it would be sent", bind(email, &EmailApi::preview)},
      {post, "/v1/email/test", mail_write, mail, honoured, "Send a sample, to see whether mail arrives", bind(email, &EmailApi::send_test)},

      // The pages behind the links in mails
      {get, "/verify-email", anyone, read, ignored, "The page to confirm an address", bind(pages, &PagesApi::show_verify_email)},
      {post, "/verify-email", anyone, write, ignored, "Its form", bind(pages, &PagesApi::verify_email)},
      {get, "/forgot-password", anyone, read, ignored, "The page to ask for a new password", bind(pages, &PagesApi::show_forgot_password)},
      {post, "/forgot-password", anyone, mail, ignored, "Its form", bind(pages, &PagesApi::forgot_password)},
      {get, "/reset-password", anyone, read, ignored, "The page to choose a new password", bind(pages, &PagesApi::show_reset_password)},
      {post, "/reset-password", anyone, login, ignored, "Its form", bind(pages, &PagesApi::reset_password)},

      // For everybody
      {get, "/.well-known/jwks.json", anyone, open, ignored, "The keys that verify access tokens (RFC 7517)", bind(everybody, &PublicApi::jwks)},
      {get, "/.well-known/oauth-authorization-server", anyone, open, ignored, "Metadata for resource servers (RFC 8414)", bind(everybody, &PublicApi::server_metadata)},
      {get, "/health", anyone, open, ignored, "The state of the service and of what it depends on", bind(everybody, &PublicApi::health)},
      {get, "/health/live", anyone, open, ignored, "Whether the process answers", bind(everybody, &PublicApi::live)},
      {get, "/health/ready", anyone, open, ignored, "Whether to send requests here", bind(everybody, &PublicApi::ready)},
      {get, "/openapi.json", anyone, open, ignored, "This API as OpenAPI 3.1", bind(everybody, &PublicApi::openapi)},
      {get, "/docs", anyone, open, ignored, "This API as a page", bind(everybody, &PublicApi::docs)},
  };
}

std::vector<Route> operations_routes(OperationsApi* operations) {
  return {
      {get, "/metrics", anyone, open, ignored, "Figures for Prometheus", bind(operations, &OperationsApi::metrics)},
  };
}
// clang-format on

}  // namespace safawinet::api
