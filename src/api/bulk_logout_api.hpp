// Forced logout by criteria: preview, order, progress.
#pragma once

#include "api/call.hpp"
#include "api/route.hpp"
#include "api/types.hpp"
#include "sessions/bulk_logout_service.hpp"

namespace safawinet::api {

inline constexpr std::size_t kListedUsersLimit = 1'000;  // in `userIds` and `emails` together

class BulkLogoutApi {
 public:
  explicit BulkLogoutApi(BulkLogoutService& bulk_logouts) : bulk_logouts_(bulk_logouts) {}

  // With "dryRun": true it shows what would happen, and gives the confirmation without which nothing happens.
  Task<Result<DoneOrBegun<BulkLogoutPreviewAnswer, BulkLogoutAnswer>>> preview_or_order(Call& call,
                                                                                        BulkLogoutInput input);
  Task<Result<BulkLogoutPage>> list(Call& call);
  Task<Result<BulkLogoutAnswer>> get(Call& call);

 private:
  BulkLogoutService& bulk_logouts_;
};

}  // namespace safawinet::api
