// Password hashes as they are stored: ours, and those that other systems made, which are verified until their owner's
// next login replaces them. stored_hash.cpp holds the one table of what each may cost.
//
// Accepted, and nothing else:
//   argon2       $argon2id$v=19$m=19456,t=2,p=1$salt$hash        argon2id and argon2i, also of version 16 (RFC 9106)
//   bcrypt       $2b$12$...                                      also $2a$ and $2y$
//   scrypt       $scrypt$ln=16,r=8,p=1$salt$hash                 PHC and passlib; of crypt(3): $7$...
//   PBKDF2       $pbkdf2-sha256$29000$salt$hash                  passlib; also $pbkdf2$ (SHA-1) and $pbkdf2-sha512$
//                $pbkdf2-sha256$i=600000,l=32$salt$hash          PHC
//                pbkdf2_sha256$600000$salt$hash                  Django; also pbkdf2_sha1 and pbkdf2_sha512
//   sha-crypt    $5$rounds=535000$salt$hash                      also $6$, and without rounds
//   yescrypt     $y$j9T$salt$hash                                with the parameters that crypt(3) makes
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/encoding.hpp"

namespace safawinet {

enum class HashScheme {
  argon2,
  bcrypt,
  scrypt,
  pbkdf2_sha1,
  pbkdf2_sha256,
  pbkdf2_sha512,
  sha256_crypt,
  sha512_crypt,
  yescrypt,
};
std::string_view name_of(HashScheme scheme);

// One line of the table: how much of one parameter a hash may ask for.
struct HashLimit {
  HashScheme scheme;
  std::string_view parameter;  // "passes"
  std::uint64_t least;
  std::uint64_t most;
};
std::span<const HashLimit> hash_limits();

// Why a stored hash is refused. `code` is one of unknown-scheme, too-costly, malformed; `detail` completes "the hash
// …". Neither repeats the hash.
struct StoredHashFault {
  std::string code;
  std::string detail;
};

// Threading: any number at once.
class StoredHash {
 public:
  // Computes nothing: what is malformed or asks for more than the table allows is refused at once.
  static std::expected<StoredHash, StoredHashFault> read(std::string_view text);

  // Whether the bytes of a password hash to it; blocking, as long as the table allows (some seconds of a core and 256
  // MiB at most). bcrypt knows the first 72 bytes alone, as it did where the hash was made. A password with a NUL, or
  // beyond 511 bytes, is none to the schemes of crypt(3). Throws Unavailable when there is no memory for it.
  [[nodiscard]] bool matches(std::string_view password) const;

  // argon2id of version 19 with these parameters and one lane: as PasswordHasher makes them.
  [[nodiscard]] bool is_of_cost(std::uint32_t memory_kib, std::uint32_t passes) const;

  struct Argon2 {
    bool is_argon2id = true;
    std::uint32_t version = 0;
    std::uint32_t memory_kib = 0;
    std::uint32_t passes = 0;
    std::uint32_t lanes = 0;
    Bytes salt;
    Bytes hash;
  };
  struct Scrypt {
    std::uint64_t n = 0;
    std::uint64_t r = 0;
    std::uint64_t p = 0;
    Bytes salt;
    Bytes hash;
  };
  struct Pbkdf2 {
    HashScheme scheme = HashScheme::pbkdf2_sha256;
    std::uint32_t iterations = 0;
    Bytes salt;
    Bytes hash;
  };
  struct Crypt {  // crypt(3) reads the rest of the text itself
    HashScheme scheme = HashScheme::bcrypt;
    std::size_t hash_characters = 0;  // at the end of the text
  };

 private:
  using Parameters = std::variant<Argon2, Scrypt, Pbkdf2, Crypt>;
  StoredHash(std::string_view text, Parameters parameters) : text_(text), parameters_(std::move(parameters)) {}

  std::string text_;
  Parameters parameters_;
};

}  // namespace safawinet
