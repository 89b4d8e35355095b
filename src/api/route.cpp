#include "api/route.hpp"

#include <utility>

#include "http/characters.hpp"

namespace safawinet::api {
namespace {

bool is_json(std::string_view content_type) {
  return http::equals_ignoring_case(content_type.substr(0, content_type.find_first_of("; \t")), "application/json");
}

}  // namespace

std::string_view name_of(Access access) {
  switch (access.kind()) {
    case Access::Kind::public_:
      return "public";
    case Access::Kind::user:
      return "user";
    case Access::Kind::permission:
      return name_of(least_role(*access.permission()));
  }
  std::unreachable();
}

std::string_view name_of(StepUp step_up) {
  switch (step_up) {
    case StepUp::never:
      return "never";
    case StepUp::guarded:
      return "guarded";
    case StepUp::always:
      return "always";
  }
  std::unreachable();
}

std::string_view name_of(RateClass rate_class) {
  switch (rate_class) {
    case RateClass::open:
      return "open";
    case RateClass::login:
      return "login";
    case RateClass::refresh:
      return "refresh";
    case RateClass::read:
      return "read";
    case RateClass::write:
      return "write";
    case RateClass::mail:
      return "mail";
    case RateClass::registration:
      return "registration";
    case RateClass::operator_:
      return "operator";
  }
  std::unreachable();
}

namespace detail {

Result<boost::json::value> read_body(const http::Request& request, bool may_be_empty) {
  if (request.body.empty() && may_be_empty) return boost::json::object();
  if (!is_json(request.field("Content-Type").value_or(""))) {
    return refuse(ErrorCode::unsupported_media_type, "Send JSON, with Content-Type: application/json.");
  }
  return parse_json(request.body);
}

}  // namespace detail
}  // namespace safawinet::api
