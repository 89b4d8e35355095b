// Who gets a mail.
#pragma once

#include <optional>
#include <string>

#include "base/ids.hpp"

namespace safawinet {

struct Addressee {
  std::string email;             // a bare address
  std::string locale = "en";     // BCP 47; a language that we do not write becomes English
  std::optional<UserId> user{};  // whose account the mail is about; none: there is no account yet
};

}  // namespace safawinet
