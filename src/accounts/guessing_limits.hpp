// What can be guessed, and how many wrong ones are answered: the one table of it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace safawinet {

// What somebody might guess.
enum class Guessable { password, second_factor, backup_code, login_ticket, one_time_token, api_key };

// At most `count` in any `window`.
struct WrongOnes {
  std::size_t count;
  std::chrono::minutes window;
};

struct GuessingLimit {
  Guessable secret;
  std::string_view name;  // part of the hashes in the database: a new name forgets what was counted
  // Of one account. All of them hold, so whoever goes on has to wait longer and longer. Zeros: the secret names no
  // account, and is counted for networks alone.
  std::array<WrongOnes, 3> per_account;
  std::size_t under_attack_per_account;  // in place of the first count, for whoever comes from an unknown network
  // Different accounts (of secrets that name none: different wrong ones) that a network tries. 0: not counted.
  WrongOnes per_network;
  std::size_t under_attack_per_network;

  [[nodiscard]] constexpr bool names_account() const { return per_account.front().count > 0; }
  [[nodiscard]] constexpr bool counts_networks() const { return per_network.count > 0; }
};

inline constexpr std::chrono::minutes kQuarterOfAnHour{15};
inline constexpr std::chrono::hours kLongestGuessingWindow{24};  // none below is longer

// clang-format off
inline constexpr std::array<GuessingLimit, 6> kGuessingLimits{{
    {Guessable::password, "wrong-password",
     {{{10, kQuarterOfAnHour}, {50, std::chrono::hours(6)}, {100, std::chrono::hours(24)}}}, 3, {100, kQuarterOfAnHour}, 20},
    // Only who has the password comes so far, from whatever network: there is nothing lower under attack. 40 a day of a million codes, three of which are right: 0.012 % a day.
    {Guessable::second_factor, "wrong-code",
     {{{5, kQuarterOfAnHour}, {20, std::chrono::hours(6)}, {40, std::chrono::hours(24)}}}, 5, {0, {}}, 0},
    {Guessable::backup_code, "wrong-backup-code",
     {{{10, kQuarterOfAnHour}, {20, std::chrono::hours(6)}, {40, std::chrono::hours(24)}}}, 10, {0, {}}, 0},
    // 256 random bits: nobody guesses them, and nobody shall go on trying. A good one is never refused for the made-up
    // ones of its neighbours.
    {Guessable::login_ticket, "wrong-ticket", {}, 0, {100, kQuarterOfAnHour}, 20},
    {Guessable::one_time_token, "wrong-token", {}, 0, {100, kQuarterOfAnHour}, 20},
    {Guessable::api_key, "wrong-api-key", {}, 0, {100, kQuarterOfAnHour}, 20},
}};
// clang-format on

constexpr const GuessingLimit& limit_of(Guessable secret) { return kGuessingLimits[static_cast<std::size_t>(secret)]; }

static_assert(
    [] {
      for (std::size_t i = 0; i < kGuessingLimits.size(); ++i) {
        if (static_cast<std::size_t>(kGuessingLimits[i].secret) != i) return false;
      }
      return true;
    }(),
    "the table has the order of the enumeration");

}  // namespace safawinet
