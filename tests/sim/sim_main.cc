// leat_sim: runs seeds, says what they add up to, and reproduces the one that failed.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/sim/runs.h"
#include "tests/sim/world.h"

namespace leat::sim {
namespace {

struct Arguments {
  std::optional<std::uint64_t> seed;
  bool trace = false;
  std::uint64_t first = 1;
  std::uint64_t seeds = 100;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string kept;
};

int one(std::uint64_t seed, bool trace, std::string_view program) {
  RunOptions options;
  if (trace) options.trace = TraceMode::kPrint;
  const Outcome outcome = run_seed(seed, options);
  fmt::print("{}", to_text(outcome.stats, outcome.stats));
  if (outcome.failure) {
    print_failure(run_seed(seed, {TraceMode::kKeep, {}}), program);
    return 1;
  }
  fmt::print("seed {}: ok, digest {:016x}\n", seed, outcome.digest);
  return 0;
}

int many(const Arguments& arguments, std::string_view program) {
  std::vector<std::uint64_t> seeds;
  if (!arguments.kept.empty()) {
    const auto kept = read_seeds(arguments.kept);
    if (!kept) {
      fmt::print(stderr, "leat_sim: can't read {}\n", arguments.kept);
      return 1;
    }
    seeds = *kept;
  }
  const std::size_t kept = seeds.size();
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) seeds.push_back(arguments.first + i);
  const Result result = run_seeds(seeds, arguments.jobs);
  fmt::print("{}", to_text(result.total, result.least));
  for (const Outcome& failed : result.failed) print_failure(failed, program);
  fmt::print("sim: {} seeds ({} to {}, and {} kept ones), {} failed, {:.1f} s\n", seeds.size(),
             arguments.first, arguments.first + arguments.seeds - 1, kept, result.failures, result.seconds);
  return result.failures == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Runs Leat's sessions over a simulated network, under a simulated clock, and checks what they do.\n\n"
      "  leat_sim --seeds 1000\n"
      "  leat_sim --seed 17 --trace\n",
      "leat_sim");
  Arguments arguments;
  app.add_option("--seed", arguments.seed, "Run this one seed");
  app.add_flag("--trace", arguments.trace, "With --seed: print all that happens");
  app.add_option("--seeds", arguments.seeds, "How many seeds to run")->capture_default_str();
  app.add_option("--first", arguments.first, "The first of them")->capture_default_str();
  app.add_option("--jobs", arguments.jobs, "Threads, each with a seed of its own")->capture_default_str();
  app.add_option("--kept", arguments.kept, "File of seeds that are run besides, one a line")
      ->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  return arguments.seed ? one(*arguments.seed, arguments.trace, argv[0]) : many(arguments, argv[0]);
}

}  // namespace
}  // namespace leat::sim

int main(int argc, char** argv) {
  try {
    return leat::sim::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "leat_sim: {}\n", error.what());
    return 1;
  }
}
