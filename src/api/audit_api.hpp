// The record of who did what: reading it, verifying it, and erasing whom it names.
#pragma once

#include "api/audit_bodies.hpp"
#include "api/call.hpp"
#include "audit/audit_chain.hpp"
#include "audit/audit_checkpoints.hpp"

namespace safawinet::api {

class AuditApi {
 public:
  AuditApi(AuditChain& chain, AuditCheckpoints& checkpoints, const Clock& clock)
      : chain_(chain), checkpoints_(checkpoints), clock_(clock) {}

  // ?actor=&target=&action=&outcome=&since=&until=, newest first, in pages.
  Task<Result<AuditPage>> list(Call& call);
  // ?after=POSITION&limit=1..1000, in the order of the chain; nextAfter is where the next page begins, also of what is
  // yet to come.
  Task<Result<AuditExport>> export_entries(Call& call);
  Task<Result<AuditVerifyAnswer>> verify(Call& call, AuditVerifyInput input);
  Task<Result<AuditEraseAnswer>> erase(Call& call, AuditEraseInput input);

 private:
  AuditChain& chain_;
  AuditCheckpoints& checkpoints_;
  const Clock& clock_;
};

}  // namespace safawinet::api
