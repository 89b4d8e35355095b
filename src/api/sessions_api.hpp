// /v1/sessions: one's own devices.
#pragma once

#include "api/call.hpp"
#include "api/types.hpp"
#include "sessions/session_service.hpp"

namespace safawinet::api {

class SessionsApi {
 public:
  explicit SessionsApi(SessionService& sessions) : sessions_(sessions) {}

  Task<Result<SessionPage>> list(Call& call);
  Task<Result<NoContent>> end_one(Call& call);
  Task<Result<SessionsEndedAnswer>> end_others(Call& call);

 private:
  SessionService& sessions_;
};

}  // namespace safawinet::api
