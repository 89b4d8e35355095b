#include "api/email_events_api.hpp"

#include <boost/json/parse.hpp>

#include <utility>

namespace safawinet::api {
namespace {

std::string_view name_of(Taken taken) {
  switch (taken) {
    case Taken::acted:
      return "acted";
    case Taken::again:
      return "again";
    case Taken::foreign:
      return "foreign";
    case Taken::ignored:
      return "ignored";
  }
  std::unreachable();
}

http::Response answer_of(std::string_view outcome) {
  http::Response response{.status = 200, .content_type = "application/json"};
  response.body = "{\"outcome\":\"" + std::string(outcome) + "\"}";
  return response;
}

}  // namespace

Task<Result<http::Response>> EmailEventsApi::take(Call& call) {
  const auto message = co_await parts_.verifier.verify(call.request.body, call.client.client_network());
  if (!message) co_return std::unexpected(message.error());
  switch (message->type) {
    case aws::SnsMessage::Type::subscription_confirmation: {
      const auto confirmed = co_await parts_.verifier.confirm(*message);
      if (!confirmed) co_return std::unexpected(confirmed.error());
      parts_.log.event(LogLevel::info, "sns-subscribed", {{"topic", message->topic_arn}});
      co_return answer_of("subscribed");
    }
    case aws::SnsMessage::Type::unsubscribe_confirmation:
      co_await parts_.bounces.take_unsubscription(message->topic_arn, message->message_id);
      co_return answer_of("unsubscribed");
    case aws::SnsMessage::Type::notification:
      break;
  }
  auto event = parse_ses_event(message->message);
  if (!event) co_return std::unexpected(event.error());
  const auto taken = co_await parts_.bounces.take(std::move(*event), message->message_id);
  if (!taken) co_return std::unexpected(taken.error());
  co_return answer_of(name_of(*taken));
}

Endpoint email_events_endpoint(EmailEventsApi* api) {
  Endpoint endpoint;
  endpoint.handler = [api](Call& call) -> Task<Result<http::Response>> { return api->take(call); };
  endpoint.message = Schema{"SnsMessage", boost::json::parse(R"({
    "type": "object",
    "description": "What Amazon SNS sends to HTTPS endpoints; its Content-Type is text/plain. What else it holds is ignored",
    "required": ["Type", "MessageId", "TopicArn", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL"],
    "properties": {
      "Type": {"type": "string", "enum": ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]},
      "MessageId": {"type": "string"},
      "TopicArn": {"type": "string", "description": "one of bounces.sns_topics"},
      "Subject": {"type": "string"},
      "Message": {"type": "string", "description": "of a notification: the event of SES, as JSON"},
      "Timestamp": {"type": "string", "format": "date-time"},
      "SignatureVersion": {"type": "string", "enum": ["1", "2"]},
      "Signature": {"type": "string", "description": "Base64"},
      "SigningCertURL": {"type": "string", "format": "uri"},
      "Token": {"type": "string", "description": "of confirmations"},
      "SubscribeURL": {"type": "string", "format": "uri", "description": "of confirmations"}
    }
  })")
                                              .as_object()};
  endpoint.answer = Schema{"SnsMessageTaken", boost::json::parse(R"({
    "type": "object",
    "required": ["outcome"],
    "properties": {
      "outcome": {"type": "string", "enum": ["acted", "again", "foreign", "ignored", "subscribed", "unsubscribed"]}
    }
  })")
                                                  .as_object()};
  return endpoint;
}

}  // namespace safawinet::api
