// Ids, times, encodings, secrets, chance.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <type_traits>
#include <unordered_set>

#include "base/ascii.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/signals_blocked.hpp"
#include "base/testing.hpp"

namespace safawinet {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

std::string text_of_bytes(const std::optional<Bytes>& bytes) {
  return bytes ? std::string(bytes->begin(), bytes->end()) : "refused";
}

TEST(Uuid, ReadsTheFormWithHyphensInEitherCase) {
  const auto lower = Uuid::parse("01890a5d-ac96-774b-bcce-b302099a8057");
  ASSERT_TRUE(lower);
  EXPECT_EQ(lower, Uuid::parse("01890A5D-AC96-774B-BCCE-B302099A8057"));
  EXPECT_EQ(lower->text(), "01890a5d-ac96-774b-bcce-b302099a8057");
}

TEST(Uuid, RefusesEverythingElse) {
  for (const auto* text : {"", "01890a5dac96774bbcceb302099a8057", "01890a5d-ac96-774b-bcce-b302099a805",
                           "01890a5d-ac96-774b-bcce-b302099a80570", "01890a5d-ac96-774b-bcce-b302099a805g",
                           "01890a5d-ac96-774b-bcceb-302099a8057", "{1890a5d-ac96-774b-bcce-b302099a805}",
                           "01890a5d-ac96-774b-bcce-b302099a80-7"}) {
    EXPECT_FALSE(Uuid::parse(text)) << text;
  }
}

TEST(Uuid, Version7SortsByTime) {
  testing::SeededRandom random;
  testing::ManualClock clock;
  auto previous = UserId::make(clock, random).text();
  for (int i = 0; i < 100; ++i) {
    clock.advance(1ms);
    const auto next = UserId::make(clock, random).text();
    EXPECT_LT(previous, next);
    EXPECT_EQ(next[14], '7');
    EXPECT_THAT(std::string("89ab"), ::testing::HasSubstr(next.substr(19, 1)));
    previous = next;
  }
}

TEST(Uuid, Version7HoldsTheMilliseconds) {
  testing::SeededRandom random;
  const auto id = Uuid::version7(*parse_rfc3339("2022-02-22T19:22:22Z"), random);  // the example of RFC 9562, A.6
  EXPECT_EQ(id.text().substr(0, 15), "017f22e2-79b0-7");
}

TEST(Uuid, TwoOfOneMomentDiffer) {
  testing::SeededRandom random;
  const testing::ManualClock clock;
  std::unordered_set<SessionId> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(SessionId::make(clock, random));
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Id, KindsDoNotMix) {
  static_assert(!std::is_convertible_v<UserId, SessionId>);
  static_assert(!std::is_constructible_v<SessionId, UserId>);
  EXPECT_FALSE(UserId::parse("nonsense"));
}

TEST(Time, IsWrittenWithSixDigits) {
  EXPECT_EQ(to_rfc3339(Time(0us)), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(Time(-1us)), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("2024-02-29T23:59:59.1234567Z")), "2024-02-29T23:59:59.123456Z");
}

TEST(Time, ReadsOffsetsAndFractions) {
  const auto reference = parse_rfc3339("2026-11-24T20:25:53Z");
  ASSERT_TRUE(reference);
  for (const auto* text : {"2026-11-24T21:25:53+01:00", "2026-11-24T14:55:53.000-05:30", "2026-11-24t20:25:53z",
                           "2026-11-24 20:25:53.000000000Z", "2026-11-25T00:10:53+03:45"}) {
    EXPECT_EQ(parse_rfc3339(text), reference) << text;
  }
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const auto* text :
       {"", "2026-11-24", "2026-11-24T20:25:53", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-11-24T24:00:00Z", "2026-11-24T20:60:00Z", "2026-11-24T20:25:61Z", "2026-11-24T20:25:53.Z",
        "2026-11-24T20:25:53.0123456789Z", "2026-11-24T20:25:53+24:00", "2026-11-24T20:25:53+0100",
        "2026-11-24T20:25:53Zx", "26-11-24T20:25:53Z", "2026-11-24T20:25:5:Z", "-026-11-24T20:25:53Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Time, SurvivesTheRoundTrip) {
  for (const auto value : {0L, 1L, 1'800'000'000'123'456L, 253'402'300'799'999'999L, -62'167'219'200'000'000L}) {
    const Time time{std::chrono::microseconds(value)};
    EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time);
  }
}

TEST(DatabaseClock, FollowsTheMachineBeforeItHasSeenTheDatabase) {
  testing::ManualClock machine;
  const DatabaseClock clock(machine);
  EXPECT_EQ(clock.now(), machine.now());
  machine.advance(std::chrono::seconds(1));
  EXPECT_EQ(clock.now(), machine.now());
}

TEST(DatabaseClock, IsCorrectedAsFarAsAnAnswerProvesItWrong) {
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  testing::ManualClock machine;
  DatabaseClock clock(machine);
  const auto observe = [&](milliseconds round_trip, std::chrono::microseconds ahead) {
    const auto began = machine.monotonic();
    const auto there = machine.now() + ahead;
    machine.advance(round_trip);
    clock.observe(began, machine.monotonic(), there);
  };
  observe(milliseconds(10), milliseconds(5));
  EXPECT_EQ(clock.now(), machine.now()) << "both can be right";
  observe(milliseconds(10), minutes(5));
  EXPECT_EQ(clock.now(), machine.now() + minutes(5) - milliseconds(10)) << "behind: the answer may be that old";
  observe(milliseconds(2), minutes(5));
  EXPECT_EQ(clock.now(), machine.now() + minutes(5) - milliseconds(2));
  observe(std::chrono::seconds(30), minutes(5));
  EXPECT_EQ(clock.now(), machine.now() + minutes(5) - milliseconds(2)) << "a slow answer says little";
  observe(milliseconds(1), -minutes(5));
  EXPECT_EQ(clock.now(), machine.now() - minutes(5)) << "ahead";
}

TEST(DatabaseClock, DoesNotCareAboutAMachineClockThatIsSet) {
  struct SetClock final : Clock {
    [[nodiscard]] Time now() const override { return time; }
    [[nodiscard]] MonotonicTime monotonic() const override { return moment; }
    Time time{std::chrono::seconds(1'800'000'000)};
    MonotonicTime moment{std::chrono::hours(1)};
  };
  SetClock machine;
  DatabaseClock clock(machine);
  const auto there = machine.time;
  clock.observe(machine.moment, machine.moment, there);
  machine.time -= std::chrono::hours(24);
  machine.moment += std::chrono::seconds(7);
  EXPECT_EQ(clock.now(), there + std::chrono::seconds(7));
}

TEST(SystemClock, MovesForward) {
  const SystemClock clock;
  const auto before = clock.monotonic();
  EXPECT_GE(clock.monotonic(), before);
  EXPECT_GT(clock.now(), *parse_rfc3339("2020-01-01T00:00:00Z"));
}

TEST(ManualClock, MovesOnlyWhenTold) {
  testing::ManualClock clock;
  const auto now = clock.now();
  const auto monotonic = clock.monotonic();
  EXPECT_EQ(clock.now(), now);
  clock.advance(5s);
  EXPECT_EQ(clock.now() - now, 5s);
  EXPECT_EQ(clock.monotonic() - monotonic, 5s);
}

TEST(Base64, MatchesTheVectorsOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> vectors{{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    EXPECT_EQ(text_of_bytes(from_base64(encoded)), plain);
    const auto unpadded = encoded.substr(0, encoded.find('='));
    EXPECT_EQ(to_base64url(as_bytes(plain)), unpadded);
    EXPECT_EQ(text_of_bytes(from_base64url(unpadded)), plain);
  }
}

TEST(Base64, UsesTheRightAlphabet) {
  const Bytes bytes{0xFB, 0xEF, 0xFF};
  EXPECT_EQ(to_base64url(bytes), "--__");
  EXPECT_EQ(to_base64(bytes), "++//");
  EXPECT_FALSE(from_base64url("++//"));
  EXPECT_FALSE(from_base64("--__"));
}

TEST(Base64, RefusesSecondSpellings) {
  for (const auto* text : {"Zg==", "Zh", "Zm9", "Z", "Zm9v ", "Zm9v\n", "Zm 9v", "Zm8="}) {
    EXPECT_FALSE(from_base64url(text)) << text;
  }
  for (const auto* text : {"Zg", "Zh==", "Zm9=", "Zg=", "Zg===", "=", "====", "Zm9v====", "Z===", "=Zg="}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

TEST(Base64, SurvivesTheRoundTripAtEverySize) {
  testing::SeededRandom random;
  for (std::size_t size = 0; size < 100; ++size) {
    Bytes bytes(size);
    random.fill(std::as_writable_bytes(std::span(bytes)));
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
}

TEST(Hex, IsLowerCase) { EXPECT_EQ(to_hex(Bytes{0x00, 0xAB, 0xFF}), "00abff"); }

TEST(SecretText, ShowsItselfOnlyWhenAsked) {
  static_assert(!std::is_convertible_v<SecretText, std::string>);
  static_assert(!std::is_convertible_v<SecretText, std::string_view>);
  static_assert(!std::is_convertible_v<std::string, SecretText>);
  EXPECT_EQ(SecretText("hush").reveal(), "hush");
}

TEST(SecretText, LeavesNothingBehindWhenMoved) {
  SecretText first("a secret that is longer than the small string buffer");
  const SecretText second(std::move(first));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that it is empty is the promise
  SecretText third("x");
  SecretText fourth("short");
  third = std::move(fourth);
  EXPECT_EQ(third.reveal(), "short");
  EXPECT_TRUE(fourth.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.reveal(), "a secret that is longer than the small string buffer");
}

TEST(SecretText, CopiesOnItsOwn) {
  SecretText first("one");
  SecretText second("two");
  second = first;
  first = SecretText("three");
  EXPECT_EQ(second.reveal(), "one");
}

TEST(Printable, KeepsAsMuchAsIsAskedForAndNothingThatADatabaseOrATerminalCouldTakeAmiss) {
  EXPECT_EQ(printable("550 5.1.1 no such user", 100), "550 5.1.1 no such user");
  EXPECT_EQ(printable("550 5.1.1 no such user", 9), "550 5.1.1");
  EXPECT_EQ(printable("a\0b\r\n\x1B[2J\x7F"sv, 100), "a?b???[2J?");
  EXPECT_EQ(printable("\xE9t\xC3\xA9", 4), "?t??");
  EXPECT_EQ(printable("", 4), "");
}

TEST(SystemRandom, FillsTheWholeBuffer) {
  SystemRandom random;
  std::array<std::byte, 1000> buffer{};
  random.fill(buffer);
  std::set<std::byte> values(buffer.begin(), buffer.end());
  EXPECT_GT(values.size(), 100U);
}

TEST(Refuse, MakesAnErrorOfAnyResult) {
  const Status status = refuse(ErrorCode::conflict, "is taken");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::conflict);
  EXPECT_EQ(status.error().detail.text, "is taken");
  const Result<int> result = refuse(Error{.code = ErrorCode::not_found, .cause = {"for the log"}});
  EXPECT_EQ(result.error().cause.text, "for the log");
}

bool is_blocked(int signal) {
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return sigismember(&now, signal) == 1;
}

TEST(SignalsBlocked, OneInsideAnotherUnblocksNothing) {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  ASSERT_FALSE(is_blocked(SIGINT));
  {
    const SignalsBlocked outer(interrupt);
    {
      const SignalsBlocked inner(interrupt);
    }
    EXPECT_TRUE(is_blocked(SIGINT));
  }
  EXPECT_FALSE(is_blocked(SIGINT));
}

}  // namespace
}  // namespace safawinet
