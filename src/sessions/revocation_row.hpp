// What the columns of a revocation mean.
#pragma once

#include <string_view>
#include <vector>

#include "sessions/revocation_index.hpp"

namespace safawinet {

std::string_view name_of(Revocation::Scope scope);
Revocation::Scope parse_scope(std::string_view scope);

// Ids with commas between them. Throws sql::BadColumn.
void append_sessions(std::vector<SessionId>& sessions, std::string_view text);

}  // namespace safawinet
