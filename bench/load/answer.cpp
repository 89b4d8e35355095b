#include "load/answer.hpp"

#include <algorithm>
#include <charconv>

namespace safawinet::bench {
namespace {

constexpr std::size_t kHeadLimitBytes = std::size_t{32} * 1024;
constexpr std::size_t kBodyLimitBytes = std::size_t{16} * 1024 * 1024;

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool read_number(std::string_view text, std::size_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Reading read_answer(std::string_view bytes, Answer& answer) {
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) {
    return bytes.size() > kHeadLimitBytes ? Reading::unreadable : Reading::incomplete;
  }
  std::string_view head = bytes.substr(0, head_end + 2);
  std::size_t status = 0;
  if (!head.starts_with("HTTP/1.1 ") || !read_number(head.substr(9, 3), status) || status < 200) {
    return Reading::unreadable;
  }

  std::size_t length = 0;
  bool has_length = false;
  answer.keeps_connection = true;
  for (head.remove_prefix(head.find("\r\n") + 2); !head.empty(); head.remove_prefix(head.find("\r\n") + 2)) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    // Only three names matter; their first letter rules most lines out.
    if (const char first = lower(line.empty() ? '\0' : line.front()); first != 'c' && first != 't') continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Reading::unreadable;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (equals_ignoring_case(name, "content-length")) {
      if (!read_number(value, length) || length > kBodyLimitBytes) return Reading::unreadable;
      has_length = true;
    } else if (equals_ignoring_case(name, "connection")) {
      answer.keeps_connection = !equals_ignoring_case(value, "close");
    } else if (equals_ignoring_case(name, "transfer-encoding")) {
      return Reading::unreadable;
    }
  }
  if (status == 204 || status == 304) {
    length = 0;
  } else if (!has_length) {
    return Reading::unreadable;
  }

  const std::size_t body_start = head_end + 4;
  if (bytes.size() - body_start < length) return Reading::incomplete;
  answer.status = static_cast<int>(status);
  answer.body = bytes.substr(body_start, length);
  answer.size = body_start + length;
  return Reading::complete;
}

std::optional<std::string_view> find_json_text(std::string_view json, std::string_view name) {
  for (std::size_t at = json.find(name); at != std::string_view::npos; at = json.find(name, at + 1)) {
    const std::size_t after = at + name.size();
    if (at == 0 || json[at - 1] != '"' || after >= json.size() || json[after] != '"') continue;
    std::string_view rest = trim(json.substr(after + 1));
    if (!rest.starts_with(':')) continue;
    rest = trim(rest.substr(1));
    if (!rest.starts_with('"')) return std::nullopt;
    rest.remove_prefix(1);
    const std::size_t end = rest.find('"');
    if (end == std::string_view::npos) return std::nullopt;
    return rest.substr(0, end);
  }
  return std::nullopt;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || std::string_view("-._~+/=").contains(character);
  });
}

}  // namespace safawinet::bench
