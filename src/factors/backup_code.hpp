// Backup codes: for whoever has lost the phone. Each works once. Threading: any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/digest.hpp"

namespace safawinet {

inline constexpr std::size_t kBackupCodes = 10;  // of a set

// Twelve characters in groups of four, "7KQM-3XWD-PF2H": 60 bits, in an alphabet without what is taken for something
// else (0 and O, 1 and I).
SecretText make_backup_code(Random& random);
std::vector<SecretText> make_backup_codes(Random& random);

// As it was made, however it was typed: in any case, with spaces or dashes anywhere. None: it cannot be one.
std::optional<SecretText> parse_backup_code(std::string_view typed);

// What is stored. The key is the user's own and is sealed with the master key: a copy of the database is not enough to
// try codes on.
std::string mac_of_backup_code(const MacKey& key, UserId user, const SecretText& code);

}  // namespace safawinet
