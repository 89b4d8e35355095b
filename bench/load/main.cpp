// safawinet_load: see options.cpp or --help. Exit code 0 when the run took place (its JSON says how it went), 1 when it
// could not, 2 for a wrong command line.
#include <exception>
#include <fstream>
#include <iostream>

#include "load/generator.hpp"
#include "load/options.hpp"
#include "load/report.hpp"
#include "load/workload.hpp"

int main(int argc, char** argv) {
  using namespace safawinet::bench;
  int exit_code = 0;
  const auto options = read_options(argc, argv, exit_code);
  if (!options) return exit_code;
  try {
    const auto workload = make_workload(*options);
    const Tally tally = run_load(*options, *workload);
    if (!options->save_file.empty()) std::ofstream(options->save_file) << workload->tokens();
    std::cout << to_json(*options, tally) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "safawinet_load: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
