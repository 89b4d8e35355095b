// What an operator can set, typed and checked: every value here may be used as it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/secret.hpp"

namespace safawinet::config {

// Where a server listens. `host` is an IPv4 or IPv6 address without brackets; port 0 lets the kernel pick a free one.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;

  // "127.0.0.1:8080", "[::1]:8080"
  [[nodiscard]] std::string text() const;
  bool operator==(const ListenAddress&) const = default;
};

// The order is that of the choices in setting_table.cpp.
enum class Migration { automatic, check };
enum class Registration { open, invite, closed };
enum class UnderAttackMode { automatic, on, off };
enum class SecondFactorRequired { from_none, from_support, from_admin, from_superadmin };
enum class SigningAlgorithm { eddsa, es256, rs256 };
enum class LogLevel { debug, info, warning, error };
enum class MailTransportKind { file, smtp, ses };
enum class SmtpSecurityKind { starttls, tls, none };
enum class SignatureVersion { two, one };
enum class BounceAction { hold, suppress };

// A value as it was written: text, a whole number, or a list.
using SettingValue = std::variant<std::string, std::int64_t, std::vector<std::string>>;

// One line of `safawinet config show`. Secrets and credentials inside URLs are gone already.
struct EffectiveSetting {
  std::string key;
  SettingValue value;
  std::string source;  // "default", "safawinet.toml:12" or the name of the variable
};

struct HttpSettings {
  ListenAddress listen;
  ListenAddress operations_listen;
  std::optional<std::string> public_url;     // an origin, without a slash at its end; none: see public_url() below
  std::vector<std::string> trusted_proxies;  // CIDR blocks without bits behind the prefix; a bare address is one
  std::vector<std::string> cors_origins;     // as browsers send them: "https://app.example.com"
  std::size_t max_connections = 0;
  std::chrono::seconds drain{};
};

// Either both of certificate and key, or none.
struct TlsSettings {
  std::filesystem::path certificate_file;
  std::filesystem::path private_key_file;
  std::filesystem::path ca_file;  // for connections that we open; empty: the system's

  [[nodiscard]] bool is_enabled() const { return !certificate_file.empty(); }
};

struct DatabaseSettings {
  std::string url;       // of a PostgreSQL server, with credentials; empty: the embedded database
  std::string feed_url;  // to LISTEN on, where that must be another way to the same server; empty: `url`
  Migration migrate = Migration::automatic;
  std::size_t shared_connections = 0;
  std::size_t transaction_connections = 0;
  std::chrono::milliseconds statement_timeout{};
};

// A Redis or Valkey server, as redis://user:password@host:port/number names it.
struct RedisUrl {
  std::string host;  // a name, or an address without brackets
  std::uint16_t port = 6379;
  std::string user;     // empty: the default user
  SecretText password;  // empty: no AUTH is sent
  unsigned database = 0;
  bool is_tls = false;
};

struct CacheSettings {
  std::optional<RedisUrl> redis;  // none: each node counts for itself
};

struct StorageSettings {
  std::filesystem::path data_dir;

  [[nodiscard]] std::filesystem::path database_file() const { return data_dir / "safawinet.db"; }
};

struct SecretSettings {
  std::optional<SecretText> master_key;        // the 32 bytes themselves; none: kept in the data folder
  std::optional<SecretText> other_master_key;  // opens what it has sealed; none: in the data folder, if there is one
};

struct AccountSettings {
  Registration registration = Registration::open;
  SecondFactorRequired second_factor_required_from = SecondFactorRequired::from_none;
  std::string admin_email;    // of the first administrator; empty: the default of accounts/
  SecretText admin_password;  // empty: one is generated
};

struct SessionSettings {
  std::chrono::seconds refresh_grace{};  // 0 is strict
  std::chrono::days idle{};
  std::chrono::days absolute{};
};

struct TokenSettings {
  std::chrono::seconds access_lifetime{};
  SigningAlgorithm algorithm = SigningAlgorithm::eddsa;
  std::string audience;  // empty: the public URL
};

struct KeySettings {
  std::chrono::days rotate{};           // 0: only when somebody asks for it
  std::chrono::seconds jwks_max_age{};  // how long a verifier may remember the list of keys
};

struct PasswordSettings {
  std::size_t minimum_length = 0;        // in code points
  std::filesystem::path blocklist_file;  // empty: none
  std::size_t threads = 0;               // 0: one for each core
};

struct MailSettings {
  MailTransportKind transport = MailTransportKind::file;
  std::filesystem::path directory;
  std::string from;              // "Name <address>" or an address
  std::string list_unsubscribe;  // a URL or mailto: for mail that one can do without; empty: none
  std::size_t connections = 0;
  std::size_t rate_per_second = 0;             // 0: as much as the connections can
  std::size_t rate_per_domain_and_minute = 0;  // the same
  std::chrono::days history{};
  std::string smtp_host;
  std::uint16_t smtp_port = 0;  // 0: the usual one of smtp_security
  SmtpSecurityKind smtp_security = SmtpSecurityKind::starttls;
  std::string smtp_user;  // empty: no AUTH
  SecretText smtp_password;
  std::string ses_region;
  std::string ses_endpoint;           // an origin; empty: Amazon's own
  std::string ses_configuration_set;  // empty: none is named
};

struct BounceSettings {
  std::vector<std::string> sns_topics;                             // ARNs; empty: no notification is taken
  SignatureVersion sns_signature_version = SignatureVersion::two;  // the least
  std::int64_t threshold = 0;                                      // 0: none
  BounceAction action = BounceAction::hold;
  bool has_guard = true;
};

struct RevocationSettings {
  std::chrono::milliseconds lease{};
};

struct AuditSettings {
  std::filesystem::path checkpoint_file;
  std::chrono::days retention{};  // 0: for ever
};

struct LimitSettings {
  std::vector<std::string> exempt_networks;  // CIDR blocks
  std::chrono::milliseconds max_wait{};
  UnderAttackMode under_attack = UnderAttackMode::automatic;
};

struct WorkerSettings {
  std::size_t count = 0;  // 0: one for each core
};

struct LogSettings {
  LogLevel level = LogLevel::info;
};

struct Settings {
  HttpSettings http;
  TlsSettings tls;
  DatabaseSettings database;
  CacheSettings cache;
  StorageSettings storage;
  SecretSettings secrets;
  AccountSettings accounts;
  SessionSettings sessions;
  TokenSettings tokens;
  KeySettings keys;
  PasswordSettings passwords;
  MailSettings mail;
  BounceSettings bounces;
  RevocationSettings revocation;
  AuditSettings audit;
  LimitSettings limits;
  WorkerSettings workers;
  LogSettings log;

  std::optional<std::filesystem::path> file;  // that was read
  std::vector<EffectiveSetting> effective;    // every key, in the order of the table
};

// The origin by which clients reach us: http.public_url, else the listening address with the port that was bound (an
// unspecified address such as 0.0.0.0 becomes localhost).
std::string public_url(const Settings& settings, std::uint16_t bound_port);

}  // namespace safawinet::config
