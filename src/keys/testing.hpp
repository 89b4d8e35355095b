// Keys in a database, for tests.
#pragma once

#include <memory>

#include "keys/key_service.hpp"
#include "keys/keyring_watch.hpp"
#include "sessions/testing.hpp"

namespace safawinet::testing {

inline KeyringRules usual_key_rules(std::string algorithm = "EdDSA") {
  return {.signing = {.algorithm = std::move(algorithm),
                      .known_before = std::chrono::minutes(5),
                      .verifies_after = std::chrono::hours(1)},
          .refresh_mac = {
              .algorithm = "HS256", .known_before = std::chrono::seconds(10), .verifies_after = std::chrono::days(31)}};
}

// A node that has started on the database of `at_work`: its keyring is that of the sessions.
struct KeysAtWork {
  explicit KeysAtWork(SessionsAtWork& sessions_at_work, std::string algorithm = "EdDSA")
      : at_work(sessions_at_work), rules(usual_key_rules(std::move(algorithm))) {}

  LoadedKeyring load(const KeyringRules& wanted = usual_key_rules()) {
    auto loaded =
        at_work.run(load_keyring(at_work.database, at_work.master_key, wanted, at_work.clock, at_work.random));
    at_work.keyring.set(loaded.keyring);
    return loaded;
  }
  void hear() {
    at_work.run(feed.catch_up());
    if (watch.is_behind()) at_work.run(watch.look());
  }
  std::string state_of(const std::string& id) { return at_work.text("SELECT state FROM keys WHERE id = $1", id); }
  std::string id_of(const char* state, const char* purpose = "signing") {
    return at_work.text("SELECT id FROM keys WHERE state = $1 AND purpose = $2", std::string(state),
                        std::string(purpose));
  }

  SessionsAtWork& at_work;
  KeyringRules rules;
  KeyringWatch watch{{.database = at_work.database,
                      .master_key = at_work.master_key,
                      .rules = rules,
                      .clock = at_work.clock,
                      .random = at_work.random,
                      .published = at_work.keyring},
                     load().states};
  RevocationFeed feed{at_work.database, at_work.clock, std::chrono::seconds(2), nullptr,
                      [this](std::string_view states) { watch.hear(states); }};
  SessionService sessions{{.database = at_work.database,
                           .feed = feed,
                           .keyring = at_work.keyring,
                           .mode = at_work.mode_in_force,
                           .audit = at_work.audit,
                           .outbox = at_work.outbox,
                           .letters = at_work.letters,
                           .clock = at_work.clock,
                           .random = at_work.random},
                          at_work.rules};
  AccessGuard guard{at_work.keyring,       feed, at_work.mode_in_force, at_work.clock, at_work.rules.issuer,
                    at_work.rules.audience};
  KeyService keys{{.database = at_work.database,
                   .master_key = at_work.master_key,
                   .rules = rules,
                   .watch = watch,
                   .sessions = sessions,
                   .audit = at_work.audit,
                   .clock = at_work.clock,
                   .random = at_work.random,
                   .slow_loop = *at_work.loops.front()}};
};

}  // namespace safawinet::testing
