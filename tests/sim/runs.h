// Many seeds, on several threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/world.h"

namespace leat::sim {

struct Result {
  Stats total;
  Stats least;
  std::uint64_t failures = 0;
  std::vector<Outcome> failed;  ///< the first few, run again with their trace kept
  double seconds = 0;           ///< real ones
};

[[nodiscard]] Result run_seeds(const std::vector<std::uint64_t>& seeds, unsigned jobs);

/// Checker, simulated time, the end of the trace, and how to reproduce it with this program.
void print_failure(const Outcome& outcome, std::string_view program);

/// Seeds of a file, one a line; from '#' on a line is a comment. nullopt if it can't be read.
[[nodiscard]] std::optional<std::vector<std::uint64_t>> read_seeds(const std::string& path);

}  // namespace leat::sim
