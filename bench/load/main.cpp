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
  namespace bench = safawinet::bench;
  int exit_code = 0;
  const auto options = bench::read_options(argc, argv, exit_code);
  if (!options) return exit_code;
  try {
    const auto workload = bench::make_workload(*options);
    const bench::Tally tally = bench::run_load(*options, *workload);
    if (!options->save_file.empty()) std::ofstream(options->save_file) << workload->tokens();
    std::cout << bench::to_json(*options, tally) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "safawinet_load: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
