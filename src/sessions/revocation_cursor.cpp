#include "sessions/revocation_cursor.hpp"

#include <algorithm>
#include <charconv>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMacBytes = 16;
// What the MAC covers begins with this, so that a MAC made for another purpose fits no cursor.
constexpr std::string_view kDomain = "safawinet revocation cursor";
constexpr std::size_t kTextLimit = 64 * 1024;  // beyond, it is none of ours

void put_number(Bytes& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<std::uint8_t>(number) | 0x80);
  out.push_back(static_cast<std::uint8_t>(number));
}

void put_snapshot(Bytes& out, const std::optional<DatabaseSnapshot>& snapshot) {
  if (!snapshot) {
    put_number(out, 0);
    return;
  }
  put_number(out, 1 + snapshot->running.size());
  put_number(out, snapshot->xmin);
  put_number(out, snapshot->xmax - snapshot->xmin);
  auto before = snapshot->xmin;
  for (const auto transaction : snapshot->running) {
    put_number(out, transaction - before);
    before = transaction;
  }
}

// Takes what was put, in the same order. What comes after something that is not there is 0: whoever reads checks
// is_whole() at the end. The MAC was right, so that this is a matter of versions and not of attacks.
class Taker {
 public:
  explicit Taker(ByteView bytes) : rest_(bytes) {}

  std::uint8_t byte() {
    if (rest_.empty()) {
      is_short_ = true;
      return 0;
    }
    const auto taken = rest_.front();
    rest_ = rest_.subspan(1);
    return taken;
  }

  std::uint64_t number() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto part = byte();
      number |= std::uint64_t{part & 0x7FU} << shift;
      if ((part & 0x80) == 0) return number;
    }
    is_short_ = true;
    return 0;
  }

  std::optional<DatabaseSnapshot> snapshot() {
    const auto count = number();
    if (count == 0) return std::nullopt;
    DatabaseSnapshot taken;
    taken.xmin = number();
    taken.xmax = taken.xmin + number();
    auto before = taken.xmin;
    for (std::uint64_t i = 1; i < count && !is_short_; ++i) {
      before += number();
      taken.running.push_back(before);
    }
    return taken;
  }

  [[nodiscard]] bool is_whole() const { return !is_short_ && rest_.empty(); }

 private:
  ByteView rest_;
  bool is_short_ = false;
};

std::string covered(ByteView body) {
  std::string text(kDomain);
  text.append(reinterpret_cast<const char*>(body.data()), body.size());
  return text;
}

// The number at the start of `text`, which is then shortened by it and by the mark behind it, if there is one.
std::optional<std::uint64_t> take_decimal(std::string_view& text, char mark) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(mark)) {
    text.remove_prefix(1);
  } else if (!text.empty()) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::optional<DatabaseSnapshot> DatabaseSnapshot::parse(std::string_view text) {
  DatabaseSnapshot parsed;
  const auto xmin = take_decimal(text, ':');
  const auto xmax = take_decimal(text, ':');
  if (!xmin || !xmax || *xmax < *xmin) return std::nullopt;
  parsed.xmin = *xmin;
  parsed.xmax = *xmax;
  while (!text.empty()) {
    const auto transaction = take_decimal(text, ',');
    if (!transaction) return std::nullopt;
    const auto least = parsed.running.empty() ? parsed.xmin : parsed.running.back();
    if (*transaction < least) return std::nullopt;
    parsed.running.push_back(*transaction);
  }
  return parsed;
}

std::string DatabaseSnapshot::text() const {
  auto text = std::to_string(xmin) + ':' + std::to_string(xmax) + ':';
  for (std::size_t i = 0; i < running.size(); ++i) text.append(i == 0 ? "" : ",").append(std::to_string(running[i]));
  return text;
}

std::optional<RevocationCursor> RevocationCursor::parse(std::string_view text, const MacKey& key) {
  if (text.size() > kTextLimit) return std::nullopt;
  const auto bytes = from_base64url(text);
  if (!bytes || bytes->size() <= kMacBytes) return std::nullopt;
  const auto body = ByteView(*bytes).first(bytes->size() - kMacBytes);
  const auto mac = key.sign(as_bytes(covered(body)));
  if (!constant_time_equal(ByteView(mac).first(kMacBytes), ByteView(*bytes).last(kMacBytes))) return std::nullopt;
  Taker taker(body);
  if (taker.byte() != kVersion) return std::nullopt;
  RevocationCursor cursor;
  for (auto& byte : cursor.history) byte = taker.byte();
  cursor.opened_at = Time(std::chrono::seconds(static_cast<std::int64_t>(taker.number())));
  cursor.seq = taker.number();
  cursor.from = taker.snapshot();
  cursor.up_to = taker.snapshot();
  return taker.is_whole() ? std::optional(std::move(cursor)) : std::nullopt;
}

std::string RevocationCursor::format(const MacKey& key) const {
  const auto opened_seconds = std::chrono::floor<std::chrono::seconds>(opened_at.time_since_epoch()).count();
  Bytes bytes{kVersion};
  bytes.insert(bytes.end(), history.begin(), history.end());
  put_number(bytes, static_cast<std::uint64_t>(opened_seconds));
  put_number(bytes, seq);
  put_snapshot(bytes, from);
  put_snapshot(bytes, up_to);
  const auto mac = key.sign(as_bytes(covered(bytes)));
  bytes.insert(bytes.end(), mac.begin(), mac.begin() + kMacBytes);
  return to_base64url(bytes);
}

}  // namespace safawinet
