#include "http/router.hpp"

#include <stdexcept>

namespace safawinet::http {
namespace {

// The first segment of "/a/b" and what follows it, "/b".
std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const auto end = path.find('/', 1);
  if (end == std::string_view::npos) return {path.substr(1), {}};
  return {path.substr(1, end - 1), path.substr(end)};
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

}  // namespace

std::size_t Router::add(Method method, std::string_view pattern) {
  Node* node = &root_;
  for (auto rest = pattern; !rest.empty();) {
    const auto [segment, after] = split(rest);
    if (is_parameter(segment)) {
      if (node->parameter.empty()) node->parameter.emplace_back();
      node = &node->parameter.front();
    } else {
      node = &node->children[std::string(segment)];
    }
    rest = after;
  }
  if (!node->routes.emplace(method, count_).second) {
    throw std::logic_error("two routes: " + std::string(name_of(method)) + " " + std::string(pattern));
  }
  return count_++;
}

std::variant<RouteMatch, MethodNotAllowed, NoSuchPath> Router::find(Method method, std::string_view path) const {
  RouteMatch match{};
  const Node* node = walk(root_, path, match.parameters);
  if (node == nullptr) return NoSuchPath{};
  const auto route = node->routes.find(method == Method::head ? Method::get : method);
  if (route != node->routes.end()) {
    match.route = route->second;
    return match;
  }
  MethodNotAllowed refusal;
  for (const auto& [allowed, index] : node->routes) {
    if (!refusal.allowed.empty()) refusal.allowed += ", ";
    refusal.allowed += name_of(allowed);
    if (allowed == Method::get) refusal.allowed += ", HEAD";
  }
  return refusal;
}

const Router::Node* Router::walk(const Node& node, std::string_view rest, std::vector<std::string_view>& parameters) {
  if (rest.empty()) return node.routes.empty() ? nullptr : &node;
  const auto [segment, after] = split(rest);
  const auto child = node.children.find(segment);
  if (child != node.children.end()) {
    if (const Node* found = walk(child->second, after, parameters)) return found;
  }
  if (node.parameter.empty() || segment.empty()) return nullptr;
  parameters.push_back(segment);
  const Node* found = walk(node.parameter.front(), after, parameters);
  if (found == nullptr) parameters.pop_back();
  return found;
}

}  // namespace safawinet::http
