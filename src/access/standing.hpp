// Whether an operator may still do what the request was let in for.
#pragma once

#include "access/operator.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"

namespace safawinet {

// To be awaited before anything else in a transaction that changes something for an operator: reads the operator's own
// row as it is now (that of a key with its owner's) and keeps it as it is until the transaction ends. So somebody who
// has been demoted or disabled, or whose key was revoked, writes nothing from the commit of that on, whatever this node
// knew when the request came in. Gives the operator with the rank and permissions of now. Errors: forbidden.
//
// Two operators whose transactions would each change the other one's row wait for each other; the database ends one of
// them, and it is tried again.
Task<Result<Operator>> confirm(sql::Transaction& transaction, Operator claimed, Permission permission, Time now);

// The same question where nothing is changed: as it was at some moment after the call began.
Task<bool> still_may(sql::Database& database, Operator claimed, Permission permission, Time now);

}  // namespace safawinet
