#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "base/json.hpp"
#include "base/testing_folder.hpp"
#include "config/setting_table.hpp"

namespace safawinet::config {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::string_view kMasterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

// Each test has a folder of its own, which is the working directory while it runs.
class Config : public ::testing::Test {
 protected:
  Config() {
    previous_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_.path());
  }
  ~Config() override { std::filesystem::current_path(previous_); }

  static void write(const std::string& name, std::string_view text) { std::ofstream(name) << text; }

  // The settings of this text as the file; an empty one if there is none.
  static auto load_text(std::string_view text, const Environment& environment = {}) {
    write("test.toml", text);
    std::filesystem::permissions("test.toml", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return load(environment, "test.toml");
  }
  static Settings fine(std::string_view text, const Environment& environment = {}) {
    auto settings = load_text(text, environment);
    if (settings) return *std::move(settings);
    for (const auto& problem : settings.error()) ADD_FAILURE() << problem.text();
    return {};
  }
  static std::vector<std::string> problems(std::string_view text, const Environment& environment = {}) {
    const auto settings = load_text(text, environment);
    std::vector<std::string> lines;
    if (!settings) {
      for (const auto& problem : settings.error()) lines.push_back(problem.text());
    }
    return lines;
  }

  safawinet::testing::TemporaryFolder folder_;
  std::filesystem::path previous_;
};

TEST_F(Config, HasADefaultForEverything) {
  const auto settings = fine("");
  EXPECT_EQ(settings.http.listen.text(), "127.0.0.1:8080");
  EXPECT_EQ(settings.http.operations_listen.text(), "127.0.0.1:8081");
  EXPECT_FALSE(settings.http.public_url);
  EXPECT_THAT(settings.http.trusted_proxies, IsEmpty());
  EXPECT_THAT(settings.http.cors_origins, IsEmpty());
  EXPECT_EQ(settings.http.max_connections, 10'000U);
  EXPECT_EQ(settings.http.drain, 30s);
  EXPECT_FALSE(settings.tls.is_enabled());
  EXPECT_EQ(settings.database.migrate, Migration::automatic);
  EXPECT_EQ(settings.storage.database_file(), "./var/safawinet/safawinet.db");
  EXPECT_FALSE(settings.secrets.master_key);
  EXPECT_EQ(settings.accounts.registration, Registration::open);
  EXPECT_EQ(settings.accounts.admin_email, "");
  EXPECT_TRUE(settings.accounts.admin_password.empty());
  EXPECT_EQ(settings.sessions.refresh_grace, 30s);
  EXPECT_EQ(settings.sessions.idle, std::chrono::days(14));
  EXPECT_EQ(settings.sessions.absolute, std::chrono::days(30));
  EXPECT_EQ(settings.tokens.access_lifetime, 600s);
  EXPECT_EQ(settings.tokens.algorithm, SigningAlgorithm::eddsa);
  EXPECT_EQ(settings.tokens.audience, "");
  EXPECT_EQ(settings.passwords.minimum_length, 15U);
  EXPECT_EQ(settings.passwords.threads, 0U);
  EXPECT_EQ(settings.mail.directory, "./var/safawinet/mail");
  EXPECT_EQ(settings.mail.from, "Safawinet <no-reply@localhost>");
  EXPECT_EQ(settings.revocation.lease, 2000ms);
  EXPECT_EQ(settings.audit.checkpoint_file, "./var/safawinet/audit-checkpoints.jsonl");
  EXPECT_EQ(settings.audit.retention, std::chrono::days(0));
  EXPECT_THAT(settings.limits.exempt_networks, IsEmpty());
  EXPECT_EQ(settings.limits.max_wait, 2000ms);
  EXPECT_EQ(settings.workers.count, 0U);
  EXPECT_EQ(settings.log.level, LogLevel::info);
}

TEST_F(Config, ReadsEverySettingFromTheFile) {
  write("chain.pem", "");
  write("key.pem", "");
  write("ca.pem", "");
  const auto settings = fine(R"(
[http]
listen = "0.0.0.0:80"
operations_listen = "[::1]:81"
public_url = "https://accounts.example.com/"
trusted_proxies = ["10.0.0.0/8", "2001:db8::/32"]
cors_origins = ["https://app.example.com"]
max_connections = 5
drain_seconds = 0
[tls]
certificate_file = "chain.pem"
private_key_file = "key.pem"
ca_file = "ca.pem"
[database]
migrate = "check"
[storage]
data_dir = "/srv/data"
[secrets]
master_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[accounts]
registration = "closed"
admin_email = "admin@example.com"
admin_password = "correct horse battery staple"
[sessions]
refresh_grace_seconds = 0
idle_days = 1
absolute_days = 2
[tokens]
access_lifetime_seconds = 60
algorithm = "RS256"
audience = "https://api.example.com"
[passwords]
minimum_length = 8
threads = 3
[mail]
directory = "/srv/mail"
from = "accounts@example.com"
[revocation]
lease_milliseconds = 500
[audit]
checkpoint_file = "/srv/checkpoints"
retention_days = 30
[limits]
exempt_networks = ["192.0.2.1"]
max_wait_milliseconds = 100
[workers]
count = 2
[log]
level = "debug"
)");
  EXPECT_EQ(settings.http.listen.text(), "0.0.0.0:80");
  EXPECT_EQ(settings.http.operations_listen.text(), "[::1]:81");
  EXPECT_EQ(settings.http.public_url, "https://accounts.example.com");
  EXPECT_THAT(settings.http.trusted_proxies, ElementsAre("10.0.0.0/8", "2001:db8::/32"));
  EXPECT_THAT(settings.http.cors_origins, ElementsAre("https://app.example.com"));
  EXPECT_EQ(settings.http.max_connections, 5U);
  EXPECT_EQ(settings.http.drain, 0s);
  EXPECT_TRUE(settings.tls.is_enabled());
  EXPECT_EQ(settings.tls.private_key_file, "key.pem");
  EXPECT_EQ(settings.tls.ca_file, "ca.pem");
  EXPECT_EQ(settings.database.migrate, Migration::check);
  EXPECT_EQ(settings.storage.data_dir, "/srv/data");
  EXPECT_EQ(settings.secrets.master_key->reveal().size(), 32U);
  EXPECT_EQ(settings.accounts.registration, Registration::closed);
  EXPECT_EQ(settings.accounts.admin_email, "admin@example.com");
  EXPECT_EQ(settings.accounts.admin_password.reveal(), "correct horse battery staple");
  EXPECT_EQ(settings.sessions.refresh_grace, 0s);
  EXPECT_EQ(settings.sessions.idle, std::chrono::days(1));
  EXPECT_EQ(settings.sessions.absolute, std::chrono::days(2));
  EXPECT_EQ(settings.tokens.access_lifetime, 60s);
  EXPECT_EQ(settings.tokens.algorithm, SigningAlgorithm::rs256);
  EXPECT_EQ(settings.tokens.audience, "https://api.example.com");
  EXPECT_EQ(settings.passwords.minimum_length, 8U);
  EXPECT_EQ(settings.passwords.threads, 3U);
  EXPECT_EQ(settings.mail.directory, "/srv/mail");
  EXPECT_EQ(settings.mail.from, "accounts@example.com");
  EXPECT_EQ(settings.revocation.lease, 500ms);
  EXPECT_EQ(settings.audit.checkpoint_file, "/srv/checkpoints");
  EXPECT_EQ(settings.audit.retention, std::chrono::days(30));
  EXPECT_THAT(settings.limits.exempt_networks, ElementsAre("192.0.2.1"));
  EXPECT_EQ(settings.limits.max_wait, 100ms);
  EXPECT_EQ(settings.workers.count, 2U);
  EXPECT_EQ(settings.log.level, LogLevel::debug);
}

TEST_F(Config, TheEnvironmentWinsOverTheFile) {
  const auto settings = fine("[sessions]\nidle_days = 3\n[http]\nlisten = \"127.0.0.1:1\"",
                             {{"SAFAWINET__SESSIONS__IDLE_DAYS", "4"},
                              {"SAFAWINET_LISTEN", "127.0.0.1:2"},
                              {"SAFAWINET__HTTP__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.0/24,"}});
  EXPECT_EQ(settings.sessions.idle, std::chrono::days(4));
  EXPECT_EQ(settings.http.listen.port, 2);
  EXPECT_THAT(settings.http.trusted_proxies, ElementsAre("10.0.0.0/8", "192.0.2.0/24"));
}

TEST_F(Config, KnowsEveryFixedName) {
  const auto settings = fine("", {{"SAFAWINET_LISTEN", "127.0.0.1:0"},
                                  {"SAFAWINET_OPERATIONS_LISTEN", "127.0.0.1:0"},
                                  {"SAFAWINET_DATA_DIR", "data"},
                                  {"SAFAWINET_MASTER_KEY", std::string(kMasterKey)},
                                  {"SAFAWINET_PUBLIC_URL", "https://a.example.com"},
                                  {"SAFAWINET_ADMIN_EMAIL", "root@example.com"},
                                  {"SAFAWINET_ADMIN_PASSWORD", "hush hush hush hush"},
                                  {"SAFAWINET_MAIL_DIR", "letters"}});
  EXPECT_EQ(settings.http.listen.port, 0);
  EXPECT_EQ(settings.http.operations_listen.port, 0);
  EXPECT_EQ(settings.storage.data_dir, "data");
  EXPECT_TRUE(settings.secrets.master_key);
  EXPECT_EQ(settings.http.public_url, "https://a.example.com");
  EXPECT_EQ(settings.accounts.admin_email, "root@example.com");
  EXPECT_EQ(settings.accounts.admin_password.reveal(), "hush hush hush hush");
  EXPECT_EQ(settings.mail.directory, "letters");
}

TEST_F(Config, EveryKeyHasItsGeneralVariable) {
  for (const auto& setting : setting_table()) {
    const auto settings = load_text("", {{setting.general_variable(), "\x01"}});
    // Control characters fit nowhere, so every variable that is read is refused, by its own name.
    ASSERT_FALSE(settings) << setting.key;
    EXPECT_EQ(settings.error()[0].key, setting.key);
    EXPECT_EQ(settings.error()[0].source, setting.general_variable());
  }
}

TEST_F(Config, AnEmptyVariableCountsAsNotSet) {
  const auto settings =
      fine("[http]\nlisten = \"127.0.0.1:1\"",
           {{"SAFAWINET_LISTEN", ""}, {"DATABASE_URL", ""}, {"REDIS_URL", ""}, {"SAFAWINET_CONFIG", ""}});
  EXPECT_EQ(settings.http.listen.port, 1);
}

TEST_F(Config, TwoVariablesForOneKeyMustAgree) {
  EXPECT_THAT(problems("", {{"SAFAWINET_LISTEN", "127.0.0.1:1"}, {"SAFAWINET__HTTP__LISTEN", "127.0.0.1:2"}}),
              ElementsAre("http.listen (SAFAWINET__HTTP__LISTEN): differs from SAFAWINET_LISTEN: unset one of them"));
  EXPECT_EQ(
      fine("", {{"SAFAWINET_LISTEN", "127.0.0.1:1"}, {"SAFAWINET__HTTP__LISTEN", "127.0.0.1:1"}}).http.listen.port, 1);
}

TEST_F(Config, TheNamedFileComesFirst) {
  write("safawinet.toml", "[workers]\ncount = 1");
  write("variable.toml", "[workers]\ncount = 2");
  write("argument.toml", "[workers]\ncount = 3");
  EXPECT_EQ(load({})->workers.count, 1U);
  EXPECT_EQ(load({})->file, "safawinet.toml");
  EXPECT_EQ(load({{"SAFAWINET_CONFIG", "variable.toml"}})->workers.count, 2U);
  EXPECT_EQ(load({{"SAFAWINET_CONFIG", "variable.toml"}}, "argument.toml")->workers.count, 3U);
}

TEST_F(Config, ANamedFileMustBeThere) {
  const auto missing = load({{"SAFAWINET_CONFIG", "missing.toml"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error()[0].text(), "missing.toml cannot be read: No such file or directory");
  const auto folder = load({}, folder_.path());
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error()[0].text(), HasSubstr("it is a folder"));
}

TEST_F(Config, MalformedTomlIsReportedWithItsLine) {
  EXPECT_THAT(problems("[http]\nlisten = \n"), ElementsAre(HasSubstr("test.toml:2 is not valid TOML: ")));
  EXPECT_THAT(problems("[http]\nlisten = 'a'\nlisten = 'b'\n"),
              ElementsAre(HasSubstr("test.toml:3 is not valid TOML: ")));
}

TEST_F(Config, UnknownKeysComeWithASuggestion) {
  EXPECT_THAT(problems("[sesions]\nidle_day = 3\n[http]\nlisten.port = 1\n[colours]\nfavourite = 'blue'\n[logs]\n",
                       {{"SAFAWINET__SESIONS__IDLE_DAYS", "3"}, {"SAFAWINET__", "x"}, {"SAFAWINET_OTHER", "ignored"}}),
              ::testing::UnorderedElementsAre(
                  "sesions.idle_day (test.toml:2): is not a setting; did you mean sessions.idle_days?",
                  // As TOML has it, the dotted key makes a table of what should be text.
                  HasSubstr("http.listen (test.toml:4)"),
                  "colours.favourite (test.toml:6): is not a setting; `safawinet config example` lists what there is",
                  HasSubstr("logs (test.toml:7): is not a setting"),
                  "SAFAWINET__SESIONS__IDLE_DAYS is not a setting; did you mean SAFAWINET__SESSIONS__IDLE_DAYS?",
                  HasSubstr("SAFAWINET__ is not a setting")));
}

TEST_F(Config, ASectionIsNoSetting) {
  EXPECT_THAT(problems("http = 3"),
              ElementsAre("http (test.toml:1): is a section: write [http] and its settings below"));
}

TEST_F(Config, AnUnknownKeyDoesNotShowItsValue) {
  EXPECT_THAT(problems("[secrets]\nmaster_kye = 'hush-hush'"),
              ElementsAre("secrets.master_kye (test.toml:2): is not a setting; did you mean secrets.master_key?"));
  EXPECT_THAT(problems("", {{"SAFAWINET__SECRETS__MASTER_KYE", "hush-hush"}}),
              ElementsAre(Not(HasSubstr("hush-hush"))));
}

TEST_F(Config, ValuesOfTheWrongTypeAreRefused) {
  EXPECT_THAT(
      problems(
          "[http]\nlisten = 8080\ndrain_seconds = \"30\"\nmax_connections = 1.5\ntrusted_proxies = \"10.0.0.0/8\"\n"
          "cors_origins = [1]\n[accounts]\nregistration = true\n[log]\nlevel = 1\n"),
      ::testing::UnorderedElementsAre(
          "http.listen (test.toml:2) = 8080: must be text in quotes",
          "http.drain_seconds (test.toml:3) = \"30\": must be a whole number",
          "http.max_connections (test.toml:4) = \"1.5\": must be a whole number",
          "http.trusted_proxies (test.toml:5) = \"10.0.0.0/8\": must be a list of texts, such as [\"one\", \"two\"]",
          "http.cors_origins (test.toml:6) = \"[ 1 ]\": must be a list of texts, such as [\"one\", \"two\"]",
          "accounts.registration (test.toml:8) = \"true\": must be text in quotes",
          "log.level (test.toml:10) = 1: must be one of \"debug\", \"info\", \"warning\", \"error\""));
}

TEST_F(Config, EveryNumberHasBounds) {
  for (const auto& setting : setting_table()) {
    if (setting.kind != SettingKind::integer) continue;
    const auto name = setting.general_variable();
    // At the bounds it may disagree with another setting, but is not out of bounds itself.
    for (const auto value : {setting.minimum, setting.maximum}) {
      for (const auto& line : problems("", {{name, std::to_string(value)}}))
        EXPECT_THAT(line, Not(HasSubstr("must be between")));
    }
    for (const auto& value : {std::to_string(setting.minimum - 1), std::to_string(setting.maximum + 1)}) {
      EXPECT_THAT(problems("", {{name, value}}),
                  ElementsAre(AllOf(HasSubstr("must be between"), HasSubstr(value), HasSubstr(name))));
    }
    for (const auto* value : {"1x", " 1", "0x1", "1.0", "99999999999999999999", "one"}) {
      EXPECT_THAT(problems("", {{name, value}}), ElementsAre(HasSubstr("must be a whole number")))
          << setting.key << value;
    }
  }
}

TEST_F(Config, ChoicesAreSpelledExactly) {
  EXPECT_THAT(
      problems("", {{"SAFAWINET__TOKENS__ALGORITHM", "eddsa"}}),
      ElementsAre("tokens.algorithm (SAFAWINET__TOKENS__ALGORITHM) = \"eddsa\": must be one of \"EdDSA\", \"ES256\", "
                  "\"RS256\""));
}

TEST_F(Config, ADatabaseUrlNamesItsSchemeAndNeedsAMasterKey) {
  EXPECT_THAT(
      problems("", {{"DATABASE_URL", "mysql://ann:hush@db/x"}}),
      ElementsAre("database.url (DATABASE_URL) = \"mysql://***@db/x\": must be a URL such as "
                  "\"postgresql://user:password@host:5432/safawinet\" (several hosts, with commas, are tried for "
                  "the one that takes writes)"));
  const std::string url = "postgresql://ann:hush@one:5432,two:5433/x";
  EXPECT_THAT(
      problems("", {{"DATABASE_URL", url}}),
      ElementsAre(::testing::StartsWith("secrets.master_key (default): must be set too (SAFAWINET_MASTER_KEY)")));
  const auto settings = fine("", {{"DATABASE_URL", url}, {"SAFAWINET_MASTER_KEY", std::string(kMasterKey)}});
  EXPECT_EQ(settings.database.url, url);
  EXPECT_THAT(show_text(settings), ::testing::Not(::testing::HasSubstr("hush")));
}

TEST_F(Config, TheUrlOfRedisIsReadFromFileAndEnvironmentAndShownWithoutItsPassword) {
  EXPECT_FALSE(fine("").cache.redis.has_value());
  EXPECT_EQ(fine("[cache]\nredis_url = 'redis://cache'").cache.redis->host, "cache");
  const auto settings = fine("", {{"REDIS_URL", "rediss://ann:hush@cache:6380/1"}});
  EXPECT_EQ(settings.cache.redis->password.reveal(), "hush");
  EXPECT_THAT(show_text(settings), AllOf(HasSubstr("\"rediss://***@cache:6380/1\""), Not(HasSubstr("hush"))));
  EXPECT_THAT(show_json(settings), AllOf(HasSubstr("rediss://***@cache:6380/1"), Not(HasSubstr("hush"))));
}

TEST_F(Config, AUrlOfRedisThatCannotBeReadIsNotRepeated) {
  EXPECT_THAT(problems("", {{"REDIS_URL", ":hush@cache:6379"}}),
              ElementsAre("cache.redis_url (REDIS_URL): must begin with \"redis://\", or with \"rediss://\" for TLS"));
  EXPECT_THAT(problems("[cache]\nredis_url = 'redis://:hush@cache:port'"),
              ElementsAre("cache.redis_url (test.toml:2): must have a port from 1 to 65535 behind the host"));
}

TEST_F(Config, SecretsNeverAppearInProblems) {
  const auto lines = problems("", {{"SAFAWINET_MASTER_KEY", "hush-hush"}, {"SAFAWINET_ADMIN_PASSWORD", "hush\thush"}});
  EXPECT_THAT(
      lines,
      ElementsAre(AllOf(HasSubstr("secrets.master_key (SAFAWINET_MASTER_KEY): must be 32 random bytes"),
                        Not(HasSubstr("hush"))),
                  AllOf(HasSubstr("accounts.admin_password (SAFAWINET_ADMIN_PASSWORD): must not contain control"),
                        Not(HasSubstr("hush")))));
}

TEST_F(Config, ASecretInAFileThatEverybodyMayReadIsRefused) {
  write("open.toml", "[secrets]\nmaster_key = \"" + std::string(kMasterKey) + "\"");
  std::filesystem::permissions("open.toml", std::filesystem::perms(0644));
  const auto settings = load({}, "open.toml");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error()[0].text(),
            "secrets.master_key (open.toml:2): is a secret in a file that everybody may read: `chmod o-rwx open.toml`, "
            "or use "
            "SAFAWINET_MASTER_KEY");
}

TEST_F(Config, TheAuditLogIsKeptForeverOrForThirtyDaysAtTheLeast) {
  for (const auto* days : {"0", "30", "36500"}) fine(std::string("[audit]\nretention_days = ") + days);
  EXPECT_THAT(problems("[audit]\nretention_days = 29\n"),
              ElementsAre(HasSubstr("must be 0 (for ever) or at least 30")));
}

TEST_F(Config, BadListItemsAreNamed) {
  EXPECT_THAT(problems("[http]\ntrusted_proxies = ['10.0.0.0/8', '10.0.0.1/8']\ncors_origins = ['*']\n[limits]\n"
                       "exempt_networks = ['here']\n"),
              ElementsAre(HasSubstr("has \"10.0.0.1/8\", which must not have bits set behind the prefix"),
                          HasSubstr("has \"*\", which must name each origin"),
                          HasSubstr("has \"here\", which must be a network such as")));
}

TEST_F(Config, BadTextsAreNamed) {
  EXPECT_THAT(problems("[http]\nlisten = 'example.com:80'\npublic_url = 'https://user:hush@example.com'\n"
                       "[accounts]\nadmin_email = 'admin'\n[mail]\nfrom = 'nobody'\n[tokens]\naudience = \"a\\nb\"\n"
                       "[storage]\ndata_dir = ''\n"),
              ElementsAre(HasSubstr("http.listen (test.toml:2) = \"example.com:80\": must be an IP address and a port"),
                          AllOf(HasSubstr("http.public_url"), Not(HasSubstr("hush"))),
                          HasSubstr("storage.data_dir (test.toml:11) = \"\": must name a folder"),
                          HasSubstr("accounts.admin_email (test.toml:5) = \"admin\": must be an e-mail address"),
                          HasSubstr("tokens.audience (test.toml:9) = \"a?b\": must not contain control characters"),
                          HasSubstr("mail.from (test.toml:7) = \"nobody\": must be an e-mail address")));
}

TEST_F(Config, TlsFilesMustBeThereAndComeInPairs) {
  write("chain.pem", "");
  EXPECT_THAT(
      problems("[tls]\ncertificate_file = 'chain.pem'\nca_file = 'none.pem'\n"),
      ElementsAre(
          HasSubstr("tls.ca_file (test.toml:3) = \"none.pem\": must be a file that this user may read: No such"),
          "tls.private_key_file (default): must be set too, since tls.certificate_file is"));
  EXPECT_THAT(problems("[tls]\nprivate_key_file = 'chain.pem'\n"),
              ElementsAre("tls.certificate_file (default): must be set too, since tls.private_key_file is"));
}

TEST_F(Config, SettingsMustFitTogether) {
  EXPECT_THAT(
      problems("[sessions]\nidle_days = 31\n"),
      ElementsAre("sessions.idle_days (test.toml:2) = 31: must not be more than sessions.absolute_days, which is 30"));
  EXPECT_THAT(problems("[http]\noperations_listen = '127.0.0.1:8080'\n"),
              ElementsAre(HasSubstr(
                  "http.operations_listen (test.toml:2) = \"127.0.0.1:8080\": must differ from http.listen")));
  EXPECT_THAT(problems("", {{"SAFAWINET_ADMIN_PASSWORD", "hush hush hush hush"}}),
              ElementsAre("accounts.admin_email (default): must be set too, since accounts.admin_password is"));
  EXPECT_THAT(problems("", {{"SAFAWINET_ADMIN_EMAIL", "a@example.com"}}), IsEmpty());
}

TEST_F(Config, AllProblemsAreReportedAtOnce) {
  EXPECT_EQ(
      problems("[http]\nlisten = 1\nlistn = 2\n[log]\nlevel = 'loud'\n",
               {{"DATABASE_URL", "x"}, {"REDIS_URL", "x"}, {"SAFAWINET__X", "x"}, {"SAFAWINET__WORKERS__COUNT", "-1"}})
          .size(),
      7U);
}

TEST_F(Config, ThePublicUrlFollowsTheListeningAddress) {
  EXPECT_EQ(public_url(fine(""), 8080), "http://127.0.0.1:8080");
  EXPECT_EQ(public_url(fine("", {{"SAFAWINET_LISTEN", "127.0.0.1:0"}}), 4711), "http://127.0.0.1:4711");
  EXPECT_EQ(public_url(fine("", {{"SAFAWINET_LISTEN", "0.0.0.0:80"}}), 80), "http://localhost:80");
  EXPECT_EQ(public_url(fine("", {{"SAFAWINET_LISTEN", "[::1]:80"}}), 80), "http://[::1]:80");
  EXPECT_EQ(public_url(fine("", {{"SAFAWINET_PUBLIC_URL", "https://a.example.com/"}}), 80), "https://a.example.com");
  write("pem", "");
  EXPECT_EQ(public_url(fine("[tls]\ncertificate_file = 'pem'\nprivate_key_file = 'pem'\n"), 8443),
            "https://127.0.0.1:8443");
}

TEST_F(Config, TheExampleChangesNothingAndHasEveryKey) {
  const auto example = example_text();
  const auto as_it_is = fine(example);
  for (const auto& setting : as_it_is.effective) EXPECT_EQ(setting.source, "default") << setting.key;
  const auto uncommented = fine(std::regex_replace(example, std::regex("\n#([a-z_]+ = )"), "\n$1"));
  EXPECT_EQ(uncommented.effective.size(), setting_table().size());
  for (std::size_t i = 0; i < uncommented.effective.size(); ++i) {
    EXPECT_EQ(uncommented.effective[i].value, as_it_is.effective[i].value) << uncommented.effective[i].key;
    EXPECT_THAT(uncommented.effective[i].source, HasSubstr("test.toml:")) << uncommented.effective[i].key;
  }
}

TEST_F(Config, ShowSaysWhereEachValueCameFromAndHidesSecrets) {
  const auto settings = fine("[sessions]\nidle_days = 3\n", {{"SAFAWINET_MASTER_KEY", std::string(kMasterKey)},
                                                             {"SAFAWINET_ADMIN_EMAIL", "a@example.com"},
                                                             {"SAFAWINET_ADMIN_PASSWORD", "hush hush hush hush"},
                                                             {"SAFAWINET__TOKENS__AUDIENCE", "https://ann:hush@api"}});
  const auto text = show_text(settings);
  EXPECT_THAT(text, HasSubstr("# file: test.toml\n"));
  EXPECT_TRUE(std::regex_search(text, std::regex("sessions.idle_days = 3 +# test.toml:2\n"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("http.listen = \"127.0.0.1:8080\" +# default\n"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("secrets.master_key = \"\\(hidden\\)\" +# SAFAWINET_MASTER_KEY\n")))
      << text;
  for (const auto& shown : {text, show_json(settings)}) {
    EXPECT_THAT(shown, AllOf(Not(HasSubstr("hush")), Not(HasSubstr(kMasterKey))));
    for (const auto& setting : setting_table()) EXPECT_THAT(shown, HasSubstr(std::string(setting.key)));
  }
}

TEST_F(Config, ShowJsonKeepsTheTypes) {
  const auto shown = parse_json(show_json(fine("[http]\ncors_origins = ['https://a.example.com']\n")));
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->at("file"), "test.toml");
  for (const auto& setting : shown->at("settings").as_array()) {
    if (setting.at("key") == "sessions.idle_days") {
      EXPECT_EQ(setting.at("value"), 14);
      EXPECT_EQ(setting.at("unit"), "days");
      EXPECT_EQ(setting.at("source"), "default");
    }
    if (setting.at("key") == "http.cors_origins") {
      EXPECT_EQ(setting.at("value"), (boost::json::array{"https://a.example.com"}));
      EXPECT_EQ(setting.at("source"), "test.toml:2");
    }
    if (setting.at("key") == "log.level") {
      EXPECT_EQ(setting.at("value"), "info");
    }
  }
}

TEST_F(Config, TheProcessEnvironmentIsRead) {
  setenv("SAFAWINET_TEST_OF_ENVIRONMENT", "a=b", 1);  // NOLINT(concurrency-mt-unsafe): there is one thread
  EXPECT_EQ(process_environment()["SAFAWINET_TEST_OF_ENVIRONMENT"], "a=b");
  unsetenv("SAFAWINET_TEST_OF_ENVIRONMENT");  // NOLINT(concurrency-mt-unsafe)
}

TEST(SettingTable, IsWellFormed) {
  std::vector<std::string_view> seen;
  std::string_view section;
  std::vector<std::string_view> sections;
  for (const auto& setting : setting_table()) {
    EXPECT_THAT(std::string(setting.key), ::testing::MatchesRegex("[a-z]+\\.[a-z_]+"));
    EXPECT_THAT(seen, Not(::testing::Contains(setting.key)));
    seen.push_back(setting.key);
    if (setting.section() != section) {
      section = setting.section();
      EXPECT_THAT(sections, Not(::testing::Contains(section))) << "its settings stand apart";
      sections.push_back(section);
    }
    EXPECT_TRUE(setting.meaning.ends_with('.')) << setting.key;
    EXPECT_EQ(setting.kind == SettingKind::choice, !setting.choices.empty()) << setting.key;
    EXPECT_EQ(setting.kind == SettingKind::integer, !setting.unit.empty()) << setting.key;
    EXPECT_NE(setting.store, nullptr) << setting.key;
    if (setting.is_secret) {
      EXPECT_TRUE(setting.initial.empty()) << setting.key;
    }
  }
}

TEST(SettingTable, IsWhatTheDocumentationSays) {
  std::ostringstream document;
  document << std::ifstream(SAFAWINET_SETTINGS_DOCUMENT).rdbuf();
  EXPECT_EQ(document.str(), markdown_text()) << "write docs/settings.md anew from markdown_text()";
}

}  // namespace
}  // namespace safawinet::config
