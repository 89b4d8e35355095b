#include "api/public_api.hpp"

#include <boost/json/serialize.hpp>

#include <utility>

namespace safawinet::api {
namespace {

std::string_view name_of(sql::Health health) {
  switch (health) {
    case sql::Health::ok:
      return "ok";
    case sql::Health::read_only:
      return "read-only";
    case sql::Health::down:
      return "down";
  }
  std::unreachable();
}

double in_ms(std::chrono::microseconds duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

http::Response cacheable(std::string content_type, std::string body, std::string_view seconds) {
  http::Response response{.status = 200, .content_type = std::move(content_type), .body = std::move(body)};
  response.with("Cache-Control", "public, max-age=" + std::string(seconds));
  return response;
}

}  // namespace

Task<Result<http::Response>> PublicApi::health(Call&) {
  const auto database = parts_.database.state();
  const bool is_mail_failing = parts_.process.is_mail_failing;
  const bool is_down = database.health == sql::Health::down || !parts_.feed.is_lease_held();
  const auto cache = parts_.limits.state();
  const bool is_ok = database.health == sql::Health::ok && !is_mail_failing && cache.is_up;
  const HealthAnswer answer{
      .status = is_down ? "down"
                : is_ok ? "ok"
                        : "degraded",
      .mode = std::string(safawinet::name_of(parts_.mode.state()->mode)),
      .dependencies = {
          .database = {.status = std::string(name_of(database.health)), .latency_ms = in_ms(database.latency)},
          .cache = {.status = cache.is_up ? "ok" : "down", .latency_ms = cache.latency.transform(in_ms)},
          .mail = {.status = is_mail_failing ? "failing" : "ok", .latency_ms = {}}}};
  http::Response response{.status = is_down ? 503U : 200U, .content_type = "application/json", .body = to_json(answer)};
  if (is_down) response.with("Retry-After", "1");
  co_return response;
}

Task<Result<StatusAnswer>> PublicApi::live(Call&) {
  StatusAnswer answer{.status = "ok"};
  co_return answer;
}

Task<Result<http::Response>> PublicApi::ready(Call&) {
  const bool is_ready =
      !parts_.process.is_draining && parts_.feed.is_lease_held() && parts_.database.state().health != sql::Health::down;
  const StatusAnswer answer{.status = is_ready ? "ok" : "not-ready"};
  http::Response response{
      .status = is_ready ? 200U : 503U, .content_type = "application/json", .body = to_json(answer)};
  if (!is_ready) response.with("Retry-After", "1");
  co_return response;
}

Task<Result<http::Response>> PublicApi::jwks(Call&) {
  co_return cacheable("application/jwk-set+json", parts_.keyring.get()->jwks(),
                      std::to_string(parts_.jwks_max_age.count()));
}

Task<Result<http::Response>> PublicApi::server_metadata(Call&) {
  // No authorization endpoint: we issue tokens to our own clients, so no grant and no response type is on offer.
  const boost::json::object metadata{
      {"issuer", parts_.issuer},
      {"jwks_uri", parts_.jwks_url},
      {"introspection_endpoint", parts_.issuer + "/v1/auth/introspect"},
      {"introspection_endpoint_auth_methods_supported", boost::json::array{"Bearer", "client_secret_basic"}},
      {"response_types_supported", boost::json::array()},
      {"grant_types_supported", boost::json::array()}};
  co_return cacheable("application/json", boost::json::serialize(metadata), "300");
}

Task<Result<http::Response>> PublicApi::openapi(Call&) {
  co_return cacheable("application/json", parts_.openapi, "60");
}

Task<Result<http::Response>> PublicApi::docs(Call&) {
  co_return cacheable("text/html; charset=utf-8", parts_.docs_page, "60");
}

Task<Result<http::Response>> OperationsApi::metrics(Call&) {
  http::Response response{
      .status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_.text()};
  co_return response;
}

}  // namespace safawinet::api
