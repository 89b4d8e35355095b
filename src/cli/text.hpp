// Text that others chose (names, user agents, reasons), made harmless for terminals and logs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace safawinet::cli {

// One line that can do nothing: control characters (C0, C1, DEL), line separators, what changes the direction of text,
// what is invisible, and bytes that are not UTF-8 become visible escapes such as \n, \x1b, \u202e, \xff.
std::string inert(std::string_view text);

// The same for JSON text, where such characters can stand only inside strings: \u001b, \u202e. What a program reads
// from it is unchanged.
std::string inert_json(std::string_view json);

// As a shell takes it for one word: in quotes where it has to be.
std::string shell_word(std::string_view text);

// UTF-8 without characters that JSON would have to spell out, of the same size: each byte that is not becomes "?".
std::string readable(std::string_view text);

bool is_utf8(std::string_view text);

// The columns that inert text takes on a terminal.
std::size_t width_of(std::string_view text);

// Cut to at most `columns`, with "…" at the end when something was cut off.
std::string shortened(std::string_view text, std::size_t columns);

}  // namespace safawinet::cli
