// How commands show mails.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <vector>

#include "cli/desk.hpp"

namespace safawinet::cli {

// A mail of which it is known what became of it, as a row under these titles, and as a record.
std::vector<std::string> mail_titles();
std::vector<std::string> mail_row(const boost::json::object& mail);
void print_mail(Desk& desk, const boost::json::object& mail);

}  // namespace safawinet::cli
