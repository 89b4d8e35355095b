#include "http/fields.hpp"

#include <algorithm>
#include <array>

#include "http/characters.hpp"

namespace safawinet::http {
namespace {

constexpr Refusal folded{400, "A field line is folded."};
constexpr Refusal bad_name{400, "A field line has no valid name before its colon."};
constexpr Refusal bad_value{400, "A field value has a character that is not allowed."};

struct KnownField {
  std::string_view name;  // in lower case
  FieldKind kind = FieldKind::single;
};

// Ordered by length, so that a name is compared with the few names of its own length.
constexpr std::array known_fields = {
    KnownField{"date"},
    KnownField{"from"},
    KnownField{"host", FieldKind::host},
    KnownField{"range"},
    KnownField{"cookie"},
    KnownField{"expect", FieldKind::expect},
    KnownField{"origin"},
    KnownField{"referer"},
    KnownField{"if-range"},
    KnownField{"forwarded"},
    KnownField{"x-api-key"},
    KnownField{"x-real-ip"},
    KnownField{"connection", FieldKind::connection},
    KnownField{"user-agent"},
    KnownField{"traceparent"},
    KnownField{"content-type"},
    KnownField{"max-forwards"},
    KnownField{"x-csrf-token"},
    KnownField{"x-request-id"},
    KnownField{"authorization"},
    KnownField{"content-range"},
    KnownField{"last-event-id"},
    KnownField{"content-length", FieldKind::content_length},
    KnownField{"sec-fetch-mode"},
    KnownField{"sec-fetch-site"},
    KnownField{"idempotency-key"},
    KnownField{"x-forwarded-for"},
    KnownField{"content-encoding"},
    KnownField{"content-location"},
    KnownField{"x-forwarded-host"},
    KnownField{"x-forwarded-port"},
    KnownField{"if-modified-since"},
    KnownField{"transfer-encoding", FieldKind::transfer_encoding},
    KnownField{"x-forwarded-proto"},
    KnownField{"if-unmodified-since"},
    KnownField{"proxy-authorization"},
    KnownField{"x-amz-sns-message-type"},
    KnownField{"access-control-request-method"},
};
static_assert(known_fields.size() < 63, "each has a bit in a 64-bit set");
static_assert(std::ranges::is_sorted(known_fields, {}, [](const KnownField& field) { return field.name.size(); }));

constexpr std::size_t longest_name = known_fields.back().name.size();

// first_of_length[n] is the index of the first known field whose name has at least n characters.
constexpr auto first_of_length = [] {
  std::array<std::uint8_t, longest_name + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length) {
    std::size_t index = 0;
    while (index < known_fields.size() && known_fields[index].name.size() < length) ++index;
    first[length] = static_cast<std::uint8_t>(index);
  }
  return first;
}();

constexpr bool is_blank(char character) { return character == ' ' || character == '\t'; }

}  // namespace

std::optional<Refusal> parse_field_line(std::string_view line, Field& field) {
  if (!line.empty() && is_blank(line.front())) return folded;
  std::size_t colon = 0;
  while (colon < line.size() && is_in_class(line[colon], character_class::token)) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return bad_name;
  std::size_t begin = colon + 1;
  std::size_t end = line.size();
  while (begin < end && is_blank(line[begin])) ++begin;
  while (end > begin && is_blank(line[end - 1])) --end;
  field.name = line.substr(0, colon);
  field.value = line.substr(begin, end - begin);
  unsigned char seen = 0;
  for (const char character : field.value) {
    if (!is_in_class(character, character_class::field_value)) return bad_value;
    seen = static_cast<unsigned char>(seen | static_cast<unsigned char>(character));
  }
  if ((seen & 0x80) != 0 && !is_utf8(field.value)) return bad_value;
  return std::nullopt;
}

FieldClass classify_field(std::string_view name) {
  if (name.size() > longest_name) return {};
  for (std::size_t index = first_of_length[name.size()]; index < first_of_length[name.size() + 1]; ++index) {
    const KnownField& known = known_fields[index];
    if (!equals_ignoring_case(known.name, name)) continue;
    // Connection is a list, which may be spread over lines.
    if (known.kind == FieldKind::connection) return {known.kind, 0};
    return {known.kind, static_cast<std::uint8_t>(index + 1)};
  }
  return {};
}

}  // namespace safawinet::http
