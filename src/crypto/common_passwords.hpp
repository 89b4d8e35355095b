// The passwords that everybody tries first.
#pragma once

#include <span>
#include <string_view>

namespace safawinet {

// `lowered` in ASCII lower case. Knows only those of eight characters and more: shorter ones are refused for their
// length.
bool is_common_password(std::string_view lowered);

// The list itself, in order, for the test.
std::span<const std::string_view> common_passwords();

}  // namespace safawinet
