#include "mail/transport.hpp"

#include <utility>

#include "base/file.hpp"

namespace safawinet {

FileTransport::FileTransport(std::filesystem::path folder, Sender from, std::string list_unsubscribe)
    : folder_(std::move(folder)), from_(std::move(from)), list_unsubscribe_(std::move(list_unsubscribe)) {
  if (std::filesystem::create_directories(folder_)) {
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  }
}

Handover FileTransport::send(const Uuid& id, const Mail& mail, Time date) {
  replace_file(folder_ / (id.text() + ".eml"), to_rfc5322(id, mail, from_, date, list_unsubscribe_));
  return {.kind = Handover::Kind::taken};
}

}  // namespace safawinet
