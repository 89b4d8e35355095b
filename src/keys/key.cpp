#include "keys/key.hpp"

#include <array>
#include <utility>

namespace safawinet {
namespace {

constexpr std::array<std::pair<KeyPurpose, std::string_view>, 2> kPurposes{
    {{KeyPurpose::signing, "signing"}, {KeyPurpose::refresh_mac, "refresh-mac"}}};
constexpr std::array<std::pair<KeyState, std::string_view>, 5> kStates{{{KeyState::next, "next"},
                                                                        {KeyState::active, "active"},
                                                                        {KeyState::verifying, "verifying"},
                                                                        {KeyState::retired, "retired"},
                                                                        {KeyState::compromised, "compromised"}}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value wanted) {
  for (const auto& [value, name] : table) {
    if (value == wanted) return name;
  }
  std::unreachable();
}

template <class Value, std::size_t kCount>
std::optional<Value> find_in(const std::array<std::pair<Value, std::string_view>, kCount>& table,
                             std::string_view wanted) {
  for (const auto& [value, name] : table) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(KeyPurpose purpose) { return name_in(kPurposes, purpose); }
std::string_view name_of(KeyState state) { return name_in(kStates, state); }
std::optional<KeyPurpose> parse_key_purpose(std::string_view name) { return find_in(kPurposes, name); }
std::optional<KeyState> parse_key_state(std::string_view name) { return find_in(kStates, name); }

}  // namespace safawinet
