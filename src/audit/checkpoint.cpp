#include "audit/checkpoint.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/file.hpp"
#include "base/json.hpp"
#include "crypto/sealing.hpp"

namespace safawinet {
namespace {

constexpr std::streamoff kLongestLine = 512;  // bytes; far more than one has

// RFC 8410: the PKCS#8 of an Ed25519 key is this, then the key.
constexpr std::array<std::uint8_t, 16> kPkcs8Start{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                   0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

SigningKey key_from(ByteView seed) {
  Bytes der(kPkcs8Start.begin(), kPkcs8Start.end());
  der.insert(der.end(), seed.begin(), seed.end());
  auto key = SigningKey::from_pkcs8(der);
  wipe(der);
  return std::move(key).value();
}

std::string signed_text(const ChainPoint& point, Time at) {
  return "safawinet audit checkpoint\n" + std::to_string(point.position) + "\n" + point.link + "\n" + to_rfc3339(at) +
         "\n";
}

constexpr std::string_view kLost = "audit-checkpoint-lost";

std::string line_of(std::string_view event, const AuditCheckpoint& checkpoint, std::string_view public_key) {
  const boost::json::object line{{"event", event},
                                 {"position", checkpoint.point.position},
                                 {"link", checkpoint.point.link},
                                 {"at", to_rfc3339(checkpoint.at)},
                                 {"publicKey", public_key},
                                 {"signature", checkpoint.signature}};
  return boost::json::serialize(line);
}

void require(bool succeeded, const std::filesystem::path& path) {
  if (!succeeded) throw std::system_error(errno, std::generic_category(), "cannot write " + path.string());
}

}  // namespace

CheckpointKey::CheckpointKey(ByteView seed) : key_(key_from(seed)) {}

AuditCheckpoint CheckpointKey::sign(ChainPoint point, Time at) const {
  const auto text = signed_text(point, at);
  auto signature = to_base64url(key_.sign(as_bytes(text)));
  return {.point = std::move(point), .at = at, .signature = std::move(signature)};
}

bool CheckpointKey::verify(const AuditCheckpoint& checkpoint) const {
  const auto signature = from_base64url(checkpoint.signature);
  const auto text = signed_text(checkpoint.point, checkpoint.at);
  return signature && key_.verifying_key().verify(as_bytes(text), *signature);
}

std::string CheckpointKey::public_key() const { return std::string(key_.verifying_key().jwk().at("x").as_string()); }

std::string to_line(const AuditCheckpoint& checkpoint, std::string_view public_key) {
  return line_of("audit-checkpoint", checkpoint, public_key);
}

std::string to_lost_line(const AuditCheckpoint& checkpoint, std::string_view public_key) {
  return line_of(kLost, checkpoint, public_key);
}

std::optional<AuditCheckpoint> parse_checkpoint(std::string_view line) {
  const auto json = parse_json(line);
  const auto* object = json ? json->if_object() : nullptr;
  if (object == nullptr) return std::nullopt;
  const auto* position = object->if_contains("position");
  const auto* link = object->if_contains("link");
  const auto* at = object->if_contains("at");
  const auto* signature = object->if_contains("signature");
  const bool is_whole = position != nullptr && position->is_int64() && link != nullptr && link->is_string() &&
                        at != nullptr && at->is_string() && signature != nullptr && signature->is_string();
  if (!is_whole) return std::nullopt;
  const auto time = parse_rfc3339(std::string_view(at->get_string()));
  if (!time) return std::nullopt;
  return AuditCheckpoint{.point = {.position = position->get_int64(), .link = std::string(link->get_string())},
                         .at = *time,
                         .signature = std::string(signature->get_string())};
}

void CheckpointFile::append(const std::string& line) const {
  const bool is_new = !std::filesystem::exists(path_);
  const Descriptor file(::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  require(file.is_open(), path_);
  const auto size_before = ::lseek(file.get(), 0, SEEK_END);
  require(size_before >= 0, path_);
  char last = '\n';
  require(size_before == 0 || ::pread(file.get(), &last, 1, size_before - 1) == 1, path_);
  // What somebody left without an end must not swallow this one.
  const auto text = (last == '\n' ? "" : "\n") + line + "\n";
  const auto written = ::write(file.get(), text.data(), text.size());
  require(written >= 0, path_);
  if (written < static_cast<ssize_t>(text.size())) {
    // Half a line would spoil the next one, too.
    require(::ftruncate(file.get(), size_before) == 0, path_);
    errno = ENOSPC;
    require(false, path_);
  }
  require(::fsync(file.get()) == 0, path_);
  if (is_new) sync_folder_of(path_);
}

std::vector<AuditCheckpoint> CheckpointFile::newest(std::size_t count) const {
  std::ifstream file(path_, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - static_cast<std::streamoff>(count) * kLongestLine));
  std::vector<AuditCheckpoint> found;
  std::string line;
  while (std::getline(file, line)) {
    if (auto checkpoint = parse_checkpoint(line)) found.push_back(std::move(*checkpoint));
  }
  if (found.size() > count) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(count));
  return found;
}

std::vector<AuditCheckpoint> CheckpointFile::lost(std::size_t count) const {
  std::ifstream file(path_, std::ios::binary);
  std::deque<AuditCheckpoint> found;
  std::string line;
  while (std::getline(file, line)) {
    if (line.find(kLost) == std::string::npos) continue;
    if (auto checkpoint = parse_checkpoint(line)) found.push_back(std::move(*checkpoint));
    if (found.size() > count) found.pop_front();
  }
  return {std::make_move_iterator(found.begin()), std::make_move_iterator(found.end())};
}

}  // namespace safawinet
