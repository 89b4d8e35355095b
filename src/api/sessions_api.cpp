#include "api/sessions_api.hpp"

namespace safawinet::api {

Task<Result<SessionPage>> SessionsApi::list(Call& call) {
  const auto page = page_of<SessionId>(call);
  if (!page) co_return std::unexpected(page.error());
  auto sessions = co_await sessions_.list(call.caller->user, page->before, page->limit + 1);
  SessionPage answer;
  answer.next_cursor = cut_page(sessions, page->limit);
  for (const auto& session : sessions) answer.items.push_back(to_item(session, call.caller->session));
  co_return answer;
}

Task<Result<NoContent>> SessionsApi::end_one(Call& call) {
  const auto session = call.id<SessionId>(0);
  if (!session) co_return std::unexpected(session.error());
  const auto status = co_await sessions_.end_one(call.caller->user, *session, "ended-by-user", call.origin());
  if (!status) co_return std::unexpected(status.error());
  co_return NoContent{};
}

Task<Result<SessionsEndedAnswer>> SessionsApi::end_others(Call& call) {
  const auto ended = co_await sessions_.end_others(call.caller->user, call.caller->session, call.origin());
  SessionsEndedAnswer answer{.sessions_ended = ended};
  co_return answer;
}

}  // namespace safawinet::api
