// Rows in columns.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace safawinet::cli {

// Written as it comes: the widths are those of the first rows, so that a list of any length needs little memory. Every
// cell is made inert.
class Table {
 public:
  using Write = std::function<void(std::string_view)>;

  // `width`: the columns of the terminal, into which long cells are cut; 0: nothing is cut.
  Table(std::vector<std::string> titles, std::size_t width, Write write);

  // Missing cells are empty.
  void add(std::vector<std::string> cells);
  // Writes what is held back. An empty table writes nothing.
  void finish();
  [[nodiscard]] std::size_t rows() const { return rows_; }

 private:
  void fix_widths();
  void write_row(const std::vector<std::string>& cells);

  std::vector<std::string> titles_;
  std::size_t width_;
  Write write_;
  std::vector<std::vector<std::string>> held_;
  std::vector<std::size_t> widths_;  // empty until they are fixed
  std::size_t rows_ = 0;
};

}  // namespace safawinet::cli
