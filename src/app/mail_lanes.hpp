// How mail leaves this node, made from the settings.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "config/settings.hpp"
#include "mail/mail_worker.hpp"

namespace safawinet::app {

// Each with a transport of its own.
using MailLanes = std::vector<std::unique_ptr<MailWorker>>;

// As many as the settings say; a folder needs but one. Throws StartFailure.
MailLanes make_mail_lanes(const config::Settings& settings, const MailWorker::Parts& parts);

// Of the sender, for the people who get the mail: its display name, else the domain of its address.
std::string service_name_of(const config::Settings& settings);

}  // namespace safawinet::app
