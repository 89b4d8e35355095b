#include "cli/table.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kRowsToMeasure = 200;
constexpr std::size_t kGap = 2;           // columns between two cells
constexpr std::size_t kLeastColumns = 6;  // of a cell that is cut

}  // namespace

Table::Table(std::vector<std::string> titles, std::size_t width, Write write)
    : titles_(std::move(titles)), width_(width), write_(std::move(write)) {}

void Table::add(std::vector<std::string> cells) {
  cells.resize(titles_.size());
  for (auto& cell : cells) cell = inert(cell);
  ++rows_;
  if (!widths_.empty()) {
    write_row(cells);
    return;
  }
  held_.push_back(std::move(cells));
  if (held_.size() >= kRowsToMeasure) fix_widths();
}

void Table::finish() {
  if (widths_.empty() && !held_.empty()) fix_widths();
}

void Table::fix_widths() {
  for (std::size_t column = 0; column < titles_.size(); ++column) {
    auto widest = width_of(titles_[column]);
    for (const auto& row : held_) widest = std::max(widest, width_of(row[column]));
    widths_.push_back(widest);
  }
  // The widest cells give way first.
  const auto gaps = kGap * (widths_.size() - 1);
  while (width_ > 0 && std::accumulate(widths_.begin(), widths_.end(), gaps) > width_) {
    auto& widest = *std::ranges::max_element(widths_);
    if (widest <= kLeastColumns) break;
    --widest;
  }
  write_row(titles_);
  for (const auto& row : held_) write_row(row);
  held_.clear();
}

void Table::write_row(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t column = 0; column < cells.size(); ++column) {
    const auto cell = width_ > 0 ? shortened(cells[column], widths_[column]) : cells[column];
    line += cell;
    const auto used = width_of(cell);
    const bool is_last = column + 1 == cells.size();
    if (!is_last) line.append((used < widths_[column] ? widths_[column] - used : 0) + kGap, ' ');
  }
  while (line.ends_with(' ')) line.pop_back();
  if (width_ > 0) line = shortened(line, width_);
  write_(line + "\n");
}

}  // namespace safawinet::cli
