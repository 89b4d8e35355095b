// Why something that was sent is no request.
#pragma once

#include <string_view>

namespace safawinet::http {

// `detail` is a sentence for the client. It points to text that lives as long as the program.
struct Refusal {
  unsigned status = 400;
  std::string_view detail;
};

}  // namespace safawinet::http
