// Where an export goes: stdout, or a file of JSON lines that only its owner may read, and that an export can go on
// with.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "cli/console.hpp"

namespace safawinet::cli {

struct ExportTarget {
  std::string file;  // empty: stdout
  bool resumes = false;
};

// By what a line of an export is known.
struct ExportKind {
  std::string_view name;          // "an export of users"
  std::string_view first_member;  // of each line
  std::string_view other_member;
};
inline constexpr ExportKind kExportOfUsers{"an export of users", "id", "email"};
inline constexpr ExportKind kExportOfRecord{"an export of the record", "position", "link"};

// Everything throws Failure.
class ExportFile {
 public:
  // Refuses a file that is there, unless it is to be gone on with. Then it must belong to this user and be no link, and
  // its last 2 MiB must be lines of this kind, or it is refused as it is; only then is half a line at its end cut off
  // and its mode made 0600.
  ExportFile(const ExportTarget& target, const ExportKind& kind, Console& console);

  // What the last line of a file that is gone on with holds; none when it has no line.
  [[nodiscard]] const std::optional<boost::json::object>& last() const { return last_; }

  // Whole lines; on disk when it returns.
  void append(std::string_view lines);

  // Where the next page begins, for lists whose lines do not tell: kept beside the file until the export is complete,
  // with the size that the file had then; what the file has beyond that is cut off at resumption.
  void keep_cursor(std::string_view cursor);
  // None: from the beginning. `is_complete` when there is nothing to go on with.
  [[nodiscard]] std::optional<std::string> kept_cursor(bool& is_complete);
  void complete();

 private:
  void go_on(const ExportKind& kind);
  void cut_to(std::int64_t size);
  [[nodiscard]] std::string read_from(std::int64_t from) const;
  [[nodiscard]] std::filesystem::path cursor_file() const { return path_.string() + ".cursor"; }

  std::filesystem::path path_;
  Console& console_;
  Descriptor file_;  // closed: everything goes to stdout
  std::int64_t size_ = 0;
  std::optional<boost::json::object> last_;
};

}  // namespace safawinet::cli
