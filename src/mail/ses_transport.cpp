#include "mail/ses_transport.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "base/ascii.hpp"
#include "base/encoding.hpp"
#include "base/json.hpp"

namespace safawinet {
namespace {

constexpr std::string_view kPath = "/v2/email/outbound-emails";
constexpr std::string_view kService = "ses";
constexpr std::chrono::milliseconds kShortestCall{5'000};  // with less time left it is not begun

// "MessageRejected", from the header or the body, without what may stand around it.
std::string error_type(const FetchAnswer& answer, const boost::json::object& body) {
  std::string type(answer.field("x-amzn-errortype"));
  if (type.empty()) type = text_in(body, "__type");
  type = type.substr(0, type.find(':'));
  const auto hash = type.rfind('#');
  return hash == std::string::npos ? type : type.substr(hash + 1);
}

std::string body_of(const Uuid& id, const Mail& mail, const Sender& from, const SesAccess& access,
                    const std::string& message) {
  boost::json::object body{
      {"FromEmailAddress", from.address},
      {"Destination", {{"ToAddresses", {mail.to}}}},
      {"Content", {{"Raw", {{"Data", to_base64(as_bytes(message))}}}}},
      {"EmailTags",
       {{{"Name", kMailTag}, {"Value", id.text()}}, {{"Name", "safawinet-kind"}, {"Value", name_of(mail.kind)}}}}};
  if (!access.configuration_set.empty()) body["ConfigurationSetName"] = access.configuration_set;
  return boost::json::serialize(body);
}

}  // namespace

Handover judge_ses_answer(const FetchAnswer& answer) {
  const auto parsed = parse_json(answer.body);
  const auto body = parsed && parsed->is_object() ? parsed->get_object() : boost::json::object();
  if (answer.status == 200) {
    return {.kind = Handover::Kind::taken, .provider_id = text_in(body, "MessageId")};
  }
  const auto type = error_type(answer, body);
  auto detail = std::to_string(answer.status) + " " + type;
  auto message = text_in(body, "message");
  if (message.empty()) message = text_in(body, "Message");
  if (!message.empty()) detail += ": " + message;
  // What is wrong with the account, the sender or our settings is put right by somebody, and the mail goes out then.
  static constexpr std::array<std::string_view, 2> kAboutTheMail{"MessageRejected", "MessageRejectedException"};
  const bool is_about_the_mail =
      answer.status == 400 && (std::ranges::find(kAboutTheMail, type) != kAboutTheMail.end());
  // "Email address is not verified" is a rejection too, and about the account.
  if (is_about_the_mail && message.find("not verified") == std::string::npos) {
    return {.kind = Handover::Kind::message_refused, .detail = std::move(detail)};
  }
  return {.kind = Handover::Kind::later, .detail = std::move(detail), .is_servers_trouble = true};
}

SesTransport::SesTransport(SesAccess access, Sender from, std::string list_unsubscribe,
                           std::shared_ptr<aws::CredentialSource> credentials, const Clock& clock,
                           std::function<bool()> has_to_stop)
    : access_(std::move(access)),
      from_(std::move(from)),
      list_unsubscribe_(std::move(list_unsubscribe)),
      credentials_(std::move(credentials)),
      clock_(clock),
      fetcher_(access_.ca_file, std::move(has_to_stop)) {
  // libcurl names no default port, and what it names is what is signed.
  constexpr std::string_view kDefaultPort = ":443";
  if (access_.endpoint.starts_with("https://") && access_.endpoint.ends_with(kDefaultPort)) {
    access_.endpoint.resize(access_.endpoint.size() - kDefaultPort.size());
  }
  if (access_.endpoint.empty()) access_.endpoint = "https://email." + access_.region + ".amazonaws.com";
}

Handover SesTransport::send(const Uuid& id, const Mail& mail, Time date) {
  const auto began = clock_.monotonic();
  if (!is_ascii(mail.to)) {
    return {.kind = Handover::Kind::message_refused, .detail = "SES takes no addresses with UTF-8"};
  }
  const auto message = to_rfc5322(id, mail, from_, date, list_unsubscribe_);
  const auto scheme_end = access_.endpoint.find("://") + 3;
  const aws::Request request{.method = "POST",
                             .host = access_.endpoint.substr(scheme_end),
                             .path = std::string(kPath),
                             .fields = {{"Content-Type", "application/json"}},
                             .body = body_of(id, mail, from_, access_, message)};
  const aws::Scope scope{.region = access_.region, .service = std::string(kService)};
  FetchRequest call{.method = request.method,
                    .url = access_.endpoint + aws::target_of(request),
                    .fields = request.fields,
                    .body = request.body};
  const auto credentials = credentials_->get();
  const auto left = std::chrono::floor<std::chrono::milliseconds>(began + kLongestSend - clock_.monotonic());
  if (left < kShortestCall) throw std::runtime_error("the credentials took too long");
  call.longest = left;
  for (auto& field : aws::sign(request, scope, credentials, clock_.now())) call.fields.push_back(std::move(field));
  const auto answer = fetcher_.perform(call);
  if (answer.status == 401 || answer.status == 403) credentials_->forget();
  return judge_ses_answer(answer);
}

}  // namespace safawinet
