#include "aws/credential_source.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include "base/address.hpp"
#include "base/json.hpp"

namespace safawinet::aws {
namespace {

constexpr std::chrono::seconds kFailureRemembered{5};  // for those who wait for their turn to ask

constexpr std::chrono::minutes kRenewedBefore{5};
constexpr std::chrono::milliseconds kContainerPatience{3'000};
constexpr std::chrono::milliseconds kMachinePatience{2'000};
constexpr std::string_view kContainerHost = "http://169.254.170.2";
constexpr std::string_view kMachineHost = "http://169.254.169.254";
constexpr std::string_view kTokenLifetimeSeconds = "300";

// Both endpoints answer with the same members.
Credentials read_credentials(const std::string& body, const std::string& where) {
  const auto json = parse_json(body);
  if (!json || !json->is_object()) throw FetchFailed(where + " answered something that is no JSON object");
  const auto& object = json->get_object();
  Credentials credentials{.access_key_id = text_in(object, "AccessKeyId"),
                          .secret_access_key = SecretText(text_in(object, "SecretAccessKey")),
                          .session_token = SecretText(text_in(object, "Token")),
                          .expires_at = parse_rfc3339(text_in(object, "Expiration"))};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    throw FetchFailed(where + " answered no credentials");
  }
  return credentials;
}

FetchAnswer must_be_ok(FetchAnswer answer, const std::string& where) {
  if (answer.status != 200) throw FetchFailed(where + " answered " + std::to_string(answer.status));
  return answer;
}

// A token goes to such hosts in the clear: this machine, and the endpoints of ECS and EKS.
bool may_be_asked_in_the_clear(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return url.starts_with("https://");
  auto host = url.substr(kScheme.size());
  host = host.substr(0, host.find('/'));
  if (host.starts_with('[')) return host.starts_with("[::1]") || host.starts_with("[fd00:ec2::23]");
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host.starts_with("127.") || host == "169.254.170.2" || host == "169.254.170.23";
}

}  // namespace

CredentialSource::CredentialSource(Environment environment, const Clock& clock, std::function<bool()> has_to_stop)
    : environment_(std::move(environment)), clock_(clock), fetcher_({}, std::move(has_to_stop)) {}

Credentials CredentialSource::get() {
  const std::scoped_lock lock(mutex_);
  const bool is_fresh = found_ && (!found_->expires_at || clock_.now() + kRenewedBefore < *found_->expires_at);
  if (!is_fresh) {
    try {
      if (failure_ && clock_.monotonic() < failed_at_ + kFailureRemembered) std::rethrow_exception(failure_);
      failure_ = nullptr;
      found_ = find();
    } catch (const std::exception&) {
      if (!failure_) {
        failure_ = std::current_exception();
        failed_at_ = clock_.monotonic();
      }
      // Those that we have serve until their last moment.
      const bool is_usable = found_ && found_->expires_at && clock_.now() < *found_->expires_at;
      if (!is_usable) throw;
    }
  }
  return *found_;
}

void CredentialSource::forget() {
  const std::scoped_lock lock(mutex_);
  found_.reset();
}

Credentials CredentialSource::find() {
  if (auto found = of_environment()) return *std::move(found);
  if (auto found = of_container()) return *std::move(found);
  if (auto found = of_machine()) return *std::move(found);
  throw NoCredentials(
      "no AWS credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor the endpoint of a container "
      "(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI), nor the metadata service of a machine gives any");
}

std::optional<Credentials> CredentialSource::of_environment() {
  Credentials credentials{.access_key_id = environment_("AWS_ACCESS_KEY_ID"),
                          .secret_access_key = SecretText(environment_("AWS_SECRET_ACCESS_KEY")),
                          .session_token = SecretText(environment_("AWS_SESSION_TOKEN"))};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) return std::nullopt;
  return credentials;
}

std::optional<Credentials> CredentialSource::of_container() {
  const auto relative = environment_("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const auto full = environment_("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && full.empty()) return std::nullopt;
  FetchRequest request{.url = relative.empty() ? full : std::string(kContainerHost) + relative,
                       .longest = kContainerPatience};
  if (!may_be_asked_in_the_clear(request.url)) {
    throw NoCredentials("AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or name this machine");
  }
  auto token = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const auto file = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    std::ifstream in(file);
    if (!in) throw NoCredentials("cannot read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: " + file);
    token.assign(std::istreambuf_iterator<char>(in), {});
    while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  }
  if (!token.empty()) request.fields.emplace_back("Authorization", token);
  const std::string where = "the container's credential endpoint";
  return read_credentials(must_be_ok(fetcher_.perform(request), where).body, where);
}

std::string CredentialSource::metadata_endpoint() const {
  auto endpoint = environment_("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint.empty() ? std::string(kMachineHost) : endpoint;
}

std::optional<Credentials> CredentialSource::of_machine() {
  if (environment_("AWS_EC2_METADATA_DISABLED") == "true") return std::nullopt;
  const auto endpoint = metadata_endpoint();
  const std::string where = "the machine's metadata service";
  FetchRequest request{.method = "PUT", .url = endpoint + "/latest/api/token", .longest = kMachinePatience};
  request.fields.emplace_back("X-aws-ec2-metadata-token-ttl-seconds", kTokenLifetimeSeconds);
  FetchAnswer token;
  try {
    token = fetcher_.perform(request);
  } catch (const FetchFailed&) {
    return std::nullopt;  // this is no machine of Amazon's
  }
  if (token.status != 200) return std::nullopt;
  FetchRequest roles{.url = endpoint + "/latest/meta-data/iam/security-credentials/", .longest = kMachinePatience};
  roles.fields.emplace_back("X-aws-ec2-metadata-token", token.body);
  const auto names = fetcher_.perform(roles);
  if (names.status == 404) return std::nullopt;  // it has no role
  auto role = must_be_ok(names, where).body;
  role = role.substr(0, role.find('\n'));
  auto one = roles;
  one.url += role;
  return read_credentials(must_be_ok(fetcher_.perform(one), where).body, where);
}

}  // namespace safawinet::aws
