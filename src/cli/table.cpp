#include "cli/table.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/ids.hpp"
#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kRowsToMeasure = 200;
constexpr std::size_t kGap = 2;            // columns between two cells
constexpr std::size_t kLeastColumns = 11;  // of a cell that is cut: a date and "…"

}  // namespace

Table::Table(std::vector<std::string> titles, std::size_t width, Write write, Cells cells)
    : titles_(std::move(titles)), width_(width), write_(std::move(write)), cells_(cells) {}

void Table::add(std::vector<std::string> cells) {
  cells.resize(titles_.size());
  for (auto& cell : cells) cell = inert(cell);
  ++rows_;
  if (!columns_.empty()) {
    write_row(cells);
    return;
  }
  held_.push_back(std::move(cells));
  if (held_.size() >= kRowsToMeasure) fix_widths();
}

void Table::finish() {
  if (columns_.empty() && !held_.empty()) fix_widths();
}

void Table::fix_widths() {
  for (std::size_t column = 0; column < titles_.size(); ++column) {
    auto widest = width_of(titles_[column]);
    bool is_of_ids = false;
    for (const auto& row : held_) {
      widest = std::max(widest, width_of(row[column]));
      is_of_ids = is_of_ids || Uuid::parse(row[column]);
    }
    columns_.push_back({.columns = widest, .is_of_ids = is_of_ids});
  }
  if (width_ > 0 && cells_ == Cells::stay_whole) {
    is_of_records_ = width_with_cells_of(std::numeric_limits<std::size_t>::max()) > width_;
  } else if (width_ > 0) {
    leave_out_columns();
    cut_cells();
  }
  if (!is_of_records_) write_line(titles_);
  for (const auto& row : held_) write_row(row);
  held_.clear();
}

std::size_t Table::width_with_cells_of(std::size_t most) const {
  std::size_t all = 0;
  for (const auto& column : columns_) {
    if (column.columns > 0) all += (column.is_of_ids ? column.columns : std::min(column.columns, most)) + kGap;
  }
  return all > 0 ? all - kGap : 0;
}

void Table::leave_out_columns() {
  while (width_with_cells_of(kLeastColumns) > width_) {
    const auto last = std::ranges::find_if(columns_.rbegin(), columns_.rend(),
                                           [](const auto& column) { return column.columns > 0 && !column.is_of_ids; });
    if (last == columns_.rend()) break;
    last->columns = 0;
  }
  const bool tells_of_ids =
      std::ranges::any_of(columns_, [](const auto& column) { return column.columns > 0 && !column.is_of_ids; });
  is_of_records_ = !tells_of_ids || width_with_cells_of(kLeastColumns) > width_;
}

void Table::cut_cells() {
  while (width_with_cells_of(width_) > width_) {
    auto* widest = &columns_.front();
    for (auto& column : columns_) {
      if (!column.is_of_ids && (widest->is_of_ids || column.columns > widest->columns)) widest = &column;
    }
    if (widest->is_of_ids || widest->columns <= kLeastColumns) break;
    --widest->columns;
  }
}

void Table::write_row(const std::vector<std::string>& cells) {
  if (is_of_records_) {
    write_record(cells);
  } else {
    write_line(cells);
  }
}

void Table::write_line(const std::vector<std::string>& cells) {
  std::string line;
  std::size_t missing = 0;  // blanks up to the next cell
  for (std::size_t index = 0; index < cells.size(); ++index) {
    const auto& column = columns_[index];
    if (column.columns == 0) continue;
    const bool is_cut = width_ > 0 && cells_ == Cells::may_be_cut && !column.is_of_ids;
    const auto cell = is_cut ? shortened(cells[index], column.columns) : cells[index];
    line.append(missing, ' ');
    line += cell;
    const auto used = width_of(cell);
    missing = (used < column.columns ? column.columns - used : 0) + kGap;
  }
  while (line.ends_with(' ')) line.pop_back();
  write_(line + "\n");
}

void Table::write_record(const std::vector<std::string>& cells) {
  std::string lines = is_first_record_ ? "" : "\n";
  is_first_record_ = false;
  for (std::size_t index = 0; index < cells.size(); ++index) {
    if (cells[index].empty()) continue;
    const auto line = titles_[index] + ": " + cells[index];
    const bool is_whole = cells_ == Cells::stay_whole || columns_[index].is_of_ids;
    lines += (is_whole ? line : shortened(line, width_)) + "\n";
  }
  write_(lines);
}

}  // namespace safawinet::cli
