#include "tests/sim/runs.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

namespace leat::sim {
namespace {

constexpr std::size_t kReported = 3;
constexpr std::size_t kProgress = 500;  // seeds between two lines that say how far a run is

}  // namespace

Result run_seeds(const std::vector<std::uint64_t>& seeds, unsigned jobs) {
  const auto began = std::chrono::steady_clock::now();
  Result result;
  std::vector<std::uint64_t> failed;
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  bool first = true;
  std::size_t done = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < seeds.size(); i = next++) {
      const Outcome outcome = run_seed(seeds[i]);
      const std::scoped_lock lock(mutex);
      result.total += outcome.stats;
      if (first) result.least = outcome.stats;
      first = false;
      result.least.keep_least(outcome.stats);
      if (++done % kProgress == 0) {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - began;
        fmt::print(stderr, "sim: {} of {} seeds, {:.0f} s\n", done, seeds.size(), spent.count());
      }
      if (!outcome.failure) continue;
      failed.push_back(outcome.seed);
      // At once: a long run may be ended before it could tell.
      fmt::print("seed {} failed: {}\n", outcome.seed, outcome.failure->checker);
      std::fflush(stdout);
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < jobs; ++i) threads.emplace_back(work);
  work();
  threads.clear();
  std::ranges::sort(failed);
  result.failures = failed.size();
  failed.resize(std::min(failed.size(), kReported));
  for (const std::uint64_t seed : failed) result.failed.push_back(run_seed(seed, {TraceMode::kKeep, {}}));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return result;
}

void print_failure(const Outcome& outcome, std::string_view program) {
  for (const std::string& line : outcome.trace) fmt::print("{}\n", line);
  if (!outcome.failure) {
    fmt::print("seed {} failed once and not again: a run does not depend on its seed alone\n", outcome.seed);
    return;
  }
  fmt::print("seed {} FAILED: {} at {:.6f} s: {}\n", outcome.seed, outcome.failure->checker,
             std::chrono::duration<double>(outcome.failure->at).count(), outcome.failure->what);
  fmt::print("reproduce: {} --seed {} --trace\n\n", program, outcome.seed);
}

std::optional<std::vector<std::uint64_t>> read_seeds(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::vector<std::uint64_t> seeds;
  for (std::string line; std::getline(file, line);) {
    std::uint64_t seed = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), seed).ec == std::errc())
      seeds.push_back(seed);
  }
  return seeds;
}

}  // namespace leat::sim
