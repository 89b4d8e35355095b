#include "bounces/reputation_guard.hpp"

#include <array>
#include <cstdio>

namespace safawinet {
namespace {

constexpr double kHeldFrom = 0.8;        // of the limit
constexpr double kFreeBelow = 0.6;       // of the limit, once it is held
constexpr double kNextToNothing = 1e-9;  // 0.8 of 0.05 is a little more than 0.04
constexpr std::int64_t kMailsThatSayAnything = 100;
constexpr std::int64_t kBouncesAtLeast = 5;
constexpr std::int64_t kComplaintsAtLeast = 2;

std::string percent(double rate) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.2f %%", rate * 100);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::int64_t attempted(const MailFigures& figures) { return figures.sent + figures.refused; }

double part_of(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double MailFigures::bounce_rate() const { return part_of(bounced, attempted(*this)); }

double MailFigures::complaint_rate() const { return part_of(complained, attempted(*this)); }

void MailFigures::add(std::string_view name, std::int64_t count) {
  struct Line {
    std::string_view name;
    std::int64_t MailFigures::* figure;
  };
  static constexpr std::array kLines{Line{"sent", &MailFigures::sent},
                                     Line{"delivered", &MailFigures::delivered},
                                     Line{"bounced", &MailFigures::bounced},
                                     Line{"bounced-transiently", &MailFigures::bounced_transiently},
                                     Line{"complained", &MailFigures::complained},
                                     Line{"rejected", &MailFigures::rejected},
                                     Line{"refused", &MailFigures::refused},
                                     Line{"given-up", &MailFigures::given_up},
                                     Line{"suppressed", &MailFigures::suppressed},
                                     Line{"foreign", &MailFigures::foreign}};
  for (const auto& line : kLines) {
    if (line.name == name) this->*line.figure += count;
  }
}

MailFigures sum_of(const std::vector<MailPoint>& points) {
  MailFigures sum;
  for (const auto& [at, figures] : points) {
    sum.sent += figures.sent;
    sum.delivered += figures.delivered;
    sum.bounced += figures.bounced;
    sum.bounced_transiently += figures.bounced_transiently;
    sum.complained += figures.complained;
    sum.rejected += figures.rejected;
    sum.refused += figures.refused;
    sum.given_up += figures.given_up;
    sum.suppressed += figures.suppressed;
    sum.foreign += figures.foreign;
  }
  return sum;
}

std::optional<std::string> reason_to_hold(const MailFigures& figures, bool is_on) {
  if (attempted(figures) < kMailsThatSayAnything) return std::nullopt;
  const double part = is_on ? kFreeBelow : kHeldFrom;
  const double bounces = figures.bounce_rate();
  if (figures.bounced >= kBouncesAtLeast && bounces >= part * kBounceRateLimit - kNextToNothing) {
    return percent(bounces) + " of the mails of a day bounced; SES reviews a sender at " + percent(kBounceRateLimit);
  }
  const double complaints = figures.complaint_rate();
  if (figures.complained >= kComplaintsAtLeast && complaints >= part * kComplaintRateLimit - kNextToNothing) {
    return percent(complaints) + " of the mails of a day brought a complaint; SES reviews a sender at " +
           percent(kComplaintRateLimit);
  }
  return std::nullopt;
}

Task<std::optional<std::string>> ReputationGuard::look() {
  auto why = co_await reason();
  hold_.set(why.has_value());
  co_return why;
}

Task<std::optional<std::string>> ReputationGuard::reason() {
  if (!is_enabled_) co_return std::nullopt;
  const auto points = co_await points_since(clock_.now() - kGuardWindow);
  co_return reason_to_hold(sum_of(points), hold_.is_on());
}

Task<std::vector<MailPoint>> ReputationGuard::points_since(Time since) {
  const auto counts = co_await store_.counts_since(database_, since);
  std::vector<MailPoint> points;
  for (const auto& [at, name, count] : counts) {
    if (points.empty() || points.back().at != at) points.push_back({.at = at, .figures = {}});
    points.back().figures.add(name, count);
  }
  co_return points;
}

}  // namespace safawinet
