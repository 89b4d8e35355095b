#include "audit/audit_checkpoints.hpp"

#include <boost/asio/co_spawn.hpp>

#include <system_error>
#include <utility>

namespace safawinet {
namespace {

constexpr std::size_t kRecentLimit = 200;  // checkpoints; with one a minute, more than three hours of a busy node

}  // namespace

Task<CheckpointMade> AuditCheckpoints::make() {
  if (!has_read_file_) {
    auto recent = co_await read();
    if (!recent.empty()) last_ = std::move(recent.back());
    has_read_file_ = true;
  }
  CheckpointMade made;
  const auto head = co_await parts_.chain.head();
  if (last_) {
    const bool is_there = co_await parts_.chain.still_has(last_->point);
    if (!is_there) {
      add_to_file(to_lost_line(*last_, parts_.key.public_key()), made);
      made.damage = "position " + std::to_string(last_->point.position) + ", which was signed at " +
                    to_rfc3339(last_->at) + ", is gone or is another one";
    } else if (last_->point.position == head.position) {
      co_return made;
    }
  }
  if (head.position == 0) {
    if (!made.damage.empty()) last_.reset();  // told once
    co_return made;
  }
  auto checkpoint = parts_.key.sign(head, parts_.clock.now());
  last_ = checkpoint;
  made.checkpoint = std::move(checkpoint);
  add_to_file(to_line(*made.checkpoint, parts_.key.public_key()), made);
  co_return made;
}

void AuditCheckpoints::add_to_file(const std::string& line, CheckpointMade& made) {
  try {
    file_.append(line);
  } catch (const std::system_error& failure) {
    made.file_failure = failure.what();
  }
}

Task<std::vector<AuditCheckpoint>> AuditCheckpoints::recent() {
  auto reading = read_with_lost();
  co_return co_await boost::asio::co_spawn(parts_.slow_loop, std::move(reading), use_task);
}

// What others wrote into the file is no evidence of anything.
Task<std::vector<AuditCheckpoint>> AuditCheckpoints::read() {
  auto checkpoints = file_.newest(kRecentLimit);
  std::erase_if(checkpoints, [this](const AuditCheckpoint& one) { return !parts_.key.verify(one); });
  co_return checkpoints;
}

// What a chain has once lost is found at every verification from then on, however many checkpoints come after it.
Task<std::vector<AuditCheckpoint>> AuditCheckpoints::read_with_lost() {
  auto checkpoints = co_await read();
  for (auto& one : file_.lost(kRecentLimit)) {
    if (parts_.key.verify(one)) checkpoints.push_back(std::move(one));
  }
  co_return checkpoints;
}

}  // namespace safawinet
