// safawinet user import
#pragma once

namespace CLI {  // NOLINT: the library's own name
class App;
}

namespace safawinet::cli {

void add_import(CLI::App& noun, int& exit_code);

}  // namespace safawinet::cli
