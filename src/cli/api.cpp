#include "cli/api.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/encoding.hpp"
#include "base/json.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr int kTries = 6;
constexpr std::int64_t kLongestPauseSeconds = 30;
constexpr std::int64_t kUsualPauseSeconds = 1;
constexpr std::string_view kProblemPrefix = "urn:safawinet:problem:";

std::string hint_for(const Refusal& refusal) {
  switch (refusal.status) {
    case 401:
      return "safawinet context login";
    case 403:
      if (refusal.type == "frozen") return "safawinet mode show, which says why and until when";
      if (refusal.type == "second-factor-enrolment-required") {
        return "safawinet factor enrol; or, if you have one, safawinet context login";
      }
      if (refusal.type != "forbidden") return {};
      return "ask somebody with a higher role, or for an API key with that permission";
    case 404:
      return "look for it with safawinet user list, or safawinet session list USER";
    case 429:
    case 503:
      return "again in " + (refusal.retry_after_seconds ? std::to_string(*refusal.retry_after_seconds) + " seconds"
                                                        : std::string("a moment"));
    default:
      break;
  }
  const auto request = text_at(refusal.problem, "requestId");
  return refusal.status >= 500 && !request.empty() ? "the server's log says why, under the request id " + request : "";
}

// Fields that options are called otherwise for.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kOptionsOfFields{
    {{"expiresIn", "--for"}, {"expiresAt", "--expires"}}};

// What a field is called on the command line: "/criteria/ipNetwork" is "ip-network", "/criteria/emails/2" "emails 3",
// "?reason" "reason", "/expiresIn" "--for".
std::string typed_name_of(std::string_view pointer) {
  auto name = pointer.substr(std::min(pointer.find_last_of("/?") + 1, pointer.size()));
  std::string number;
  if (!name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos && name.size() < 6) {
    number = " " + std::to_string(std::stoi(std::string(name)) + 1);
    pointer.remove_suffix(name.size() + 1);
    name = pointer.substr(std::min(pointer.find_last_of("/?") + 1, pointer.size()));
  }
  for (const auto& [field, option] : kOptionsOfFields) {
    if (name == field) return std::string(option);
  }
  std::string out;
  for (const char c : name) {
    const bool is_capital = c >= 'A' && c <= 'Z';
    if (is_capital) out += '-';
    out += is_capital ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out + number;
}

}  // namespace

Refusal refusal_of(const ApiResponse& response) {
  Refusal refusal{.status = response.status,
                  .type = {},
                  .text = {},
                  .retry_after_seconds = response.retry_after_seconds,
                  .problem = {}};
  const auto json = parse_json(response.body);
  if (!json || !json->is_object()) {
    refusal.text = "the server answered " + std::to_string(response.status);
    return refusal;
  }
  refusal.problem = json->get_object();
  refusal.type = text_at(refusal.problem, "type");
  if (refusal.type.starts_with(kProblemPrefix)) refusal.type.erase(0, kProblemPrefix.size());
  const auto detail = text_at(refusal.problem, "detail");
  refusal.text = detail.empty() ? text_at(refusal.problem, "title") : detail;
  if (refusal.text.empty()) refusal.text = "the server answered " + std::to_string(response.status);
  for (const auto& error : items_at(refusal.problem, "errors")) {
    const auto& field = object_of(error);
    refusal.text += " " + typed_name_of(text_at(field, "pointer")) + ": " + text_at(field, "detail");
  }
  return refusal;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      out += "%" + to_hex(ByteView(&byte, 1));
    }
  }
  return out;
}

std::string target_of(std::string_view path, const Query& query) {
  std::string target(path);
  char separator = '?';
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    target += separator + name + "=" + percent_encoded(value);
    separator = '&';
  }
  return target;
}

boost::json::value Api::get(std::string_view path, const Query& query) { return expect(try_get(path, query)); }

boost::json::value Api::get_listed(std::string_view path, const std::string& list) {
  auto answer = try_get(path);
  const auto* refusal = std::get_if<Refusal>(&answer);
  if (refusal != nullptr && refusal->status == 404) throw Failure(refusal->text, list);
  return expect(std::move(answer));
}

boost::json::value Api::post(std::string_view path, const boost::json::object& body) {
  return expect(try_post(path, body));
}

boost::json::value Api::remove(std::string_view path, const Query& query) {
  return expect(send({.method = "DELETE", .target = target_of(path, query)}));
}

boost::json::value Api::remove_with(std::string_view path, const boost::json::object& body) {
  return expect(
      send({.method = "DELETE", .target = std::string(path), .body = SecretText(boost::json::serialize(body))}));
}

std::variant<boost::json::value, Refusal> Api::try_get(std::string_view path, const Query& query) {
  return send({.method = "GET", .target = target_of(path, query)});
}

std::variant<boost::json::value, Refusal> Api::try_post(std::string_view path, const boost::json::object& body) {
  return send({.method = "POST",
               .target = std::string(path),
               .body = SecretText(boost::json::serialize(body)),
               .idempotency_key = random_text<18>(random_)});
}

std::variant<boost::json::value, Refusal> Api::post_once(std::string_view path, const boost::json::object& body) {
  return send({.method = "POST",
               .target = std::string(path),
               .body = SecretText(boost::json::serialize(body)),
               .idempotency_key = {}},
              Patience::with_limits);
}

std::variant<boost::json::value, Refusal> Api::send(ApiRequest request, Patience patience) {
  const auto response = send_with_patience(request, patience);
  if (response.status < 200 || response.status > 299) return refusal_of(response);
  if (response.body.empty()) return boost::json::value();
  auto json = parse_json(response.body);
  if (!json) throw Failure("the server's answer cannot be understood", "is the URL that of a Safawinet?");
  return std::move(*json);
}

ApiResponse Api::send_with_patience(const ApiRequest& request, Patience patience) {
  for (int tries = 1;; ++tries) {
    auto response = client_.send(request);
    const bool is_busy = response.status == 503 && patience == Patience::with_busy_server;
    if (response.status != 429 && !is_busy) return response;
    const auto pause = response.retry_after_seconds.value_or(kUsualPauseSeconds);
    if (tries >= kTries || pause > kLongestPauseSeconds) return response;
    console_.progress("The server is busy; asking again in " + std::to_string(pause) + " s");
    wait_for(std::chrono::seconds(pause));
  }
}

boost::json::value Api::expect(std::variant<boost::json::value, Refusal> answer) {
  if (const auto* refusal = std::get_if<Refusal>(&answer)) fail(*refusal);
  return std::get<boost::json::value>(std::move(answer));
}

void fail(const Refusal& refusal) {
  throw Failure(refusal.text, hint_for(refusal), refusal.type == "invalid-fields" ? kUsage : kFailed);
}

bool for_each_item(Api& api, std::string_view path, Query query,
                   const std::function<bool(const boost::json::object&)>& take) {
  query.emplace_back("cursor", "");
  for (;;) {
    const auto page = api.get(path, query);
    const auto& content = object_of(page);
    const auto& items = items_at(content, "items");
    const auto cursor = text_at(content, "nextCursor");
    for (std::size_t index = 0; index < items.size(); ++index) {
      if (!take(object_of(items[index]))) return index + 1 < items.size() || !cursor.empty();
    }
    if (cursor.empty()) return false;
    query.back().second = cursor;
  }
}

std::string text_at(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return {};
  if (value->is_string()) return std::string(value->get_string());
  return boost::json::serialize(*value);
}

std::int64_t number_at(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

bool is_set(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string time_at(const boost::json::object& object, std::string_view name) {
  auto text = text_at(object, name);
  // To the second: 2026-11-28T21:40:39.123456Z
  if (text.size() < 20 || text[10] != 'T') return text;
  text[10] = ' ';
  return text.substr(0, 19) + "Z";
}

const boost::json::object& object_of(const boost::json::value& value) {
  if (!value.is_object()) throw Failure("the server's answer cannot be understood");
  return value.get_object();
}

boost::json::object object_at(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : boost::json::object();
}

const boost::json::array& items_at(const boost::json::object& object, std::string_view name) {
  static const boost::json::array none;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}

}  // namespace safawinet::cli
