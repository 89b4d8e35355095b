// The users in a file of JSON lines or CSV, one at a time, whatever the size of the file.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/input_file.hpp"

namespace safawinet::cli {

enum class ImportFormat { json_lines, csv };

struct ImportRecord {
  std::uint64_t line = 0;                                // the first line being 1
  std::expected<boost::json::object, std::string> user;  // or why it is none: "is no JSON object"
};

// Each line is a record. CSV is that of RFC 4180 but for line breaks in quoted values: with them, one quotation mark
// too many would take all the lines up to the next one. Its first line names the columns, as the members in JSON are
// called; an empty value is none.
class ImportSource {
 public:
  // "-" is stdin. Throws Failure (exit 2) when it cannot be read, and for columns that users do not have.
  ImportSource(const std::string& path, ImportFormat format);

  // None at the end. Blank lines are passed over. Throws Failure and Interrupted.
  std::optional<ImportRecord> next();

  // How far it has been read: whole records.
  struct Place {
    std::uint64_t line = 0;
    std::uint64_t bytes = 0;
    std::uint64_t fingerprint = 0;  // of these bytes: tells a file that was changed, not one that was forged
    bool operator==(const Place&) const = default;
  };
  [[nodiscard]] const Place& place() const { return place_; }
  // Of a file; none for a pipe.
  [[nodiscard]] std::optional<std::uint64_t> size() const { return lines_.size(); }

 private:
  struct Column {
    std::string name;
    bool is_truth = false;
  };
  std::optional<LineReader::Line> next_line();
  void read_columns();
  [[nodiscard]] ImportRecord read_csv(LineReader::Line line) const;
  [[nodiscard]] std::expected<boost::json::object, std::string> user_of(const std::vector<std::string>& values) const;

  std::string path_;
  ImportFormat format_;
  LineReader lines_;
  std::vector<Column> columns_;
  Place place_;
};

// The values of one record; or what is wrong with its quotation marks: "has a quotation mark that …".
std::expected<std::vector<std::string>, std::string> csv_values(std::string_view record);

}  // namespace safawinet::cli
