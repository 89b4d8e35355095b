// The API described from the very table that serves it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/route.hpp"

namespace safawinet::api {

// The OpenAPI 3.1 document, as JSON text.
std::string openapi_document(const std::vector<Route>& routes, std::string_view server_url, std::string_view version);
// The same as one HTML page: no script, no assets.
std::string docs_page(const std::vector<Route>& routes, const std::vector<Route>& operations_routes,
                      std::string_view version);
// [{"method","path","access","rateClass"}]
std::string routes_json(const std::vector<Route>& routes);
// A table for the terminal.
std::string routes_text(const std::vector<Route>& routes);

}  // namespace safawinet::api
