#include "sessions/revocation_row.hpp"

#include <utility>

#include "sql/value.hpp"

namespace safawinet {

std::string_view name_of(Revocation::Scope scope) {
  switch (scope) {
    case Revocation::Scope::session:
      return "session";
    case Revocation::Scope::user:
      return "user";
    case Revocation::Scope::global:
      return "global";
  }
  std::unreachable();
}

Revocation::Scope parse_scope(std::string_view scope) {
  if (scope == "session") return Revocation::Scope::session;
  if (scope == "user") return Revocation::Scope::user;
  return Revocation::Scope::global;
}

void append_sessions(std::vector<SessionId>& sessions, std::string_view text) {
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto id = SessionId::parse(text.substr(0, comma));
    if (!id) throw sql::BadColumn("a revocation names something that is no session");
    sessions.push_back(*id);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
}

}  // namespace safawinet
