// Finds the route of a request.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/message.hpp"

namespace safawinet::http {

struct RouteMatch {
  std::size_t route;                         // as add() numbered it
  std::vector<std::string_view> parameters;  // what stood in place of {…}, in order; views of the path
};
// The path exists, but not with this method; for the Allow field (RFC 9110 section 10.2.1).
struct MethodNotAllowed {
  std::string allowed;  // "GET, HEAD, PATCH"
};
struct NoSuchPath {};

// Paths are compared segment by segment, exactly; a fixed segment wins over a parameter. HEAD goes where GET goes.
// Threading: filled by one thread, then found by any.
class Router {
 public:
  // `pattern`: "/v1/sessions/{id}". std::logic_error when the method and pattern are there already.
  std::size_t add(Method method, std::string_view pattern);
  [[nodiscard]] std::variant<RouteMatch, MethodNotAllowed, NoSuchPath> find(Method method, std::string_view path) const;

 private:
  struct Node {
    std::map<std::string, Node, std::less<>> children;
    std::vector<Node> parameter;  // none or one
    std::map<Method, std::size_t> routes;
  };

  static const Node* walk(const Node& node, std::string_view rest, std::vector<std::string_view>& parameters);

  Node root_;
  std::size_t count_ = 0;
};

}  // namespace safawinet::http
