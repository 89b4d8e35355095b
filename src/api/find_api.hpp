// Whom a leaked text names, ready to revoke.
#pragma once

#include "api/call.hpp"
#include "api/find_bodies.hpp"
#include "evidence/session_finder.hpp"

namespace safawinet::api {

class FindApi {
 public:
  explicit FindApi(SessionFinder& finder) : finder_(finder) {}

  // Says nothing of the text but what it names here. Ends nothing: it answers with the calls that would.
  Task<Result<FindAnswer>> find(Call& call, FindInput input);

 private:
  SessionFinder& finder_;
};

}  // namespace safawinet::api
