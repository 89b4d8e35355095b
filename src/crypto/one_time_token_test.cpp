#include "crypto/one_time_token.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.hpp"
#include "base/testing.hpp"
#include "crypto/digest.hpp"

namespace safawinet {
namespace {

using testing::SeededRandom;

constexpr auto kPurposes = {OneTimePurpose::verify_email, OneTimePurpose::reset_password, OneTimePurpose::change_email,
                            OneTimePurpose::invite};

TEST(OneTimeToken, IsFoundByTheHashOfItsText) {
  SeededRandom random;
  for (const auto purpose : kPurposes) {
    const auto token = make_one_time_token(purpose, random);
    EXPECT_EQ(token.text.reveal().size(), 49U);
    EXPECT_EQ(token.hash, to_hex(sha256(as_bytes(token.text.reveal()))));
    EXPECT_EQ(hash_one_time_token(purpose, token.text.reveal()), token.hash);
  }
}

TEST(OneTimeToken, SaysWhatItIsFor) {
  SeededRandom random;
  EXPECT_TRUE(make_one_time_token(OneTimePurpose::verify_email, random).text.reveal().starts_with("sf_ev_"));
  EXPECT_TRUE(make_one_time_token(OneTimePurpose::reset_password, random).text.reveal().starts_with("sf_pr_"));
  EXPECT_TRUE(make_one_time_token(OneTimePurpose::change_email, random).text.reveal().starts_with("sf_ec_"));
  EXPECT_TRUE(make_one_time_token(OneTimePurpose::invite, random).text.reveal().starts_with("sf_in_"));
}

TEST(OneTimeToken, IsNeverTheSameTwice) {
  SeededRandom random;
  EXPECT_NE(make_one_time_token(OneTimePurpose::invite, random).text.reveal(),
            make_one_time_token(OneTimePurpose::invite, random).text.reveal());
}

TEST(OneTimeToken, OfAnotherPurposeOrShapeHasNoHash) {
  SeededRandom random;
  const std::string text(make_one_time_token(OneTimePurpose::verify_email, random).text.reveal());
  EXPECT_FALSE(hash_one_time_token(OneTimePurpose::reset_password, text));
  for (const auto& other :
       {std::string(), std::string("sf_ev_"), text + "A", text + "=", " " + text, text.substr(0, text.size() - 1),
        text.substr(0, 48) + "!", text.substr(6), "SF" + text.substr(2)}) {
    EXPECT_FALSE(hash_one_time_token(OneTimePurpose::verify_email, other)) << other;
  }
}

}  // namespace
}  // namespace safawinet
