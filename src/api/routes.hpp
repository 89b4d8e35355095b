// The whole surface on one page.
#pragma once

#include <vector>

#include "api/api_keys_api.hpp"
#include "api/audit_api.hpp"
#include "api/auth_api.hpp"
#include "api/bulk_logout_api.hpp"
#include "api/email_api.hpp"
#include "api/email_events_api.hpp"
#include "api/factors_api.hpp"
#include "api/find_api.hpp"
#include "api/forced_logout_api.hpp"
#include "api/keys_api.hpp"
#include "api/mode_api.hpp"
#include "api/pages_api.hpp"
#include "api/public_api.hpp"
#include "api/resource_servers_api.hpp"
#include "api/route.hpp"
#include "api/sessions_api.hpp"
#include "api/under_attack_api.hpp"
#include "api/users_admin_api.hpp"
#include "api/users_api.hpp"

namespace safawinet::api {

// The handlers. All null: the routes can be listed, but not called.
struct Apis {
  AuthApi* auth = nullptr;
  UsersApi* users = nullptr;
  SessionsApi* sessions = nullptr;
  UsersAdminApi* users_admin = nullptr;
  ForcedLogoutApi* forced_logout = nullptr;
  BulkLogoutApi* bulk_logouts = nullptr;
  FindApi* finding = nullptr;
  ResourceServersApi* resource_servers = nullptr;
  AuditApi* audit = nullptr;
  ModeApi* modes = nullptr;
  ApiKeysApi* api_keys = nullptr;
  KeysApi* keyring = nullptr;
  UnderAttackApi* under_attack = nullptr;
  PagesApi* pages = nullptr;
  PublicApi* open = nullptr;
  FactorsApi* factors = nullptr;
  EmailApi* email = nullptr;
  EmailEventsApi* email_events = nullptr;
};

std::vector<Route> routes(const Apis& apis);
// On the operations address.
std::vector<Route> operations_routes(OperationsApi* operations);

}  // namespace safawinet::api
