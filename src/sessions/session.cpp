#include "sessions/session.hpp"

#include <array>
#include <utility>

namespace safawinet {
namespace {

struct Known {
  std::string_view mark;  // in the User-Agent
  std::string_view name;
};

// The order matters: Edge and Opera also claim to be Chrome, Chrome to be Safari, Android to be Linux, iPhones to be
// Macs.
constexpr std::array kPrograms{
    Known{"Edg/", "Edge"},          Known{"OPR/", "Opera"},         Known{"SamsungBrowser/", "Samsung Internet"},
    Known{"Firefox/", "Firefox"},   Known{"FxiOS/", "Firefox"},     Known{"CriOS/", "Chrome"},
    Known{"Chrome/", "Chrome"},     Known{"Safari/", "Safari"},     Known{"curl/", "curl"},
    Known{"python", "Python"},      Known{"Python", "Python"},      Known{"okhttp/", "Android app"},
    Known{"CFNetwork/", "iOS app"}, Known{"Go-http-client/", "Go"}, Known{"PostmanRuntime/", "Postman"},
    Known{"Wget/", "Wget"}};
constexpr std::array kSystems{Known{"iPhone", "iPhone"},   Known{"iPad", "iPad"},     Known{"Android", "Android"},
                              Known{"Windows", "Windows"}, Known{"CrOS", "ChromeOS"}, Known{"Mac OS X", "macOS"},
                              Known{"Macintosh", "macOS"}, Known{"Linux", "Linux"}};

template <std::size_t Size>
std::string_view find_known(const std::array<Known, Size>& known, std::string_view user_agent) {
  for (const auto& entry : known) {
    if (user_agent.find(entry.mark) != std::string_view::npos) return entry.name;
  }
  return {};
}

}  // namespace

bool has_second_factor(std::string_view methods) {
  return (" " + std::string(methods) + " ").find(" mfa ") != std::string::npos;
}

bool Caller::has_authenticated_lately(Time now) const {
  // A minute: the clocks of nodes may differ a little.
  return authenticated_at <= now + std::chrono::minutes(1) && now - authenticated_at <= kStepUpLifetime;
}

std::string describe_device(std::string_view user_agent) {
  const auto program = find_known(kPrograms, user_agent);
  const auto system = find_known(kSystems, user_agent);
  if (program.empty() && system.empty()) return "Unknown device";
  if (program.empty()) return std::string(system);
  if (system.empty()) return std::string(program);
  return std::string(program) + " on " + std::string(system);
}

}  // namespace safawinet
