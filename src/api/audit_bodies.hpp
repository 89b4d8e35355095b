// What is sent and received about the audit log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "accounts/email_address.hpp"
#include "audit/audit_entry.hpp"
#include "base/json.hpp"

namespace safawinet::api {

struct AuditItem {
  AuditEntryId id;
  Time at;
  std::string action;
  std::string outcome;
  std::string actor;
  std::string target;
  std::string reason;
  std::string ip_address;
  std::string request_id;
};
BOOST_DESCRIBE_STRUCT(AuditItem, (), (id, at, action, outcome, actor, target, reason, ip_address, request_id))

struct AuditPage {
  std::vector<AuditItem> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(AuditPage, (), (items, next_cursor))

// A row of the chain with its entry. What belongs to an entry is null where that was deleted, or cannot be read.
struct AuditExportItem {
  std::int64_t position = 0;
  std::optional<std::string> link;
  std::optional<Time> linked_at;
  std::optional<std::string> id;
  std::optional<Time> at;
  std::optional<std::string> action;
  std::optional<std::string> outcome;
  std::optional<std::string> actor;
  std::optional<std::string> target;
  std::optional<std::string> reason;
  std::optional<std::string> ip_address;
  std::optional<std::string> request_id;
  std::optional<std::string> mac;
  std::optional<Time> erased_at;
};
BOOST_DESCRIBE_STRUCT(AuditExportItem, (),
                      (position, link, linked_at, id, at, action, outcome, actor, target, reason, ip_address,
                       request_id, mac, erased_at))

struct AuditExport {
  std::vector<AuditExportItem> items;
  std::int64_t next_after = 0;
};
BOOST_DESCRIBE_STRUCT(AuditExport, (), (items, next_after))

// As a line of the checkpoint file.
struct AuditCheckpointInput {
  std::optional<BoundedText<0, 64>> event;
  std::int64_t position = 0;
  BoundedText<0, 64> link;
  Time at;
  std::optional<BoundedText<0, 64>> public_key;
  BoundedText<0, 128> signature;
};
BOOST_DESCRIBE_STRUCT(AuditCheckpointInput, (), (event, position, link, at, public_key, signature))

struct AuditVerifyInput {
  std::optional<std::int64_t> from;
  std::optional<std::vector<AuditCheckpointInput>> checkpoints;
};
BOOST_DESCRIBE_STRUCT(AuditVerifyInput, (), (from, checkpoints))

struct AuditFindingItem {
  std::string kind;
  std::optional<std::int64_t> position;
  std::optional<std::string> entry_id;
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(AuditFindingItem, (), (kind, position, entry_id, detail))

struct AuditHead {
  std::int64_t position = 0;
  std::string link;
};
BOOST_DESCRIBE_STRUCT(AuditHead, (), (position, link))

struct AuditVerifyAnswer {
  std::int64_t from = 0;
  std::int64_t verified_up_to = 0;
  std::int64_t rows = 0;
  bool is_complete = false;
  std::vector<AuditFindingItem> findings;
  AuditHead head;
  std::string public_key;
};
BOOST_DESCRIBE_STRUCT(AuditVerifyAnswer, (), (from, verified_up_to, rows, is_complete, findings, head, public_key))

struct AuditEraseInput {
  UserId user_id;
  BoundedText<1, 500> reason;
  std::optional<EmailAddress> email;
};
BOOST_DESCRIBE_STRUCT(AuditEraseInput, (), (user_id, reason, email))

struct AuditEraseAnswer {
  std::int64_t rows_erased = 0;
};
BOOST_DESCRIBE_STRUCT(AuditEraseAnswer, (), (rows_erased))

}  // namespace safawinet::api
