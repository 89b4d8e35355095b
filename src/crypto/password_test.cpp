#include "crypto/password.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace safawinet {
namespace {

// Cheap, so that the tests are.
const PasswordHasher& hasher() {
  static const PasswordHasher cheap({.memory_kib = 64, .passes = 1});
  return cheap;
}

PasswordText text(std::string_view raw) { return PasswordText::from(raw).value(); }

std::string refusal(std::string_view raw) {
  const auto password = PasswordText::from(raw);
  return password ? "accepted" : password.error().code;
}

TEST(PasswordText, IsTheSameHoweverItWasTyped) {
  const auto composed = text("gr\xc3\xbc\xc3\x9f dich");     // ü, ß
  const auto decomposed = text("gru\xcc\x88\xc3\x9f dich");  // u and a combining diaeresis
  EXPECT_EQ(composed.reveal(), decomposed.reveal());
  EXPECT_EQ(composed.length(), 9U);
  EXPECT_EQ(text("\xe2\x84\xab").reveal(), "\xc3\x85");                               // ANGSTROM SIGN is Å
  EXPECT_EQ(text("\xe1\x84\x80\xe1\x85\xa1").reveal(), "\xea\xb0\x80");               // Hangul
  EXPECT_EQ(text("q\xcc\xa3\xcc\x87").reveal(), text("q\xcc\x87\xcc\xa3").reveal());  // order of marks
}

TEST(PasswordText, IsOtherwiseLeftAlone) {
  EXPECT_EQ(text("  Two  spaces ").reveal(), "  Two  spaces ");
  EXPECT_EQ(text("\xef\xac\x81").reveal(), "\xef\xac\x81");  // the ligature fi: NFC, not NFKC
  EXPECT_EQ(text(std::string("a\0b", 3)).reveal(), std::string("a\0b", 3));
  EXPECT_EQ(text("").length(), 0U);
}

TEST(PasswordText, IsCountedInCodePointsAndNeverCut) {
  std::string keys;
  for (int i = 0; i < 256; ++i) keys += "\xf0\x9f\x94\x91";
  EXPECT_EQ(text(keys).length(), 256U);
  EXPECT_EQ(text(keys).reveal(), keys);
  EXPECT_EQ(refusal(keys + "a"), "too-long");
  EXPECT_EQ(refusal(std::string(256, 'a')), "accepted");
  EXPECT_EQ(refusal(std::string(257, 'a')), "too-long");
  EXPECT_EQ(refusal(std::string(1'000'000, 'a')), "too-long");
  std::string decomposed;
  for (int i = 0; i < 256; ++i) decomposed += "u\xcc\x88";
  EXPECT_EQ(text(decomposed).length(), 256U);
}

TEST(PasswordText, RefusesWhatIsNotUtf8) {
  for (const auto* raw : {"\xff", "abc\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80"}) {
    EXPECT_EQ(refusal(raw), "not-unicode");
  }
}

TEST(PasswordHasher, MatchesThePasswordAndNoOther) {
  const auto stored = hasher().hash(text("correct horse"));
  EXPECT_TRUE(hasher().verify(stored, text("correct horse")).matches);
  EXPECT_FALSE(hasher().verify(stored, text("correct horse")).needs_rehash);
  for (const auto* other : {"correct hors", "correct horse ", "Correct horse", "", "correct horsf"}) {
    EXPECT_FALSE(hasher().verify(stored, text(other)).matches) << other;
  }
}

TEST(PasswordHasher, CutsNothingOff) {
  const std::string prefix(255, 'p');
  const auto stored = hasher().hash(text(prefix + "a"));
  EXPECT_TRUE(hasher().verify(stored, text(prefix + "a")).matches);
  EXPECT_FALSE(hasher().verify(stored, text(prefix + "b")).matches);
  const auto with_nul = hasher().hash(text(std::string("ab\0cd", 5)));
  EXPECT_FALSE(hasher().verify(with_nul, text(std::string("ab\0ce", 5))).matches);
}

TEST(PasswordHasher, SaltsEachHash) { EXPECT_NE(hasher().hash(text("same")), hasher().hash(text("same"))); }

TEST(PasswordHasher, HashesAtOwaspsCostByDefault) {
  const PasswordHasher standard;
  const auto stored = standard.hash(text("a long enough password"));
  EXPECT_TRUE(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << stored;
  EXPECT_EQ(stored.size(), 97U);
  EXPECT_TRUE(standard.verify(stored, text("a long enough password")).matches);
}

TEST(PasswordHasher, AsksForANewHashWhenTheCostHasMoved) {
  const auto stored = hasher().hash(text("password"));
  const PasswordHasher dearer({.memory_kib = 128, .passes = 1});
  EXPECT_TRUE(dearer.verify(stored, text("password")).matches);
  EXPECT_TRUE(dearer.verify(stored, text("password")).needs_rehash);
  EXPECT_FALSE(dearer.verify(stored, text("other")).needs_rehash);
}

// Hashes made by the reference implementation (its own test suite's inputs), one with two lanes.
TEST(PasswordHasher, VerifiesHashesOfOtherImplementations) {
  const auto one_lane = hasher().verify(
      "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", text("password"));
  EXPECT_TRUE(one_lane.matches);
  EXPECT_TRUE(one_lane.needs_rehash);
  EXPECT_TRUE(hasher()
                  .verify("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
                          text("password"))
                  .matches);
}

// Hashes of other schemes (stored_hash_test.cpp has them all) are asked to be replaced by ours.
TEST(PasswordHasher, AsksForANewHashOfAnotherScheme) {
  for (const auto* stored : {"$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm",
                             "pbkdf2_sha1$1000$seasalt$C8KvRfPW529R7JpDHEDOP35Xr0g=",
                             "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E"}) {
    const auto outcome = hasher().verify(stored, text("password"));
    EXPECT_TRUE(outcome.matches) << stored;
    EXPECT_TRUE(outcome.needs_rehash) << stored;
    EXPECT_FALSE(hasher().verify(stored, text("Password")).matches) << stored;
  }
}

TEST(PasswordHasher, TakesThePasswordAsItWasTypedWhereAnotherSystemDid) {
  const std::string typed = "Ju\xcc\x88rgen und Kurt";  // u and a combining diaeresis
  const std::string imported = "$2b$04$abcdefghijklmnopqrstuu5wQC4siqe23RBoW/Px8SWcak4JeYwZq";
  EXPECT_TRUE(hasher().verify(imported, text(typed)).matches);
  EXPECT_TRUE(hasher().verify(imported, text(typed)).needs_rehash);
  EXPECT_FALSE(hasher().verify(imported, text("J\xc3\xbcrgen und Kurt")).matches);
  const auto ours = hasher().hash(text(typed));
  EXPECT_FALSE(hasher().verify(ours, text(typed)).needs_rehash);
  EXPECT_TRUE(hasher().verify(ours, text("J\xc3\xbcrgen und Kurt")).matches);
}

TEST(PasswordHasher, RefusesAbsurdOrMalformedHashesAtOnce) {
  const std::string tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& stored : std::vector<std::string>{
           std::string(),
           std::string("x"),
           std::string("$argon2id$"),
           "$argon2id$v=19$m=4194304,t=2,p=1" + tail,
           "$argon2id$v=19$m=262145,t=1,p=1" + tail,
           "$argon2id$v=19$m=4294967295,t=1,p=1" + tail,
           "$argon2id$v=19$m=4294967296,t=1,p=1" + tail,
           "$argon2id$v=19$m=65536,t=17,p=1" + tail,
           "$argon2id$v=19$m=65536,t=4294967295,p=1" + tail,
           "$argon2id$v=19$m=65536,t=2,p=17" + tail,
           "$argon2id$v=19$m=65536,t=2,p=16777215" + tail,
           "$argon2id$v=19$m=65536,t=0,p=1" + tail,
           "$argon2id$v=19$m=65536,t=2,p=0" + tail,
           "$argon2id$v=19$m=0,t=2,p=1" + tail,
           "$argon2id$v=19$m=7,t=2,p=1" + tail,
           "$argon2id$v=19$m=065536,t=2,p=1" + tail,
           "$argon2id$v=19$m=+65536,t=2,p=1" + tail,
           "$argon2id$v=19$m=65536,t=2,p=1" + tail + "$",
           "$argon2id$v=19$m=65536,t=2,p=1" + tail + "=",
           "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
           std::string("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"),
           "$argon2id$v=19$m=65536,t=2,p=1$$" + tail.substr(13),
           "$argon2id$v=19$t=2,m=65536,p=1" + tail,
           "$argon2id$v=18$m=65536,t=2,p=1" + tail,
           "$argon2d$v=19$m=65536,t=2,p=1" + tail,
           "$Argon2id$v=19$m=65536,t=2,p=1" + tail,
           std::string("$2b$31$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"),
           std::string("$7$zzzzzzzzzzzSodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtDcdKvEqHJLV8D"),
           std::string("pbkdf2_sha256$4294967295$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo="),
           std::string("$6$rounds=999999999$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/"
                       "UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."),
           std::string("plain"),
       }) {
    const auto outcome = hasher().verify(stored, text("password"));
    EXPECT_FALSE(outcome.matches) << stored;
    EXPECT_FALSE(outcome.needs_rehash) << stored;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(100));
}

TEST(PasswordHasher, RefusesAnAbsurdCostOfItsOwn) {
  EXPECT_THROW(PasswordHasher({.memory_kib = 4, .passes = 1}), std::invalid_argument);
  EXPECT_THROW(PasswordHasher({.memory_kib = 1 << 20, .passes = 1}), std::invalid_argument);
  EXPECT_THROW(PasswordHasher({.memory_kib = 64, .passes = 0}), std::invalid_argument);
}

TEST(PasswordHasher, HasADummyThatCostsTheSameAndMatchesNothing) {
  const PasswordHasher standard;
  const auto& dummy = standard.dummy_hash();
  EXPECT_TRUE(dummy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_EQ(dummy.size(), 97U);
  const auto cost_of = [&](const std::string& stored) {
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 5; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_FALSE(standard.verify(stored, text("wrong password")).matches);
      best = std::min(best, std::chrono::steady_clock::now() - begin);
    }
    return best;
  };
  const auto real = cost_of(standard.hash(text("a real password")));
  const auto fake = cost_of(dummy);
  EXPECT_GT(fake * 2, real) << "the dummy was refused without being computed";
  EXPECT_LT(fake, real * 2);
}

}  // namespace
}  // namespace safawinet
