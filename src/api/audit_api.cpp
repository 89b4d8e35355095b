#include "api/audit_api.hpp"

#include <initializer_list>
#include <limits>
#include <utility>

#include "access/standing.hpp"

namespace safawinet::api {
namespace {

constexpr std::size_t kCheckpointsLimit = 1'000;  // of one call
constexpr std::int64_t kExportLimit = 1'000;

Result<std::optional<Time>> time_of(const Call& call, std::string_view name) {
  const auto text = call.query(name);
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  const auto time = parse_rfc3339(**text);
  if (!time) return bad_query(name, "invalid", "must be a time such as 2026-11-24T20:25:53Z");
  return *time;
}

Result<AuditFilter> filter_of(const Call& call) {
  AuditFilter filter;
  for (const auto& [name, value] :
       std::initializer_list<std::pair<std::string_view, std::optional<std::string>*>>{{"actor", &filter.actor},
                                                                                       {"target", &filter.target},
                                                                                       {"action", &filter.action},
                                                                                       {"outcome", &filter.outcome}}) {
    auto text = call.query(name);
    if (!text) return std::unexpected(std::move(text.error()));
    *value = std::move(*text);
  }
  if (filter.outcome && *filter.outcome != "done" && *filter.outcome != "refused") {
    return bad_query("outcome", "not-one-of", "must be one of done, refused");
  }
  const auto since = time_of(call, "since");
  if (!since) return std::unexpected(since.error());
  const auto until = time_of(call, "until");
  if (!until) return std::unexpected(until.error());
  filter.since = *since;
  filter.until = *until;
  return filter;
}

AuditItem to_item(AuditRow row) {
  return {.id = row.id,
          .at = row.at,
          .action = std::move(row.action),
          .outcome = std::move(row.outcome),
          .actor = std::move(row.actor),
          .target = std::move(row.target),
          .reason = std::move(row.reason),
          .ip_address = std::move(row.ip_address),
          .request_id = std::move(row.request_id)};
}

AuditExportItem to_export_item(LinkedEntry linked) {
  AuditExportItem item;
  item.position = linked.position;
  if (linked.chain) {
    item.link = std::move(linked.chain->link);
    item.linked_at = linked.chain->linked_at;
    item.id = std::move(linked.chain->entry_id);
  }
  if (linked.entry) {
    auto& entry = *linked.entry;
    item.at = entry.at;
    item.action = std::move(entry.action);
    item.outcome = std::move(entry.outcome);
    item.actor = std::move(entry.actor);
    item.target = std::move(entry.target);
    item.reason = std::move(entry.reason);
    item.ip_address = std::move(entry.ip_address);
    item.request_id = std::move(entry.request_id);
    item.mac = std::move(entry.mac);
  }
  if (linked.erasure) item.erased_at = linked.erasure->erased_at;
  return item;
}

AuditFindingItem to_item(AuditFinding finding) {
  AuditFindingItem item{.kind = std::string(finding.kind), .position = finding.position, .entry_id = {}, .detail = {}};
  if (!finding.entry_id.empty()) item.entry_id = std::move(finding.entry_id);
  item.detail = std::move(finding.detail);
  return item;
}

AuditCheckpoint to_checkpoint(AuditCheckpointInput input) {
  return {.point = {.position = input.position, .link = std::move(input.link.value)},
          .at = input.at,
          .signature = std::move(input.signature.value)};
}

}  // namespace

Task<Result<AuditPage>> AuditApi::list(Call& call) {
  const auto page = page_of<AuditEntryId>(call);
  if (!page) co_return std::unexpected(page.error());
  auto filter = filter_of(call);
  if (!filter) co_return std::unexpected(filter.error());
  auto entries = co_await chain_.list(std::move(*filter), page->before, page->limit + 1);
  AuditPage answer;
  answer.next_cursor = cut_page(entries, page->limit);
  for (auto& entry : entries) answer.items.push_back(to_item(std::move(entry)));
  co_return answer;
}

Task<Result<AuditExport>> AuditApi::export_entries(Call& call) {
  const auto after = call.number("after", 0, std::numeric_limits<std::int64_t>::max());
  if (!after) co_return std::unexpected(after.error());
  const auto limit = call.number("limit", 1, kExportLimit);
  if (!limit) co_return std::unexpected(limit.error());
  AuditExport answer;
  answer.next_after = after->value_or(0);
  auto rows = co_await chain_.read(answer.next_after, limit->value_or(kExportLimit));
  if (!rows.empty()) answer.next_after = rows.back().position;
  for (auto& row : rows) answer.items.push_back(to_export_item(std::move(row)));
  co_return answer;
}

Task<Result<AuditVerifyAnswer>> AuditApi::verify(Call& /*call*/, AuditVerifyInput input) {
  if (input.checkpoints && input.checkpoints->size() > kCheckpointsLimit) {
    Error error{.code = ErrorCode::invalid_fields};
    error.fields.push_back({"/checkpoints", "too-long", "at most 1000 of them; the newest say the most"});
    co_return refuse(std::move(error));
  }
  auto checkpoints = co_await checkpoints_.recent();
  if (input.checkpoints) {
    for (auto& given : *input.checkpoints) checkpoints.push_back(to_checkpoint(std::move(given)));
  }
  auto verified = co_await chain_.verify(input.from, std::move(checkpoints));
  AuditVerifyAnswer answer{.from = verified.from,
                           .verified_up_to = verified.verified_up_to,
                           .rows = verified.rows,
                           .is_complete = verified.is_complete,
                           .findings = {},
                           .head = {.position = verified.head.position, .link = std::move(verified.head.link)},
                           .public_key = checkpoints_.public_key()};
  for (auto& finding : verified.findings) answer.findings.push_back(to_item(std::move(finding)));
  co_return answer;
}

Task<Result<AuditEraseAnswer>> AuditApi::erase(Call& call, AuditEraseInput input) {
  auto approve = [this, acting = *call.acting](sql::Transaction& transaction) -> Task<Status> {
    const auto confirmed = co_await confirm(transaction, acting, Permission::audit_erase, clock_.now());
    if (!confirmed) co_return std::unexpected(confirmed.error());
    co_return Status{};
  };
  AuditErasure erasure{.user = input.user_id,
                       .email = {},
                       .reason = std::move(input.reason.value),
                       .actor = call.acting->actor,
                       .origin = call.origin()};
  if (input.email) erasure.email = input.email->text();
  const auto erased = co_await chain_.erase(std::move(erasure), std::move(approve));
  if (!erased) co_return std::unexpected(erased.error());
  co_return AuditEraseAnswer{.rows_erased = *erased};
}

}  // namespace safawinet::api
