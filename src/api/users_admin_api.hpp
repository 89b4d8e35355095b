// For staff: making accounts, exporting them, helping with a login, ending one session, deleting an account.
#pragma once

#include "accounts/administration.hpp"
#include "accounts/assistance.hpp"
#include "accounts/user_making.hpp"
#include "api/admin_bodies.hpp"
#include "api/call.hpp"
#include "api/route.hpp"
#include "api/types.hpp"

namespace safawinet::api {

class UsersAdminApi {
 public:
  UsersAdminApi(Administration& administration, Assistance& assistance, UserMaking& making)
      : administration_(administration), assistance_(assistance), making_(making) {}

  Task<Result<Created<AdminUserAnswer>>> create(Call& call, CreateUserInput input);
  // ?limit=1..1000 &cursor=
  Task<Result<UserPage>> export_users(Call& call);

  Task<Result<Accepted>> send_reset(Call& call);
  Task<Result<NoContent>> unlock(Call& call);
  Task<Result<AdminUserAnswer>> verify(Call& call);
  // ?reason=
  Task<Result<NoContent>> end_session(Call& call);
  Task<Result<NoContent>> delete_user(Call& call);

 private:
  Administration& administration_;
  Assistance& assistance_;
  UserMaking& making_;
};

}  // namespace safawinet::api
