// Holds mail back that one can do without, before too many bounces or complaints have SES stop us altogether.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/task.hpp"
#include "mail/mail_store.hpp"
#include "mail/mail_worker.hpp"
#include "sql/database.hpp"

namespace safawinet {

// At which SES reviews, and then stops, a sender ("Reputation metrics" in its developer guide).
inline constexpr double kBounceRateLimit = 0.05;
inline constexpr double kComplaintRateLimit = 0.001;

// Of a while.
struct MailFigures {
  std::int64_t sent = 0;
  std::int64_t delivered = 0;
  std::int64_t bounced = 0;              // for good
  std::int64_t bounced_transiently = 0;  //
  std::int64_t complained = 0;
  std::int64_t rejected = 0;  // by SES, for what is in them
  std::int64_t refused = 0;   // by a server, while we sent
  std::int64_t given_up = 0;
  std::int64_t suppressed = 0;  // not sent at all
  std::int64_t foreign = 0;     // events about mail that is not ours

  // Of what was sent or refused; 0 where that is nothing.
  [[nodiscard]] double bounce_rate() const;
  [[nodiscard]] double complaint_rate() const;
  void add(std::string_view name, std::int64_t count);
};

struct MailPoint {
  Time at;  // its beginning
  MailFigures figures;
};

inline constexpr std::chrono::hours kGuardWindow{24};

// Why mail is to be held back; none: it need not be. `is_on`: it is held back now, and goes on so until the rates are
// well below. Few mails say nothing.
std::optional<std::string> reason_to_hold(const MailFigures& figures, bool is_on);

// Threading: look() by one coroutine; statistics() on any event loop.
class ReputationGuard {
 public:
  ReputationGuard(sql::Database& database, MailHold& hold, const Clock& clock, bool is_enabled)
      : database_(database), hold_(hold), clock_(clock), is_enabled_(is_enabled) {}

  // Decides anew; gives the reason if mail is held back. Nodes come to the same, unless one began
  // between the rate at which holding begins and that at which it ends.
  Task<std::optional<std::string>> look();

  // Why mail is held back at this moment; none: it is not.
  Task<std::optional<std::string>> reason();

  // In order, those with anything in them.
  Task<std::vector<MailPoint>> points_since(Time since);
  [[nodiscard]] bool is_enabled() const { return is_enabled_; }

 private:
  sql::Database& database_;
  MailHold& hold_;
  const Clock& clock_;
  bool is_enabled_;
  MailStore store_;
};

MailFigures sum_of(const std::vector<MailPoint>& points);

}  // namespace safawinet
