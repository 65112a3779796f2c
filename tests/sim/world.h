// One run: a seed's nodes, routes and calls, under the eyes of all checkers.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/checker.h"
#include "tests/sim/stats.h"

namespace leat::sim {

struct Outcome {
  std::uint64_t seed = 0;
  std::optional<Failure> failure;
  Stats stats;
  std::uint64_t digest = 0;                ///< of all that happened
  std::deque<std::string> trace;           ///< its last lines, if they were kept
  std::vector<std::string_view> checkers;  ///< that have watched
};

struct RunOptions {
  TraceMode trace = TraceMode::kOff;
  std::string only;  ///< the one checker whose failure counts; empty: any
};

/// The same seed gives the same outcome. Threads may run seeds side by side.
[[nodiscard]] Outcome run_seed(std::uint64_t seed, const RunOptions& options = {});

}  // namespace leat::sim
