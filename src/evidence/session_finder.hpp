// Says whose session a leaked text names, and what else was minted beside it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "access/api_keys.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/published.hpp"
#include "base/task.hpp"
#include "crypto/keyring.hpp"
#include "evidence/artefacts.hpp"
#include "evidence/evidence_store.hpp"
#include "evidence/finding.hpp"
#include "sql/database.hpp"

namespace safawinet {

// Changes nothing but the record: what was found is on it by its kinds ("session.find"), never the text. A token is
// believed when a key of the keyring made it, whatever has become of it since; what does not verify names nobody.
// Threading: any event loop; the work is done on `slow_loop`. Errors besides those named: Unavailable.
class SessionFinder {
 public:
  struct Parts {
    sql::Database& database;
    const Published<Keyring>& keyring;
    ApiKeys& api_keys;
    AuditLog& audit;
    const Clock& clock;
    EventLoop& slow_loop;
    std::string issuer;  // of our access tokens
    std::string audience;
  };
  explicit SessionFinder(Parts parts) : parts_(std::move(parts)) {}

  // Errors: forbidden, when the operator may not any more.
  Task<Result<Findings>> find(FindingRequest request);

 private:
  Task<Findings> look(FindingRequest request);
  Task<Finding> identify(Artefact artefact, const Operator& acting, Time now);
  Task<Finding> identify_access_token(Artefact artefact, Time now);
  Task<Finding> identify_refresh_token(Artefact artefact, Time now);
  Task<Finding> identify_api_key(Artefact artefact, Time now);
  Task<Finding> identify_id(Artefact artefact, const Operator& acting, Time now);
  Task<Finding> identify_email(Artefact artefact);
  Task<Finding> identify_request(Artefact artefact, Time now);
  Task<void> add_what_is_beside(Findings& findings, Time now);

  Parts parts_;
  EvidenceStore store_;
};

}  // namespace safawinet
