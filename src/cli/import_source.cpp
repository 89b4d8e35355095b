#include "cli/import_source.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "api/admin_bodies.hpp"
#include "base/json.hpp"
#include "cli/failure.hpp"
#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kLongestRecord = 16'384;  // bytes
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// FNV-1a: it only has to notice a file that was edited between two runs.
constexpr std::uint64_t kFingerprintStart = 14'695'981'039'346'656'037ULL;
std::uint64_t fingerprint(std::uint64_t before, std::string_view text) {
  for (const char c : text) before = (before ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  return before;
}

// What a user may have, from what the API takes.
const boost::json::object& members() {
  static const boost::json::object schema = schema_of<api::ImportedUserInput>();
  return schema.at("properties").as_object();
}

bool is_truth(std::string_view member) {
  return boost::json::serialize(members().at(member)).find("\"boolean\"") != std::string::npos;
}

std::optional<bool> truth_of(std::string_view value) {
  constexpr auto yes = std::to_array<std::string_view>({"true", "t", "1"});
  constexpr auto no = std::to_array<std::string_view>({"false", "f", "0"});
  if (std::ranges::find(yes, value) != yes.end()) return true;
  if (std::ranges::find(no, value) != no.end()) return false;
  return std::nullopt;
}

void drop_return(std::string& line) {
  if (line.ends_with('\r')) line.pop_back();
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

std::unexpected<std::string> too_long() {
  return std::unexpected("is longer than " + std::to_string(kLongestRecord) + " bytes");
}

}  // namespace

ImportSource::ImportSource(const std::string& path, ImportFormat format)
    : path_(path), format_(format), lines_(path, kLongestRecord) {
  place_.fingerprint = kFingerprintStart;
  if (format == ImportFormat::csv) read_columns();
}

std::optional<ImportRecord> ImportSource::next() {
  auto line = next_line();
  while (line && line->is_whole && is_blank(line->text)) line = next_line();
  if (!line) return std::nullopt;
  if (format_ == ImportFormat::csv) return read_csv(*std::move(line));
  ImportRecord record{.line = place_.line, .user = {}};
  if (!line->is_whole) {
    record.user = too_long();
  } else if (auto json = parse_json(line->text); !json) {
    record.user = std::unexpected("is no JSON: " + json.error().detail.text);
  } else if (!json->is_object()) {
    record.user = std::unexpected("is no JSON object");
  } else if (std::ranges::any_of(json->get_object(), [](const auto& one) { return one.value().is_structured(); })) {
    // No member may be one, and a deep one would have the whole batch refused.
    record.user = std::unexpected("has a list or an object in it");
  } else {
    record.user = std::move(json->get_object());
  }
  return record;
}

std::optional<LineReader::Line> ImportSource::next_line() {
  auto line = lines_.next();
  if (!line) return std::nullopt;
  if (place_.line == 0 && line->text.starts_with(kByteOrderMark)) line->text.erase(0, kByteOrderMark.size());
  ++place_.line;
  place_.bytes = lines_.bytes();
  place_.fingerprint = fingerprint(fingerprint(place_.fingerprint, line->text), "\n");
  return line;
}

void ImportSource::read_columns() {
  auto line = next_line();
  if (!line) return;
  drop_return(line->text);
  const auto names = csv_values(line->text);
  const auto known = [] {
    std::string list;
    for (const auto& member : members()) list.append(list.empty() ? "" : ", ").append(member.key());
    return "these columns: " + list;
  };
  if (!names) throw Failure("the first line of " + path_ + " does not name columns", known(), kUsage);
  for (const auto& name : *names) {
    if (!members().contains(name)) {
      throw Failure(path_ + " has a column that users do not have: " + inert(name), known(), kUsage);
    }
    if (std::ranges::find(columns_, name, &Column::name) != columns_.end()) {
      throw Failure(path_ + " has the column " + name + " twice", {}, kUsage);
    }
    columns_.push_back({.name = name, .is_truth = is_truth(name)});
  }
}

ImportRecord ImportSource::read_csv(LineReader::Line line) const {
  ImportRecord record{.line = place_.line, .user = {}};
  auto text = std::move(line.text);
  if (!line.is_whole) {
    record.user = too_long();
    return record;
  }
  drop_return(text);
  if (!is_utf8(text) || text.find('\0') != std::string::npos) {
    record.user = std::unexpected("is not UTF-8, or has a NUL");
    return record;
  }
  const auto values = csv_values(text);
  if (!values) {
    record.user = std::unexpected(values.error());
  } else if (values->size() != columns_.size()) {
    record.user = std::unexpected("has " + std::to_string(values->size()) + " values, and not " +
                                  std::to_string(columns_.size()));
  } else {
    record.user = user_of(*values);
  }
  return record;
}

std::expected<boost::json::object, std::string> ImportSource::user_of(const std::vector<std::string>& values) const {
  boost::json::object user;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto& [name, is_truth] = columns_[i];
    const auto& value = values[i];
    if (value.empty()) continue;
    if (!is_truth) {
      user[name] = boost::json::string(value);
    } else if (const auto truth = truth_of(value)) {
      user[name] = *truth;
    } else {
      return std::unexpected(name + " must be one of true, t, 1, false, f, 0");
    }
  }
  return user;
}

std::expected<std::vector<std::string>, std::string> csv_values(std::string_view record) {
  std::vector<std::string> values;
  for (;;) {
    std::string value;
    if (record.starts_with('"')) {
      record.remove_prefix(1);
      for (;;) {
        const auto end = record.find('"');
        if (end == std::string_view::npos) {
          return std::unexpected("has a quotation mark that does not end on its line");
        }
        value += record.substr(0, end);
        record.remove_prefix(end + 1);
        if (!record.starts_with('"')) break;
        value += '"';
        record.remove_prefix(1);
      }
      if (!record.empty() && record.front() != ',') {
        return std::unexpected("has something behind a quotation mark that ends a value");
      }
    } else {
      value = record.substr(0, record.find(','));
      if (value.find('"') != std::string::npos) {
        return std::unexpected("has a quotation mark in a value that does not begin with one");
      }
      record.remove_prefix(value.size());
    }
    values.push_back(std::move(value));
    if (record.empty()) return values;
    record.remove_prefix(1);
  }
}

}  // namespace safawinet::cli
