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
//
// On a terminal that is too narrow, the other cells are cut, the widest first, but ids never, so that they can be
// pasted. When that is not enough, columns are left out from the right; and when nothing would stand beside the ids,
// each row is printed as a record of lines. Where every cell is needed whole, that is done as soon as a row does not
// fit.
class Table {
 public:
  using Write = std::function<void(std::string_view)>;
  enum class Cells { may_be_cut, stay_whole };

  // `width`: the columns of the terminal; 0: nothing is cut. The least important columns are the last.
  Table(std::vector<std::string> titles, std::size_t width, Write write, Cells cells = Cells::may_be_cut);

  // Missing cells are empty.
  void add(std::vector<std::string> cells);
  // Writes what is held back. An empty table writes nothing.
  void finish();
  [[nodiscard]] std::size_t rows() const { return rows_; }

 private:
  void fix_widths();
  // Of a line whose cells, but for ids, are cut to so many columns.
  [[nodiscard]] std::size_t width_with_cells_of(std::size_t most) const;
  void leave_out_columns();
  void cut_cells();
  void write_row(const std::vector<std::string>& cells);
  void write_line(const std::vector<std::string>& cells);
  void write_record(const std::vector<std::string>& cells);

  struct Column {
    std::size_t columns = 0;  // of the terminal; 0: left out
    bool is_of_ids = false;
  };

  std::vector<std::string> titles_;
  std::size_t width_;
  Write write_;
  Cells cells_;
  std::vector<std::vector<std::string>> held_;
  std::vector<Column> columns_;  // empty until their widths are fixed
  bool is_of_records_ = false;
  bool is_first_record_ = true;
  std::size_t rows_ = 0;
};

}  // namespace safawinet::cli
