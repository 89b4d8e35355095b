#include "http/message.hpp"

#include "http/characters.hpp"

namespace safawinet::http {

std::string_view name_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::delete_:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
  }
  return "";
}

std::optional<std::string_view> Request::field(std::string_view name) const {
  for (const Field& candidate : fields) {
    if (equals_ignoring_case(candidate.name, name)) return candidate.value;
  }
  return std::nullopt;
}

}  // namespace safawinet::http
