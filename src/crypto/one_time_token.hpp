// One-time tokens: what a mail's link carries to prove that its reader owns the mailbox, invitations, and the tickets
// between the two steps of a login. 256 random bits; only a hash is stored, so a copy of the database opens nothing. (A
// plain hash is enough: there is nothing to guess.) Threading: any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/secret.hpp"

namespace safawinet {

// Each has a prefix of its own, so that a token of one kind is never looked up as another.
enum class OneTimePurpose {
  verify_email,    // sf_ev_
  reset_password,  // sf_pr_
  change_email,    // sf_ec_
  invite,          // sf_in_
  login_ticket,    // sf_lt_
};

struct OneTimeToken {
  SecretText text;   // the prefix and 43 characters of base64url: goes into the mail
  std::string hash;  // SHA-256 of the text, 64 hexadecimal digits: goes into the database
};

OneTimeToken make_one_time_token(OneTimePurpose purpose, Random& random);

// The stored hash of a presented token; none if the text cannot be a token of this purpose, so that it needs no
// database.
std::optional<std::string> hash_one_time_token(OneTimePurpose purpose, std::string_view text);

}  // namespace safawinet
