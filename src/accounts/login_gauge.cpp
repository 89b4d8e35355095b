#include "accounts/login_gauge.hpp"

namespace safawinet {
namespace {

constexpr std::chrono::seconds kSlot{10};
constexpr std::chrono::seconds kSpan{60};

}  // namespace

void LoginGauge::count_accepted() {
  const std::lock_guard lock(mutex_);
  ++current().accepted;
}

void LoginGauge::count_refused(const std::string& network) {
  const std::lock_guard lock(mutex_);
  auto& slot = current();
  ++slot.refused;
  if (slot.networks.size() < kNetworksLimit) slot.networks.insert(network);
}

LoginGauge::Minute LoginGauge::last_minute() {
  const std::lock_guard lock(mutex_);
  current();
  Minute minute;
  std::unordered_set<std::string> networks;
  for (const auto& slot : slots_) {
    minute.accepted += slot.accepted;
    minute.refused += slot.refused;
    networks.insert(slot.networks.begin(), slot.networks.end());
  }
  minute.networks = networks.size();
  return minute;
}

LoginGauge::Slot& LoginGauge::current() {
  const auto now = clock_.monotonic();
  while (!slots_.empty() && slots_.front().began + kSpan <= now) slots_.pop_front();
  if (slots_.empty() || slots_.back().began + kSlot <= now) {
    slots_.push_back(Slot{.began = now, .accepted = 0, .refused = 0, .networks = {}});
  }
  return slots_.back();
}

}  // namespace safawinet
