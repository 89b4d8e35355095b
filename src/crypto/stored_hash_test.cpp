#include "crypto/stored_hash.hpp"

#include <argon2.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/encoding.hpp"
#include "crypto/password.hpp"
#include "crypto/testing_vectors.hpp"

namespace safawinet {
namespace {

using testing::from_hex;

std::string code_of(std::string_view stored) {
  const auto read = StoredHash::read(stored);
  return read ? "accepted" : read.error().code;
}

bool matches(std::string_view stored, std::string_view password) {
  const auto read = StoredHash::read(stored);
  return read && read->matches(password);
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

struct Example {
  std::string_view password;
  std::string_view stored;
};

// From the standards and from the test suites and manuals of those who made the spellings; those without a source were
// made with Python's hashlib and crypt.
constexpr auto kExamples = std::to_array<Example>({
    // The reference implementation of argon2 (test.c).
    {"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
    {"password", "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E"},
    {"password", "$argon2i$m=256,t=2,p=2$c29tZXNhbHQ$tsEVYKap1h6scGt5ovl9aLRGOqOth+AMB+KwHpDFZPs"},
    {"password", "$argon2i$v=16$m=256,t=2,p=2$c29tZXNhbHQ$tsEVYKap1h6scGt5ovl9aLRGOqOth+AMB+KwHpDFZPs"},
    // crypt_blowfish (wrapper.c).
    {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
    {"password", "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"},
    {"password", "$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"},
    // passlib's manual; RFC 7914 section 12 as crypt(3) spells it (libsodium's test).
    {"password", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E"},
    {"password", "$scrypt$ln=8,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$OGZ34vuhVuZgbQrrWYGX+ejKIzaFO/WzrInjObMyv0g"},
    {"pleaseletmein", "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D"},
    // passlib's manual, and Django's tests.
    {"password", "$pbkdf2-sha256$8000$XAuBMIYQQogxRg$tRRlz8hYn63B9LYiCd6PRo6FMiunY9ozmMMI3srxeRE"},
    {"l\xc3\xa8tmein", "pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo="},
    {"password", "$pbkdf2$1000$.//.c2FsdDEyMzQ$aqpjH7f/GXwLp0mh.SuJZ2DGeE4"},
    {"password",
     "$pbkdf2-sha512$1000$.//.c2FsdDEyMzQ$m9Yxhcx6VhmtFdbUZfG5yvvKEvba6POlloCdK5cl."
     "cdcaIkaWjqhsBiqS5BXzxON6KZg29bHiVFfgzfR9FXs9Q"},
    {"password", "$pbkdf2-sha256$i=1000,l=32$+//+c2FsdDEyMzQ$2o3ISohLdD3SKxQ4xIL43Z2Ddk+z6lipMgyoR+KnrTc"},
    {"password", "$pbkdf2-sha256$i=1000$+//+c2FsdDEyMzQ$2o3ISohLdD3SKxQ4xIL43Z2Ddk+z6lipMgyoR+KnrTc"},
    {"password", "pbkdf2_sha1$1000$seasalt$C8KvRfPW529R7JpDHEDOP35Xr0g="},
    {"password",
     "pbkdf2_sha512$1000$seasalt$TCtBOEq+xXm+"
     "XNZRLfJoHDneh4iBM8b625BLGQLietyIGZ27aNH0oiYQ1uvtIKO2f60DdYIkgYbHnIAbnk1sWw="
     "="},
    // Drepper's specification of sha-crypt.
    {"Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
    {"Hello world!",
     "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
    {"Hello world!",
     "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/"
     "YTBmSK6H9qs/y3RnOaw5v."},
    {"password", "$y$j75$k2XAnEHBqQ1Ct2aMXFKNa/$m4lwJ4nFEuCl0FFCrU4dJtyuhT0Ai2jNWLnkYlySGEB"},
});

TEST(StoredHash, MatchesItsPasswordAndNoOther) {
  for (const auto& [password, stored] : kExamples) {
    EXPECT_TRUE(matches(stored, password)) << stored;
    EXPECT_FALSE(matches(stored, std::string(password) + " ")) << stored;
    EXPECT_FALSE(matches(stored, "")) << stored;
  }
}

TEST(StoredHash, OfAnotherLastBitMatchesNothing) {
  for (const auto& [password, stored] : kExamples) {
    std::string other(stored);
    auto& last = other[other.find_last_not_of('=') - 1];
    last = last == 'a' ? 'b' : 'a';
    EXPECT_FALSE(matches(other, password)) << stored;
  }
}

TEST(StoredHash, IsRefusedWhenItIsCutOrExtended) {
  for (const auto& [password, stored] : kExamples) {
    for (const std::size_t cut : {1U, 2U, 5U, 30U}) {
      EXPECT_FALSE(matches(stored.substr(0, stored.size() - cut), password)) << stored << " less " << cut;
    }
    for (const auto* extension : {"=", "$", "a", "aaaa", " ", "\n"}) {
      EXPECT_FALSE(matches(std::string(stored) + extension, password)) << stored << extension;
    }
    EXPECT_FALSE(matches(" " + std::string(stored), password)) << stored;
    EXPECT_FALSE(matches(std::string(stored) + std::string("\0", 1), password)) << stored;
  }
}

// RFC 9106 section 5: with a secret and associated data, which stored hashes do not have; so this checks the library.
TEST(StoredHash, ComputesArgon2AsRfc9106Shows) {
  const auto compute = [](argon2_type type) {
    Bytes password(32, 1);
    Bytes salt(16, 2);
    Bytes secret(8, 3);
    Bytes data(12, 4);
    Bytes tag(32);
    argon2_context context{};
    context.out = tag.data();
    context.outlen = 32;
    context.pwd = password.data();
    context.pwdlen = 32;
    context.salt = salt.data();
    context.saltlen = 16;
    context.secret = secret.data();
    context.secretlen = 8;
    context.ad = data.data();
    context.adlen = 12;
    context.t_cost = 3;
    context.m_cost = 32;
    context.lanes = 4;
    context.threads = 1;
    context.version = ARGON2_VERSION_13;
    EXPECT_EQ(argon2_ctx(&context, type), ARGON2_OK);
    return to_hex(tag);
  };
  EXPECT_EQ(compute(Argon2_d), "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb");
  EXPECT_EQ(compute(Argon2_i), "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8");
  EXPECT_EQ(compute(Argon2_id), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

// The library that makes our hashes, and the one that RFC 9106's vectors were checked with, agree.
TEST(StoredHash, OfOursIsWhatTheReferenceComputes) {
  for (const auto& cost : {PasswordCost{.memory_kib = 64, .passes = 1}, PasswordCost{}}) {
    const auto stored = PasswordHasher(cost).hash(*PasswordText::from("correct horse"));
    EXPECT_EQ(argon2id_verify(stored.c_str(), "correct horse", 13), ARGON2_OK) << stored;
    EXPECT_EQ(argon2id_verify(stored.c_str(), "correct hors", 12), ARGON2_VERIFY_MISMATCH) << stored;
  }
}

// And the other way round, with the lanes, salts and lengths that others use (Django: eight lanes).
TEST(StoredHash, OfTheReferenceIsWhatOursComputes) {
  const std::string salt(48, 's');
  for (const std::uint32_t lanes : {1U, 4U, 8U, 16U}) {
    for (const std::size_t hash_bytes : {16U, 32U, 64U}) {
      std::array<char, 256> text{};
      ASSERT_EQ(argon2id_hash_encoded(2, 1024, lanes, "password", 8, salt.data(), salt.size(), hash_bytes, text.data(),
                                      text.size()),
                ARGON2_OK);
      EXPECT_TRUE(matches(text.data(), "password")) << text.data();
      EXPECT_FALSE(matches(text.data(), "Password")) << text.data();
    }
  }
}

// RFC 6070, the third of its examples; RFC 7914 section 11 and section 12, the third of them.
TEST(StoredHash, ComputesPbkdf2AndScryptAsTheirRfcsShow) {
  const auto ordinary = [](std::string_view hex) {
    auto text = to_base64(from_hex(hex));
    while (text.ends_with('=')) text.pop_back();
    return text;
  };
  const auto salted = [&](std::string_view text) { return ordinary(to_hex(as_bytes(text))); };
  EXPECT_TRUE(
      matches("$pbkdf2-sha1$i=4096,l=20$" + salted("salt") + "$" + ordinary("4b007901b765489abead49d926f721d065a429c1"),
              "password"));
  EXPECT_TRUE(matches("$pbkdf2-sha256$i=80000$" + salted("NaCl") + "$" +
                          ordinary("4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"),
                      "Password"));
  EXPECT_TRUE(matches("$scrypt$ln=14,r=8,p=1$" + salted("SodiumChloride") + "$" +
                          ordinary("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                                   "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"),
                      "pleaseletmein"));
}

TEST(StoredHash, OfBcryptKnowsTheFirst72BytesAsItDidWhereItWasMade) {
  // crypt_blowfish's own example of it.
  const std::string stored = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
  const std::string known = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  ASSERT_EQ(known.size(), 72U);
  EXPECT_TRUE(matches(stored, known));
  EXPECT_TRUE(matches(stored, known + "chars after 72 are ignored"));
  EXPECT_TRUE(matches(stored, known + std::string(900, 'x')));
  EXPECT_FALSE(matches(stored, known.substr(0, 71)));
}

TEST(StoredHash, OfBcryptMayHaveBitsInItsSaltThatMeanNothing) {
  const std::string stored = "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm";
  EXPECT_TRUE(matches(replaced(stored, "tuug", "tuvg"), "password"));
}

TEST(StoredHash, OfCryptKnowsNoPasswordWithANulAndNoneThatItCannotTakeWhole) {
  const std::string bcrypt = "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm";
  EXPECT_FALSE(matches(bcrypt, std::string("password\0", 9)));
  EXPECT_FALSE(matches(bcrypt, std::string("password\0tail", 13)));
  const std::string sha = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
  EXPECT_FALSE(matches(sha, std::string("Hello world!\0", 13)));
  EXPECT_FALSE(matches(sha, std::string(1024, 'x')));
}

TEST(StoredHash, IsReadUpToTheLimitsOfItsSchemeAndNotBeyond) {
  const std::string argon2_tail = "$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E";
  const std::string scrypt_tail = "$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E";
  const std::string bcrypt_tail = "abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm";
  const std::string crypt_tail = "SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D";
  const std::string pbkdf2_tail = "$XAuBMIYQQogxRg$tRRlz8hYn63B9LYiCd6PRo6FMiunY9ozmMMI3srxeRE";
  const std::string sha_tail = "$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
  const std::string sha512_tail =
      "$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
  const std::string yescrypt_tail = "$k2XAnEHBqQ1Ct2aMXFKNa/$m4lwJ4nFEuCl0FFCrU4dJtyuhT0Ai2jNWLnkYlySGEB";
  for (const auto& [stored, code] : std::vector<std::pair<std::string, std::string>>{
           {"$argon2id$v=19$m=262144,t=8,p=16" + argon2_tail, "accepted"},
           {"$argon2id$v=19$m=262144,t=9,p=1" + argon2_tail, "too-costly"},
           {"$argon2id$v=19$m=262145,t=1,p=1" + argon2_tail, "too-costly"},
           {"$argon2i$v=19$m=4096,t=17,p=1" + argon2_tail, "too-costly"},
           {"$argon2i$m=4096,t=1,p=17" + argon2_tail, "too-costly"},
           {"$argon2i$v=19$m=4294967296,t=1,p=1" + argon2_tail, "too-costly"},
           {"$argon2i$v=19$m=99999999999999999999,t=1,p=1" + argon2_tail, "too-costly"},
           {"$argon2id$v=19$m=127,t=1,p=16" + argon2_tail, "malformed"},
           {"$2b$15$" + bcrypt_tail, "accepted"},
           {"$2b$16$" + bcrypt_tail, "too-costly"},
           {"$2b$31$" + bcrypt_tail, "too-costly"},
           {"$2b$99$" + bcrypt_tail, "too-costly"},
           {"$2b$03$" + bcrypt_tail, "malformed"},
           {"$scrypt$ln=18,r=8,p=2" + scrypt_tail, "accepted"},
           {"$scrypt$ln=17,r=8,p=4" + scrypt_tail, "accepted"},
           {"$scrypt$ln=18,r=8,p=3" + scrypt_tail, "too-costly"},
           {"$scrypt$ln=19,r=8,p=1" + scrypt_tail, "too-costly"},
           {"$scrypt$ln=63,r=8,p=1" + scrypt_tail, "too-costly"},
           {"$scrypt$ln=64,r=1,p=1" + scrypt_tail, "too-costly"},
           {"$scrypt$ln=15,r=1,p=1" + scrypt_tail, "accepted"},
           {"$scrypt$ln=16,r=1,p=1" + scrypt_tail, "malformed"},  // RFC 7914: cannot have been computed
           {"$scrypt$ln=1,r=4294967295,p=4294967295" + scrypt_tail, "too-costly"},
           {"$scrypt$ln=31,r=65535,p=65535" + scrypt_tail, "too-costly"},
           {"$7$E6....1...." + crypt_tail, "accepted"},  // 64 MiB times 3
           {"$7$G6..../...." + crypt_tail, "accepted"},
           {"$7$H6..../...." + crypt_tail, "too-costly"},
           {"$7$zzzzzz/...." + crypt_tail, "too-costly"},
           {"$7$C6....zzzzz" + crypt_tail, "too-costly"},
           {"$7$C....../...." + crypt_tail, "malformed"},
           {"$pbkdf2$2000000$XAuBMIYQQogxRg$aqpjH7f/GXwLp0mh.SuJZ2DGeE4", "accepted"},
           {"$pbkdf2$2000001$XAuBMIYQQogxRg$aqpjH7f/GXwLp0mh.SuJZ2DGeE4", "too-costly"},
           {"$pbkdf2$1000" + pbkdf2_tail, "malformed"},  // longer than SHA-1 gives: another round of all iterations
           {"$pbkdf2-sha256$2000000" + pbkdf2_tail, "accepted"},
           {"$pbkdf2-sha256$2000001" + pbkdf2_tail, "too-costly"},
           {"$pbkdf2-sha256$4294967296" + pbkdf2_tail, "too-costly"},
           {"$pbkdf2-sha512$2000001" + pbkdf2_tail, "too-costly"},
           {"pbkdf2_sha256$2000001$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=", "too-costly"},
           {"$pbkdf2-sha256$i=2000001,l=32" + pbkdf2_tail, "too-costly"},
           {"$pbkdf2-sha256$i=1000,l=31" + pbkdf2_tail, "malformed"},
           {"$5$rounds=1000000" + sha_tail, "accepted"},
           {"$5$rounds=1000001" + sha_tail, "too-costly"},
           {"$5$rounds=999999999" + sha_tail, "too-costly"},
           {"$5$rounds=999" + sha_tail, "malformed"},
           {"$6$rounds=1000000" + sha512_tail, "accepted"},
           {"$6$rounds=1000001" + sha512_tail, "too-costly"},
           {"$y$jDT" + yescrypt_tail, "accepted"},
           {"$y$jET" + yescrypt_tail, "too-costly"},
           {"$y$jzT" + yescrypt_tail, "too-costly"},
           {"$y$j9z" + yescrypt_tail, "malformed"},
       }) {
    EXPECT_EQ(code_of(stored), code) << stored;
  }
}

TEST(StoredHash, OfAnotherSchemeOrSpellingIsRefusedAndSaysSo) {
  const std::string tail = "$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E";
  for (const auto& stored : std::vector<std::string>{
           "", "plain", "5f4dcc3b5aa765d61d8327deb882cf99", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
           "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3", "$argon2d$v=19$m=256,t=2,p=2" + tail,
           "$Argon2id$v=19$m=256,t=2,p=2" + tail, "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
           "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$md5$rounds=5000$", "*0", "*", "!",
           "$gy$j9T$k2XAnEHBqQ1Ct2aMXFKNa/$m4lwJ4nFEuCl0FFCrU4dJtyuhT0Ai2jNWLnkYlySGEB"}) {
    EXPECT_EQ(code_of(stored), "unknown-scheme") << stored;
  }
  for (const auto& stored : std::vector<std::string>{
           "$argon2id$v=18$m=256,t=2,p=2" + tail, "$argon2id$v=19$t=2,m=256,p=2" + tail,
           "$argon2id$v=19$m=256,t=2,p=2,keyid=aa" + tail, "$argon2id$v=19$m=0256,t=2,p=2" + tail,
           "$argon2i$v=19$m=256,t=0,p=2" + tail, "$argon2i$v=19$m=256,t=2,p=2$c29t$" + tail.substr(13),
           std::string("$2b$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
           std::string("$2b$05$CCCCCCCCCCCCCCCCCCCCC:E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
           std::string("$5$salt:string$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
           std::string("$5$$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"), std::string(2000, '$')}) {
    EXPECT_NE(code_of(stored), "accepted") << stored;
    EXPECT_NE(code_of(stored), "too-costly") << stored;
  }
}

TEST(StoredHash, IsRefusedWithASentenceThatDoesNotRepeatIt) {
  const auto refused = StoredHash::read("$2b$31$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "asks for more than 15 as its cost, the most that is computed for bcrypt");
  EXPECT_EQ(StoredHash::read("hunter2").error().detail.find("hunter2"), std::string::npos);
}

TEST(StoredHash, HasALimitForEveryScheme) {
  for (int scheme = 0; scheme <= static_cast<int>(HashScheme::yescrypt); ++scheme) {
    EXPECT_TRUE(std::ranges::any_of(hash_limits(), [&](const HashLimit& limit) {
      return limit.scheme == static_cast<HashScheme>(scheme);
    })) << name_of(static_cast<HashScheme>(scheme));
  }
}

}  // namespace
}  // namespace safawinet
