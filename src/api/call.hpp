// One request on its way through the pipeline to its handler.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/operator.hpp"
#include "accounts/account_service.hpp"
#include "base/address.hpp"
#include "base/error.hpp"
#include "http/message.hpp"
#include "sessions/session.hpp"

namespace safawinet::api {

// The refusal of a query parameter: invalid_fields, naming "?name".
std::unexpected<Error> bad_query(std::string_view name, std::string code, std::string detail);

struct Call {
  const http::Request& request;
  std::string request_id;
  IpAddress client;                    // behind trusted proxies
  bool is_exempt_from_limits = false;  // limits.exempt_networks
  std::optional<Caller> caller;        // who is signed in; set for every route that asks for a user
  std::optional<Operator> acting{};    // who acts; set for every route that asks for a permission
  std::vector<std::string_view> parameters{};
  std::string set_cookie{};  // of the answer, whatever that becomes (refresh_cookie.hpp); empty: none

  // "user:<id>", "api-key:<id>", "os:<name>"; "anonymous" where nobody was asked.
  [[nodiscard]] Actor actor() const;
  [[nodiscard]] Origin origin() const;
  [[nodiscard]] Visitor visitor() const;
  // The value of a query parameter, percent-decoded; none if absent. Errors: invalid_fields, when it is malformed.
  [[nodiscard]] Result<std::optional<std::string>> query(std::string_view name) const;
  // The same as a whole number. Errors: invalid_fields, also when it is not from `least` to `most`.
  [[nodiscard]] Result<std::optional<std::int64_t>> number(std::string_view name, std::int64_t least,
                                                           std::int64_t most) const;
  // The path parameter as an id. Errors: not_found, since no thing has such a name.
  template <class Id>
  [[nodiscard]] Result<Id> id(std::size_t parameter) const {
    const auto parsed = Id::parse(parameters.at(parameter));
    if (!parsed) return refuse(ErrorCode::not_found);
    return *parsed;
  }
};

// ?limit=50 (1..200) &cursor=, an opaque text that the previous page gave.
template <class Id>
struct PageRequest {
  std::int64_t limit = 50;
  std::optional<Id> before;
};

inline constexpr std::int64_t kPageLimit = 200;

namespace detail {
Result<PageRequest<Id<void>>> parse_page(const Call& call, std::int64_t largest);
std::string make_cursor(const Uuid& last);
}  // namespace detail

// Errors: invalid_fields, naming "?limit" or "?cursor".
template <class Id>
Result<PageRequest<Id>> page_of(const Call& call, std::int64_t largest = kPageLimit) {
  const auto page = detail::parse_page(call, largest);
  if (!page) return std::unexpected(page.error());
  PageRequest<Id> typed{.limit = page->limit, .before = {}};
  if (page->before) typed.before = Id{page->before->uuid};
  return typed;
}

// A list ends when a page is not full: `items` were asked for with limit + 1, so that this is known. Gives the cursor
// of the next page, or none.
template <class Items>
std::optional<std::string> cut_page(Items& items, std::int64_t limit) {
  if (static_cast<std::int64_t>(items.size()) <= limit) return std::nullopt;
  items.resize(static_cast<std::size_t>(limit));
  return detail::make_cursor(items.back().id.uuid);
}

// application/x-www-form-urlencoded, as HTML forms send it; the last of repeated names counts.
std::optional<std::string> form_value(std::string_view body, std::string_view name);

}  // namespace safawinet::api
