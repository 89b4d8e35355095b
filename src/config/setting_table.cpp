#include "config/setting_table.hpp"

#include <chrono>

#include "config/redis_url.hpp"

namespace safawinet::config {
namespace {

constexpr Complaint kFine = std::nullopt;

std::int64_t as_number(const SettingValue& value) { return std::get<std::int64_t>(value); }
std::size_t as_count(const SettingValue& value) { return static_cast<std::size_t>(as_number(value)); }
const std::string& as_text(const SettingValue& value) { return std::get<std::string>(value); }
const std::vector<std::string>& as_list(const SettingValue& value) { return std::get<std::vector<std::string>>(value); }
template <class Enum>
Enum as_choice(const SettingValue& value) {
  return static_cast<Enum>(as_number(value));
}

Complaint store_listen(ListenAddress& target, const SettingValue& value) {
  auto address = parse_listen_address(as_text(value));
  if (!address) return address.error();
  target = *std::move(address);
  return kFine;
}

Complaint store_readable_file(std::filesystem::path& target, const SettingValue& value) {
  target = as_text(value);
  return target.empty() ? kFine : check_readable_file(as_text(value));
}

Complaint store_checked_list(std::vector<std::string>& target, const SettingValue& value,
                             Complaint (*check)(std::string_view)) {
  for (const auto& item : as_list(value)) {
    if (const auto complaint = check(item)) return "has " + in_quotes(item) + ", which " + *complaint;
  }
  target = as_list(value);
  return kFine;
}

Complaint store_public_url(Settings& settings, const SettingValue& value) {
  std::string_view url = as_text(value);
  if (url.empty()) return kFine;
  if (url.ends_with('/')) url.remove_suffix(1);
  if (auto complaint = check_origin(url)) return complaint;
  settings.http.public_url = std::string(url);
  return kFine;
}

Complaint store_database_url(std::string& target, const SettingValue& value) {
  target = as_text(value);
  return target.empty() ? kFine : check_postgresql_url(target);
}

Complaint store_master_key(std::optional<SecretText>& target, const SettingValue& value) {
  if (as_text(value).empty()) return kFine;
  auto key = parse_master_key(as_text(value));
  if (!key) return key.error();
  target = *std::move(key);
  return kFine;
}

Complaint store_redis_url(Settings& settings, const SettingValue& value) {
  if (as_text(value).empty()) return kFine;
  auto url = parse_redis_url(as_text(value));
  if (!url) return url.error();
  settings.cache.redis = *std::move(url);
  return kFine;
}

std::vector<Setting> make_table() {
  using enum SettingKind;
  using Value = const SettingValue&;
  return {
      {.key = "http.listen",
       .kind = text,
       .initial = "127.0.0.1:8080",
       .meaning = "Address and port of the API; port 0 picks a free one.",
       .variable = "SAFAWINET_LISTEN",
       .store = [](Settings& s, Value v) { return store_listen(s.http.listen, v); }},
      {.key = "http.operations_listen",
       .kind = text,
       .initial = "127.0.0.1:8081",
       .meaning = "Address and port of the metrics; keep it private.",
       .variable = "SAFAWINET_OPERATIONS_LISTEN",
       .store = [](Settings& s, Value v) { return store_listen(s.http.operations_listen, v); }},
      {.key = "http.public_url",
       .kind = text,
       .meaning = "The origin by which clients reach the service: links in mail and the issuer of tokens. Empty: the "
                  "listening address.",
       .variable = "SAFAWINET_PUBLIC_URL",
       .store = store_public_url},
      {.key = "http.trusted_proxies",
       .kind = list,
       .meaning = "Networks of the proxies whose forwarding headers are believed.",
       .store = [](Settings& s, Value v) { return store_checked_list(s.http.trusted_proxies, v, check_network); }},
      {.key = "http.cors_origins",
       .kind = list,
       .meaning = "Origins whose web pages may call the API. Empty: none.",
       .store = [](Settings& s, Value v) { return store_checked_list(s.http.cors_origins, v, check_origin); }},
      {.key = "http.max_connections",
       .kind = integer,
       .initial = "10000",
       .unit = "connections",
       .minimum = 1,
       .maximum = 1'000'000,
       .meaning = "Connections that are open at once; beyond it the connection that is idle for longest gives way, "
                  "else the new one is told 503.",
       .store =
           [](Settings& s, Value v) {
             s.http.max_connections = as_count(v);
             return kFine;
           }},
      {.key = "http.drain_seconds",
       .kind = integer,
       .initial = "30",
       .unit = "seconds",
       .minimum = 0,
       .maximum = 3600,
       .meaning = "How long requests in flight may take to finish after SIGTERM.",
       .store =
           [](Settings& s, Value v) {
             s.http.drain = std::chrono::seconds(as_number(v));
             return kFine;
           }},

      {.key = "tls.certificate_file",
       .kind = text,
       .meaning = "The certificate chain (PEM) of the API. Empty: plain HTTP.",
       .store = [](Settings& s, Value v) { return store_readable_file(s.tls.certificate_file, v); }},
      {.key = "tls.private_key_file",
       .kind = text,
       .meaning = "The private key (PEM) of the certificate.",
       .store = [](Settings& s, Value v) { return store_readable_file(s.tls.private_key_file, v); }},
      {.key = "tls.ca_file",
       .kind = text,
       .meaning = "Certificates (PEM) to trust on connections that the service opens. Empty: the system's.",
       .store = [](Settings& s, Value v) { return store_readable_file(s.tls.ca_file, v); }},

      {.key = "database.url",
       .kind = text,
       .meaning =
           "The PostgreSQL server, as postgresql://user:password@host:5432/name; several hosts, with commas, are "
           "tried for the one that takes writes. Empty: the embedded database (SQLite) in the data folder.",
       .variable = "DATABASE_URL",
       .store = [](Settings& s, Value v) { return store_database_url(s.database.url, v); }},
      {.key = "database.feed_url",
       .kind = text,
       .meaning = "Where to LISTEN for revocations, if database.url leads through a pooler that cannot. Empty: "
                  "database.url.",
       .store = [](Settings& s, Value v) { return store_database_url(s.database.feed_url, v); }},
      {.key = "database.shared_connections",
       .kind = integer,
       .initial = "8",
       .unit = "connections",
       .minimum = 1,
       .maximum = 1000,
       .meaning = "Connections of a node for single statements, which many requests share.",
       .store =
           [](Settings& s, Value v) {
             s.database.shared_connections = as_count(v);
             return kFine;
           }},
      {.key = "database.transaction_connections",
       .kind = integer,
       .initial = "16",
       .unit = "connections",
       .minimum = 1,
       .maximum = 1000,
       .meaning = "Connections of a node for transactions, each used by one at a time.",
       .store =
           [](Settings& s, Value v) {
             s.database.transaction_connections = as_count(v);
             return kFine;
           }},
      {.key = "database.statement_timeout_milliseconds",
       .kind = integer,
       .initial = "5000",
       .unit = "milliseconds",
       .minimum = 100,
       .maximum = 5'000,
       .meaning = "How long one statement may take on the PostgreSQL server before it is given up.",
       .store =
           [](Settings& s, Value v) {
             s.database.statement_timeout = std::chrono::milliseconds(as_number(v));
             return kFine;
           }},
      {.key = "database.migrate",
       .kind = choice,
       .initial = "auto",
       .choices = {"auto", "check"},
       .meaning = "Whether `serve` brings the schema up to date itself, or refuses to start and names the command.",
       .store =
           [](Settings& s, Value v) {
             s.database.migrate = as_choice<Migration>(v);
             return kFine;
           }},

      {.key = "cache.redis_url",
       .kind = text,
       .meaning =
           "The Redis or Valkey server in which the nodes count the uses of their rate limits together, as "
           "redis://[user[:password]@]host[:port][/number]; rediss:// is TLS. Empty: each node counts for itself.",
       .variable = "REDIS_URL",
       .holds_password = true,
       .store = store_redis_url},

      {.key = "storage.data_dir",
       .kind = text,
       .initial = "./var/safawinet",
       .meaning = "The folder of the embedded database and of generated keys; created if it is missing.",
       .variable = "SAFAWINET_DATA_DIR",
       .store = [](Settings& s, Value v) -> Complaint {
         if (as_text(v).empty()) return "must name a folder";
         s.storage.data_dir = as_text(v);
         return kFine;
       }},

      {.key = "secrets.master_key",
       .kind = text,
       .meaning =
           "32 bytes in base64 that seal the signing keys, the same for every node. Empty: `master.key` in the data "
           "folder, made at the first start; with database.url it must be set.",
       .variable = "SAFAWINET_MASTER_KEY",
       .is_secret = true,
       .store = [](Settings& s, Value v) { return store_master_key(s.secrets.master_key, v); }},
      {.key = "secrets.other_master_key",
       .kind = text,
       .meaning =
           "While the master key is being replaced: the former one, or the coming one, whose values are still opened. "
           "Empty: `other-master.key` in the data folder, where there is one.",
       .variable = "SAFAWINET_OTHER_MASTER_KEY",
       .is_secret = true,
       .store = [](Settings& s, Value v) { return store_master_key(s.secrets.other_master_key, v); }},

      {.key = "accounts.registration",
       .kind = choice,
       .initial = "open",
       .choices = {"open", "invite", "closed"},
       .meaning = "Who may create an account: everybody, the invited, nobody.",
       .store =
           [](Settings& s, Value v) {
             s.accounts.registration = as_choice<Registration>(v);
             return kFine;
           }},
      {.key = "accounts.second_factor_required_from",
       .kind = choice,
       .initial = "none",
       .choices = {"none", "support", "admin", "superadmin"},
       .meaning = "From which role on people can do nothing but enrol until they have logged in with a second factor.",
       .store =
           [](Settings& s, Value v) {
             s.accounts.second_factor_required_from = as_choice<SecondFactorRequired>(v);
             return kFine;
           }},
      {.key = "accounts.admin_email",
       .kind = text,
       .meaning = "Address of the first administrator, who is created when there is none.",
       .variable = "SAFAWINET_ADMIN_EMAIL",
       .store = [](Settings& s, Value v) -> Complaint {
         s.accounts.admin_email = as_text(v);
         return as_text(v).empty() ? kFine : check_email_address(as_text(v));
       }},
      {.key = "accounts.admin_password",
       .kind = text,
       .meaning = "Password of the first administrator. Empty: one is generated.",
       .variable = "SAFAWINET_ADMIN_PASSWORD",
       .is_secret = true,
       .store =
           [](Settings& s, Value v) {
             s.accounts.admin_password = SecretText(as_text(v));
             return kFine;
           }},

      {.key = "sessions.refresh_grace_seconds",
       .kind = integer,
       .initial = "30",
       .unit = "seconds",
       .minimum = 0,
       .maximum = 300,
       .meaning =
           "How long after its use a refresh token may be presented once more by a client that lost the answer; 0 is "
           "strict.",
       .store =
           [](Settings& s, Value v) {
             s.sessions.refresh_grace = std::chrono::seconds(as_number(v));
             return kFine;
           }},
      {.key = "sessions.idle_days",
       .kind = integer,
       .initial = "14",
       .unit = "days",
       .minimum = 1,
       .maximum = 3650,
       .meaning = "A session that is not refreshed for this long ends.",
       .store =
           [](Settings& s, Value v) {
             s.sessions.idle = std::chrono::days(as_number(v));
             return kFine;
           }},
      {.key = "sessions.absolute_days",
       .kind = integer,
       .initial = "30",
       .unit = "days",
       .minimum = 1,
       .maximum = 3650,
       .meaning = "A session ends this long after its login, however much it is used.",
       .store =
           [](Settings& s, Value v) {
             s.sessions.absolute = std::chrono::days(as_number(v));
             return kFine;
           }},

      {.key = "tokens.access_lifetime_seconds",
       .kind = integer,
       .initial = "600",
       .unit = "seconds",
       .minimum = 30,
       .maximum = 3600,
       .meaning = "Lifetime of an access token, never past its session's end.",
       .store =
           [](Settings& s, Value v) {
             s.tokens.access_lifetime = std::chrono::seconds(as_number(v));
             return kFine;
           }},
      {.key = "tokens.algorithm",
       .kind = choice,
       .initial = "EdDSA",
       .choices = {"EdDSA", "ES256", "RS256"},
       .meaning = "Signature algorithm of new signing keys.",
       .store =
           [](Settings& s, Value v) {
             s.tokens.algorithm = as_choice<SigningAlgorithm>(v);
             return kFine;
           }},
      {.key = "tokens.audience",
       .kind = text,
       .meaning = "The `aud` of access tokens. Empty: the public URL.",
       .store =
           [](Settings& s, Value v) {
             s.tokens.audience = as_text(v);
             return kFine;
           }},

      {.key = "keys.rotate_days",
       .kind = integer,
       .initial = "90",
       .unit = "days",
       .minimum = 0,
       .maximum = 3650,
       .meaning =
           "The keys that make access and refresh tokens are followed by new ones after this long; nobody is logged "
           "out. 0: only when somebody asks for it.",
       .store =
           [](Settings& s, Value v) {
             s.keys.rotate = std::chrono::days(as_number(v));
             return kFine;
           }},
      {.key = "keys.jwks_max_age_seconds",
       .kind = integer,
       .initial = "300",
       .unit = "seconds",
       .minimum = 0,
       .maximum = 86400,
       .meaning = "How long whoever verifies access tokens may remember the list of keys. A new key is in the list for "
                  "longer than that before it signs.",
       .store =
           [](Settings& s, Value v) {
             s.keys.jwks_max_age = std::chrono::seconds(as_number(v));
             return kFine;
           }},

      {.key = "passwords.minimum_length",
       .kind = integer,
       .initial = "15",
       .unit = "characters",
       .minimum = 8,
       .maximum = 64,
       .meaning = "Shortest password that may be set.",
       .store =
           [](Settings& s, Value v) {
             s.passwords.minimum_length = as_count(v);
             return kFine;
           }},
      {.key = "passwords.blocklist_file",
       .kind = text,
       .meaning = "Passwords that may not be set, besides the common ones: a file with one on each line, read at the "
                  "start; a line that begins with `#` is a password, too. Empty: none.",
       .store = [](Settings& s, Value v) { return store_readable_file(s.passwords.blocklist_file, v); }},
      {.key = "passwords.threads",
       .kind = integer,
       .initial = "0",
       .unit = "threads",
       .minimum = 0,
       .maximum = 256,
       .meaning = "Threads that compute password hashes; 0: one for each core.",
       .store =
           [](Settings& s, Value v) {
             s.passwords.threads = as_count(v);
             return kFine;
           }},

      {.key = "mail.transport",
       .kind = choice,
       .initial = "file",
       .choices = {"file", "smtp", "ses"},
       .meaning = "How mail leaves: as files, by an SMTP server, or by Amazon SES.",
       .store =
           [](Settings& s, Value v) {
             s.mail.transport = as_choice<MailTransportKind>(v);
             return kFine;
           }},
      {.key = "mail.directory",
       .kind = text,
       .meaning = "The folder into which mails are written with the transport `file`, one file each. Empty: `mail` in "
                  "the data folder.",
       .variable = "SAFAWINET_MAIL_DIR",
       .store =
           [](Settings& s, Value v) {
             s.mail.directory = as_text(v);
             return kFine;
           }},
      {.key = "mail.from",
       .kind = text,
       .initial = "Safawinet <no-reply@localhost>",
       .meaning = "The sender of mails.",
       .store =
           [](Settings& s, Value v) {
             s.mail.from = as_text(v);
             return check_sender(as_text(v));
           }},
      {.key = "mail.list_unsubscribe",
       .kind = text,
       .meaning =
           "Where recipients can ask for no more mail that they can do without: an https:// address or a mailto: "
           "one. Empty: such mail names none.",
       .store = [](Settings& s, Value v) -> Complaint {
         s.mail.list_unsubscribe = as_text(v);
         return as_text(v).empty() ? kFine : check_way_out(as_text(v));
       }},
      {.key = "mail.connections",
       .kind = integer,
       .initial = "2",
       .unit = "connections",
       .minimum = 1,
       .maximum = 64,
       .meaning = "Connections of a node to the mail server, each of which sends one mail at a time.",
       .store =
           [](Settings& s, Value v) {
             s.mail.connections = as_count(v);
             return kFine;
           }},
      {.key = "mail.rate_per_second",
       .kind = integer,
       .initial = "0",
       .unit = "mails",
       .minimum = 0,
       .maximum = 100'000,
       .meaning =
           "How many mails leave in a second: of all nodes with a shared cache, else of each. 0: as many as can.",
       .store =
           [](Settings& s, Value v) {
             s.mail.rate_per_second = as_count(v);
             return kFine;
           }},
      {.key = "mail.rate_per_domain_and_minute",
       .kind = integer,
       .initial = "0",
       .unit = "mails",
       .minimum = 0,
       .maximum = 100'000,
       .meaning =
           "How many mails leave in a minute for the addresses of one domain; the others wait. 0: as many as can.",
       .store =
           [](Settings& s, Value v) {
             s.mail.rate_per_domain_and_minute = as_count(v);
             return kFine;
           }},
      {.key = "mail.history_days",
       .kind = integer,
       .initial = "90",
       .unit = "days",
       .minimum = 15,
       .maximum = 3650,
       .meaning = "How long it is kept what became of a mail: to whom, what kind, how it ended.",
       .store =
           [](Settings& s, Value v) {
             s.mail.history = std::chrono::days(as_number(v));
             return kFine;
           }},
      {.key = "mail.smtp_host",
       .kind = text,
       .meaning = "The SMTP server, a name or an address.",
       .store = [](Settings& s, Value v) -> Complaint {
         s.mail.smtp_host = as_text(v);
         return as_text(v).empty() ? kFine : check_host(as_text(v));
       }},
      {.key = "mail.smtp_port",
       .kind = integer,
       .initial = "0",
       .unit = "port",
       .minimum = 0,
       .maximum = 65535,
       .meaning = "Its port. 0: 587 with `starttls`, 465 with `tls`, 25 with `none`.",
       .store =
           [](Settings& s, Value v) {
             s.mail.smtp_port = static_cast<std::uint16_t>(as_number(v));
             return kFine;
           }},
      {.key = "mail.smtp_security",
       .kind = choice,
       .initial = "starttls",
       .choices = {"starttls", "tls", "none"},
       .meaning =
           "TLS with STARTTLS, which the server must offer; TLS from the first byte; or none, for a server on the "
           "same machine or in a network of your own.",
       .store =
           [](Settings& s, Value v) {
             s.mail.smtp_security = as_choice<SmtpSecurityKind>(v);
             return kFine;
           }},
      {.key = "mail.smtp_user",
       .kind = text,
       .meaning = "The user to log in as. Empty: without.",
       .variable = "SAFAWINET_SMTP_USER",
       .store =
           [](Settings& s, Value v) {
             s.mail.smtp_user = as_text(v);
             return kFine;
           }},
      {.key = "mail.smtp_password",
       .kind = text,
       .meaning = "The user's password.",
       .variable = "SAFAWINET_SMTP_PASSWORD",
       .is_secret = true,
       .store =
           [](Settings& s, Value v) {
             s.mail.smtp_password = SecretText(as_text(v));
             return kFine;
           }},
      {.key = "mail.ses_region",
       .kind = text,
       .meaning = "The AWS region of SES, such as `eu-central-1`. Credentials come from where Amazon's tools look for "
                  "them: the environment, the container, the machine.",
       .variable = "AWS_REGION",
       .store = [](Settings& s, Value v) -> Complaint {
         s.mail.ses_region = as_text(v);
         return as_text(v).empty() ? kFine : check_aws_region(as_text(v));
       }},
      {.key = "mail.ses_endpoint",
       .kind = text,
       .meaning = "Where SES is called, for a private gateway. Empty: Amazon's own address of the region.",
       .store = [](Settings& s, Value v) -> Complaint {
         s.mail.ses_endpoint = as_text(v);
         return as_text(v).empty() ? kFine : check_endpoint(as_text(v));
       }},
      {.key = "mail.ses_configuration_set",
       .kind = text,
       .meaning = "The configuration set of SES that publishes what becomes of mails. Empty: that of the identity.",
       .store =
           [](Settings& s, Value v) {
             s.mail.ses_configuration_set = as_text(v);
             return kFine;
           }},

      {.key = "bounces.sns_topics",
       .kind = list,
       .meaning = "The ARNs of the SNS topics by which SES tells of bounces, complaints and deliveries; of no other "
                  "topic anything is taken. Empty: of none.",
       .store = [](Settings& s, Value v) { return store_checked_list(s.bounces.sns_topics, v, check_sns_topic); }},
      {.key = "bounces.sns_signature_version",
       .kind = choice,
       .initial = "2",
       .choices = {"2", "1"},
       .meaning = "The least version of the signature of a notification: 2 (SHA-256), or 1 (SHA-1) too.",
       .store =
           [](Settings& s, Value v) {
             s.bounces.sns_signature_version = as_choice<SignatureVersion>(v);
             return kFine;
           }},
      {.key = "bounces.threshold",
       .kind = integer,
       .initial = "5",
       .unit = "bounces",
       .minimum = 0,
       .maximum = 1000,
       .meaning = "After how many bounces without a delivery in between an account is held, or its address suppressed. "
                  "0: never.",
       .store =
           [](Settings& s, Value v) {
             s.bounces.threshold = as_number(v);
             return kFine;
           }},
      {.key = "bounces.action",
       .kind = choice,
       .initial = "hold",
       .choices = {"hold", "suppress"},
       .meaning = "What happens then: the account is held until its owner, who knows the password, has proved another "
                  "address; or its address gets no more mail, and nothing else.",
       .store =
           [](Settings& s, Value v) {
             s.bounces.action = as_choice<BounceAction>(v);
             return kFine;
           }},
      {.key = "bounces.guard",
       .kind = choice,
       .initial = "on",
       .choices = {"on", "off"},
       .meaning = "Whether mail that is not about the security of an account is held back while bounces or complaints "
                  "come near the rates at which SES stops a sender.",
       .store =
           [](Settings& s, Value v) {
             s.bounces.has_guard = as_number(v) == 0;
             return kFine;
           }},

      {.key = "revocation.lease_milliseconds",
       .kind = integer,
       .initial = "2000",
       .unit = "milliseconds",
       .minimum = 200,
       .maximum = 60'000,
       .meaning = "How long after it last read the revocations a node goes on accepting access tokens.",
       .store =
           [](Settings& s, Value v) {
             s.revocation.lease = std::chrono::milliseconds(as_number(v));
             return kFine;
           }},

      {.key = "audit.checkpoint_file",
       .kind = text,
       .meaning = "The file to which signed checkpoints of the audit log are added; better on another machine. Empty: "
                  "`audit-checkpoints.jsonl` in the data folder.",
       .store =
           [](Settings& s, Value v) {
             s.audit.checkpoint_file = as_text(v);
             return kFine;
           }},
      {.key = "audit.retention_days",
       .kind = integer,
       .initial = "0",
       .unit = "days",
       .minimum = 0,
       .maximum = 36'500,
       .meaning = "How long entries of the audit log are kept, 30 days at the least; 0: for ever.",
       .store = [](Settings& s, Value v) -> Complaint {
         s.audit.retention = std::chrono::days(as_number(v));
         if (as_number(v) > 0 && as_number(v) < 30) return "must be 0 (for ever) or at least 30";
         return kFine;
       }},

      {.key = "limits.exempt_networks",
       .kind = list,
       .meaning = "Client networks that the limits by address and network do not count (wrong passwords of an account "
                  "always do).",
       .store = [](Settings& s, Value v) { return store_checked_list(s.limits.exempt_networks, v, check_network); }},
      {.key = "limits.under_attack",
       .kind = choice,
       .initial = "auto",
       .choices = {"auto", "on", "off"},
       .meaning =
           "Lower limits and stricter admission for unknown devices: when the nodes notice an attack, always, or "
           "never; `safawinet attack` orders otherwise at any time.",
       .store =
           [](Settings& s, Value v) {
             s.limits.under_attack = as_choice<UnderAttackMode>(v);
             return kFine;
           }},
      {.key = "limits.max_wait_milliseconds",
       .kind = integer,
       .initial = "2000",
       .unit = "milliseconds",
       .minimum = 100,
       .maximum = 60'000,
       .meaning = "Estimated waiting time for a password check beyond which a login is refused with 503.",
       .store =
           [](Settings& s, Value v) {
             s.limits.max_wait = std::chrono::milliseconds(as_number(v));
             return kFine;
           }},

      {.key = "workers.count",
       .kind = integer,
       .initial = "0",
       .unit = "threads",
       .minimum = 0,
       .maximum = 1024,
       .meaning = "Event loops; 0: one for each core.",
       .store =
           [](Settings& s, Value v) {
             s.workers.count = as_count(v);
             return kFine;
           }},

      {.key = "log.level",
       .kind = choice,
       .initial = "info",
       .choices = {"debug", "info", "warning", "error"},
       .meaning = "The least severe messages that are logged.",
       .store =
           [](Settings& s, Value v) {
             s.log.level = as_choice<LogLevel>(v);
             return kFine;
           }},
  };
}

}  // namespace

std::string Setting::general_variable() const {
  std::string name = "SAFAWINET__";
  for (const char c : key) {
    if (c == '.') {
      name += "__";
    } else {
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return name;
}

std::span<const Setting> setting_table() {
  static const std::vector<Setting> table = make_table();
  return table;
}

}  // namespace safawinet::config
