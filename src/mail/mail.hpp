// One mail to one person, in plain text.
#pragma once

#include <string>

namespace safawinet {

struct Mail {
  std::string to;       // a bare address
  std::string subject;  // one line of UTF-8
  std::string text;     // UTF-8, lines ended by \n
};

}  // namespace safawinet
