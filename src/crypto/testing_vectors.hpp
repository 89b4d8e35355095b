// For tests: published test vectors that are not in the tree (Project Wycheproof), where the machine has them.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.hpp"

namespace safawinet::testing {

// The folder named by SAFAWINET_VECTORS, else the first shared/wycheproof beside the working folder or one of those
// above it.
inline std::optional<std::filesystem::path> find_vectors() {
  namespace fs = std::filesystem;
  if (const char* named = std::getenv("SAFAWINET_VECTORS")) return fs::path(named);
  for (fs::path folder = fs::current_path();; folder = folder.parent_path()) {
    if (fs::is_directory(folder / "shared" / "wycheproof")) return folder / "shared" / "wycheproof";
    if (folder == folder.parent_path()) return std::nullopt;
  }
}

// None if there is no such file.
inline std::optional<boost::json::value> load_vectors(std::string_view file) {
  const auto folder = find_vectors();
  if (!folder) return std::nullopt;
  std::ifstream in(*folder / file, std::ios::binary);
  if (!in) return std::nullopt;
  return boost::json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

inline std::string text_of(const boost::json::value& object, std::string_view name) {
  return std::string(std::string_view(object.at(name).as_string()));
}

inline Bytes from_hex(std::string_view text) {
  const auto digit = [](char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10); };
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return bytes;
}

inline Bytes bytes_of(const boost::json::value& object, std::string_view name) {
  return from_hex(text_of(object, name));
}

// Calls check(group, test) for each test of a file; the number of calls, none if the file is not there.
template <class Check>
std::optional<std::size_t> for_each_vector(std::string_view file, Check check) {
  const auto vectors = load_vectors(file);
  if (!vectors) return std::nullopt;
  std::size_t count = 0;
  for (const auto& group : vectors->at("testGroups").as_array()) {
    for (const auto& test : group.at("tests").as_array()) {
      check(group, test);
      ++count;
    }
  }
  return count;
}

inline std::string describe(const boost::json::value& test) {
  return "tcId " + std::to_string(test.at("tcId").to_number<int>()) + ": " + text_of(test, "comment");
}

}  // namespace safawinet::testing
