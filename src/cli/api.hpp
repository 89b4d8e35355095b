// The API as commands use it: JSON in, JSON out, what is refused becomes a Failure that says what to do.
#pragma once

#include <boost/json.hpp>

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "cli/api_client.hpp"
#include "cli/console.hpp"

namespace safawinet::cli {

using Query = std::vector<std::pair<std::string, std::string>>;

// "/v1/admin/users?query=ada%40example.com"; parameters without a value are left out.
std::string target_of(std::string_view path, const Query& query);
std::string percent_encoded(std::string_view text);

// A refusal of the server.
struct Refusal {
  unsigned status = 0;
  std::string type;  // "conflict"
  std::string text;  // what to show
  std::optional<std::int64_t> retry_after_seconds{};
  boost::json::object problem;
};

// Asks again, a bounded number of times, when the server says 429 or 503. A POST carries an Idempotency-Key, so that
// it is done once; post_once() is for a route that ignores the key and makes something each time: after a 503, which
// may leave open whether it was done, it is not asked again.
class Api {
 public:
  // All outlive it.
  Api(ApiClient& client, Console& console, Random& random) : client_(client), console_(console), random_(random) {}

  boost::json::value get(std::string_view path, const Query& query = {});
  // One thing of a list; where there is none such, `list` is the command that shows which there are.
  boost::json::value get_listed(std::string_view path, const std::string& list);
  // Null when the answer has no body.
  boost::json::value post(std::string_view path, const boost::json::object& body);
  std::variant<boost::json::value, Refusal> post_once(std::string_view path, const boost::json::object& body);
  boost::json::value remove(std::string_view path, const Query& query = {});
  boost::json::value remove_with(std::string_view path, const boost::json::object& body);

  // The same, with the refusals that the caller knows what to do with.
  std::variant<boost::json::value, Refusal> try_get(std::string_view path, const Query& query = {});
  std::variant<boost::json::value, Refusal> try_post(std::string_view path, const boost::json::object& body);

 private:
  // What is asked again.
  enum class Patience { with_busy_server, with_limits };
  std::variant<boost::json::value, Refusal> send(ApiRequest request, Patience patience = Patience::with_busy_server);
  ApiResponse send_with_patience(const ApiRequest& request, Patience patience);
  boost::json::value expect(std::variant<boost::json::value, Refusal> answer);

  ApiClient& client_;
  Console& console_;
  Random& random_;
};

Refusal refusal_of(const ApiResponse& response);
// Throws what a refusal is.
[[noreturn]] void fail(const Refusal& refusal);

// The items of a list, page by page. `take` says whether to go on. True when there were more.
bool for_each_item(Api& api, std::string_view path, Query query,
                   const std::function<bool(const boost::json::object&)>& take);

// A member as text: "" when it is absent or null; numbers and truth values as they are written.
std::string text_at(const boost::json::object& object, std::string_view name);
std::int64_t number_at(const boost::json::object& object, std::string_view name);
bool is_set(const boost::json::object& object, std::string_view name);
// "2026-11-28 21:40:39Z"
std::string time_at(const boost::json::object& object, std::string_view name);
const boost::json::object& object_of(const boost::json::value& value);
// The object `name`; an empty one when there is none.
boost::json::object object_at(const boost::json::object& object, std::string_view name);
// The array `name`; an empty one when there is none.
const boost::json::array& items_at(const boost::json::object& object, std::string_view name);

}  // namespace safawinet::cli
