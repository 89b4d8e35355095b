#include "api/openapi.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

#include "api/pages_api.hpp"
#include "api/refresh_cookie.hpp"
#include "base/ascii.hpp"
#include "base/json.hpp"

namespace safawinet::api {
namespace {

namespace json = boost::json;

json::object reference(std::string_view schema) { return {{"$ref", "#/components/schemas/" + std::string(schema)}}; }

json::object json_content(std::string_view media_type, std::string_view schema) {
  return {{media_type, json::object{{"schema", reference(schema)}}}};
}

json::object problem_schema() {
  return json::parse(R"({
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "requestId"],
    "properties": {
      "type": {"type": "string", "description": "urn:safawinet:problem:<name>; stable"},
      "title": {"type": "string"},
      "status": {"type": "integer"},
      "detail": {"type": "string"},
      "requestId": {"type": "string"},
      "errors": {"type": "array", "items": {
        "type": "object",
        "required": ["pointer", "code", "detail"],
        "properties": {"pointer": {"type": "string"}, "code": {"type": "string"}, "detail": {"type": "string"}}
      }},
      "ticket": {"type": "string", "description": "of second-factor-required: for POST /v1/auth/login/second-factor"},
      "factors": {"type": "array", "items": {"type": "string"}, "description": "of second-factor-required"},
      "expiresIn": {"type": "integer", "description": "of second-factor-required: seconds"},
      "maxAge": {"type": "integer", "description": "of step-up-required: seconds"}
    }
  })")
      .as_object();
}

json::object path_parameter_schema(std::string_view name) {
  if (name == "kid") return {{"type", "string"}};
  return {{"type", "string"}, {"format", "uuid"}};
}

template <class AddQuery>
void add_mail_queries(const Route& route, const AddQuery& add_query) {
  const json::object address{{"type", "string"}, {"format", "email"}};
  const json::object reason{{"type", "string"}, {"maxLength", 500}, {"description", "for the record"}};
  const bool is_get = route.method == http::Method::get;
  const bool is_delete = route.method == http::Method::delete_;
  if (route.path == "/v1/email/statistics") {
    add_query("hours", {{"type", "integer"}, {"minimum", 1}, {"maximum", 336}, {"default", 24}});
  }
  if (route.path == "/v1/email/bounces" && is_get) {
    add_query("email", address);
    add_query("kind", {{"type", "string"}, {"enum", {"bounce", "complaint"}}});
  }
  if (route.path == "/v1/email/suppressions" && is_get) {
    add_query("query", {{"type", "string"}, {"description", "a part of the address"}});
  }
  if (route.path == "/v1/email/suppressions" && is_delete) add_query("email", address);
  if (route.path.starts_with("/v1/email/") && is_delete) add_query("reason", reason);
  if (route.path == "/v1/email/outbox") add_query("failing", {{"type", "boolean"}});
  if (route.path == "/v1/email/preview") {
    add_query("kind", {{"type", "string"}});
    add_query("locale", {{"type", "string"}, {"default", "en"}});
  }
}

json::array parameters_of(const Route& route) {
  json::array parameters;
  std::string_view path = route.path;
  for (auto open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
    const auto name = path.substr(open + 1, path.find('}', open) - open - 1);
    parameters.push_back(
        json::object{{"name", name}, {"in", "path"}, {"required", true}, {"schema", path_parameter_schema(name)}});
  }
  const auto add_query = [&parameters](std::string_view name, json::object schema) {
    parameters.push_back(json::object{{"name", name}, {"in", "query"}, {"schema", std::move(schema)}});
  };
  const bool is_list = route.endpoint.answer && route.endpoint.answer->name.ends_with("Page");
  if (is_list) {
    const int largest = route.path == "/v1/admin/users/export" ? 1000 : 200;
    add_query("limit", {{"type", "integer"}, {"minimum", 1}, {"maximum", largest}, {"default", 50}});
    add_query("cursor", {{"type", "string"}, {"description", "nextCursor of the previous page"}});
  }
  if (route.path == "/v1/admin/users" && is_list) {
    add_query("query", {{"type", "string"}, {"description", "a part of the e-mail address or name"}});
    add_query("role", {{"type", "string"}, {"enum", {"customer", "support", "admin", "superadmin"}}});
    add_query("active", {{"type", "boolean"}});
  }
  if (route.method == http::Method::delete_ && route.path.starts_with("/v1/admin/users/")) {
    add_query("reason", {{"type", "string"}, {"maxLength", 500}, {"description", "for the record"}});
  }
  add_mail_queries(route, add_query);
  if (route.path == "/v1/revocations") {
    add_query("after",
              {{"type", "string"}, {"description", "nextCursor of the previous answer, or the id of an event"}});
    add_query("limit", {{"type", "integer"}, {"minimum", 1}, {"maximum", 200}, {"default", 100}});
    parameters.push_back(json::object{{"name", "Last-Event-ID"},
                                      {"in", "header"},
                                      {"description", "for events, in place of after"},
                                      {"schema", json::object{{"type", "string"}}}});
  }
  if (route.path == "/v1/audit") {
    for (const auto* name : {"actor", "target", "action"}) add_query(name, {{"type", "string"}});
    add_query("outcome", {{"type", "string"}, {"enum", {"done", "refused"}}});
    for (const auto* name : {"since", "until"}) add_query(name, {{"type", "string"}, {"format", "date-time"}});
  }
  if (route.path == "/v1/audit/export") {
    add_query("after", {{"type", "integer"}, {"minimum", 0}, {"description", "nextAfter of the previous answer"}});
    add_query("limit", {{"type", "integer"}, {"minimum", 1}, {"maximum", 1000}, {"default", 1000}});
  }
  if (route.idempotency_key == IdempotencyKey::honoured) {
    parameters.push_back(
        json::object{{"name", "Idempotency-Key"},
                     {"in", "header"},
                     {"schema", json::object{{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}}});
  }
  return parameters;
}

std::string_view describe(RefreshCookie refresh_cookie) {
  return refresh_cookie == RefreshCookie::set ? "with delivery \"cookie\": the refresh token"
                                              : "where the cookie was used: the successor, or that it is gone";
}

json::object responses_of(const Route& route) {
  json::object success{{"description", "Done"}};
  if (route.endpoint.answer) success["content"] = json_content("application/json", route.endpoint.answer->name);
  if (route.path == "/v1/revocations") {
    success["content"].as_object()["text/event-stream"] = json::object{
        {"schema", json::object{{"type", "string"},
                                {"description", "events revocation (an item of the JSON answer), current and reset"}}}};
  }
  json::object responses{{std::to_string(route.endpoint.status), std::move(success)}};
  if (route.endpoint.begun) {
    responses["202"] = json::object{{"description", "Begun; Location says where to see how it goes on"},
                                    {"content", json_content("application/json", route.endpoint.begun->name)}};
  }
  if (route.refresh_cookie != RefreshCookie::ignored) {
    responses[std::to_string(route.endpoint.status)].as_object()["headers"] =
        json::object{{"Set-Cookie", json::object{{"description", describe(route.refresh_cookie)},
                                                 {"schema", json::object{{"type", "string"}}}}}};
  }
  const auto permission = route.access.permission();
  const auto add = [&responses](std::string_view status, std::string_view description) {
    responses[status] =
        json::object{{"description", description}, {"content", json_content("application/problem+json", "Problem")}};
  };
  if (route.endpoint.body) {
    add("400", "Unreadable");
    add("415", "Not JSON");
    add("422", "Some fields are not valid");
  }
  if (route.endpoint.form) {
    responses["400"] = json::object{{"description", "The form is not right (RFC 6749 section 5.2)"}};
    add("415", "Not a form");
  }
  if (route.endpoint.message) {
    add("400", "Unreadable");
    add("403", "Not signed as it must be, or not from where it must be");
  }
  if (!route.access.is_public()) {
    add("401", route.access.step_up() != StepUp::never
                   ? "No valid credential, or one that was proved too long ago (RFC 9470)"
                   : "No valid credential");
  }
  if (permission) add("403", "Without the permission, or without the second factor that the role asks for");
  if (route.path == "/v1/auth/login") {
    add("401", "The e-mail address or the password is wrong");
    add("403", "Right, but the address is not confirmed; or a second factor is asked for: the problem has a ticket");
  }
  if (route.path == "/v1/auth/login/second-factor") add("401", "The code is wrong, or was used already");
  if (route.refresh_cookie != RefreshCookie::ignored) add("403", "For the cookie: a page of another origin");
  if (route.idempotency_key == IdempotencyKey::honoured) add("409", "The Idempotency-Key is of another request");
  if (route.rate_class == RateClass::mail || route.rate_class == RateClass::registration ||
      route.rate_class == RateClass::login || route.path == "/v1/auth/verify-email" || permission) {
    add("429", "Too often; Retry-After says when to come back");
  }
  add("503", "Busy or unavailable; Retry-After says when to come back");
  return responses;
}

std::string describe(const Route& route) {
  std::string text = "Access: " + std::string(name_of(route.access));
  if (const auto permission = route.access.permission()) {
    text.append(", or an API key with ").append(name_of(*permission));
  }
  const auto step_up = route.access.step_up();
  if (step_up == StepUp::always) {
    text.append("; a person must have proved within the last ten minutes who they are (POST /v1/auth/step-up)");
  }
  if (step_up == StepUp::guarded) {
    text.append(
        "; whoever has a second factor must have proved within the last ten minutes who they are "
        "(POST /v1/auth/step-up), and everybody must in some compromise modes");
  }
  return text + ". Rate class: " + std::string(name_of(route.rate_class)) + ".";
}

json::object operation_of(const Route& route) {
  const auto permission = route.access.permission();
  json::object operation{{"summary", route.summary}, {"description", describe(route)}};
  auto parameters = parameters_of(route);
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  if (route.endpoint.body) {
    operation["requestBody"] = json::object{{"required", !route.endpoint.is_body_optional},
                                            {"content", json_content("application/json", route.endpoint.body->name)}};
  }
  if (route.endpoint.form) {
    operation["requestBody"] = json::object{
        {"required", true}, {"content", json_content("application/x-www-form-urlencoded", route.endpoint.form->name)}};
  }
  if (const auto& message = route.endpoint.message) {
    auto content = json_content("text/plain", message->name);
    content["application/json"] = json::object{{"schema", reference(message->name)}};
    operation["requestBody"] = json::object{{"required", true}, {"content", std::move(content)}};
  }
  operation["responses"] = responses_of(route);
  if (!route.access.is_public()) {
    json::array alternatives{json::object{{"accessToken", json::array()}}};
    if (permission) alternatives.push_back(json::object{{"apiKey", json::array{name_of(*permission)}}});
    operation["security"] = std::move(alternatives);
  }
  // Or without: the token may be in the body.
  if (route.refresh_cookie == RefreshCookie::used) {
    operation["security"] = json::array{json::object{{"refreshCookie", json::array()}}, json::object()};
  }
  return operation;
}

// In lists for people.
std::string_view mark_of(StepUp step_up) {
  switch (step_up) {
    case StepUp::never:
      return "";
    case StepUp::guarded:
      return "(step-up)";
    case StepUp::always:
      return "step-up";
  }
  std::unreachable();
}

std::string page_rows(const std::vector<Route>& routes) {
  std::string rows;
  for (const auto& route : routes) {
    rows += "<tr><td>" + std::string(name_of(route.method)) + "</td><td><code>" + escape_html(route.path) +
            "</code></td><td>" + std::string(name_of(route.access)) +
            (mark_of(route.access.step_up()).empty() ? "" : ", ") + std::string(mark_of(route.access.step_up())) +
            "</td><td>" + escape_html(route.summary) + "</td><td>";
    for (const auto* body : {&route.endpoint.body, &route.endpoint.form, &route.endpoint.message}) {
      if (*body) rows += "<pre>" + escape_html(json::serialize((*body)->schema.at("properties"))) + "</pre>";
    }
    rows += "</td><td>" + std::to_string(route.endpoint.status) + "</td></tr>\n";
  }
  return rows;
}

}  // namespace

std::string openapi_document(const std::vector<Route>& routes, std::string_view server_url, std::string_view version) {
  json::object schemas{{"Problem", problem_schema()}};
  json::object paths;
  for (const auto& route : routes) {
    const auto& endpoint = route.endpoint;
    for (const auto* described :
         {&endpoint.body, &endpoint.form, &endpoint.message, &endpoint.answer, &endpoint.begun}) {
      if (*described) schemas[(*described)->name] = (*described)->schema;
    }
    auto& path = paths[route.path];
    if (path.is_null()) path = json::object();
    path.as_object()[to_lower(name_of(route.method))] = operation_of(route);
  }
  const json::object document{
      {"openapi", "3.1.0"},
      {"info",
       json::object{{"title", "Safawinet"},
                    {"version", version},
                    {"description", "Accounts, sessions and forced logout. Every error is an RFC 9457 problem."}}},
      {"servers", json::array{json::object{{"url", server_url}}}},
      {"paths", std::move(paths)},
      {"components",
       json::object{
           {"schemas", std::move(schemas)},
           {"securitySchemes",
            json::object{
                {"accessToken",
                 json::object{{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "at+jwt (RFC 9068)"}}},
                {"apiKey", json::object{{"type", "http"},
                                        {"scheme", "bearer"},
                                        {"bearerFormat", "sf_ak_…"},
                                        {"description", "also as the password of Basic"}}},
                {"refreshCookie", json::object{{"type", "apiKey"},
                                               {"in", "cookie"},
                                               {"name", kRefreshCookieName},
                                               {"description",
                                                "set by a login with delivery \"cookie\"; the request must "
                                                "have an Origin of http.cors_origins, or the server's own"}}}}}}}};
  return json::serialize(document);
}

std::string docs_page(const std::vector<Route>& routes, const std::vector<Route>& operations_routes,
                      std::string_view version) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Safawinet API</title>\n</head>\n"
      "<body>\n<h1>Safawinet API ";
  page.append(version).append(
      "</h1>\n<p>JSON in and out; errors are <code>application/problem+json</code> (RFC 9457). Send the access token "
      "as "
      "<code>Authorization: Bearer …</code>. The same as a document: <a "
      "href=\"/openapi.json\">/openapi.json</a>.</p>\n");
  const std::string head =
      "<table>\n<thead><tr><th>Method</th><th>Path</th><th>Access</th><th>What it does</th><th>Body</th>"
      "<th>Success</th></tr></thead>\n<tbody>\n";
  page += head + page_rows(routes) + "</tbody>\n</table>\n";
  page += "<h2>On the operations address</h2>\n" + head + page_rows(operations_routes) + "</tbody>\n</table>\n";
  page += "</body>\n</html>\n";
  return page;
}

std::string routes_json(const std::vector<Route>& routes) {
  json::array rows;
  for (const auto& route : routes) {
    rows.push_back(json::object{{"method", name_of(route.method)},
                                {"path", route.path},
                                {"access", name_of(route.access)},
                                {"rateClass", name_of(route.rate_class)},
                                {"stepUp", name_of(route.access.step_up())}});
  }
  return json::serialize(rows);
}

std::string routes_text(const std::vector<Route>& routes) {
  std::string text;
  const auto add_cell = [&text](std::string_view cell, std::size_t width) {
    text.append(cell).append(width > cell.size() ? width - cell.size() : 1, ' ');
  };
  for (const auto& route : routes) {
    add_cell(name_of(route.method), 8);
    add_cell(route.path, 44);
    add_cell(name_of(route.access), 12);
    add_cell(name_of(route.rate_class), 14);
    add_cell(mark_of(route.access.step_up()), 10);
    text.append(route.summary).append("\n");
  }
  return text;
}

}  // namespace safawinet::api
