// leat_sim_canaries: the same sources, compiled with bugs that can be planted one at a time. Each has to be
// caught by the checker that is there for it, within a bounded number of seeds; so a checker that sees
// nothing is found out. That another checker sees a bug too is well, but does not help.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/base/canary.h"
#include "tests/sim/memory.h"
#include "tests/sim/world.h"

#ifndef LEAT_CANARY
#error "without LEAT_CANARY no bug can be planted"
#endif

namespace leat::sim {
namespace {

using canary::Bug;

struct Canary {
  Bug bug;
  std::string_view name;
  std::string_view what;
  std::string_view checker;
};

constexpr std::array kCanaries = {
    Canary{Bug::kEndTwice, "EndTwice", "a stream's end told twice", "EndsOnce"},
    Canary{Bug::kForgetDeadlines, "ForgetDeadlines", "deadlines that nobody is woken for", "EndsOnce"},
    Canary{Bug::kDropItem, "DropItem", "a message lost", "ItemsInOrder"},
    Canary{Bug::kSwapItems, "SwapItems", "two messages swapped", "ItemsInOrder"},
    Canary{Bug::kIgnoreCredit, "IgnoreCredit", "a writer without regard for stream credit", "CreditKept"},
    Canary{Bug::kIgnoreChannelCredit, "IgnoreChannelCredit", "a writer without regard for channel credit",
           "CreditKept"},
    Canary{Bug::kLeakChannelCredit, "LeakChannelCredit", "channel credit lost with streams", "CreditKept"},
    Canary{Bug::kLeakBudget, "LeakBudget", "budget lost with cancelled messages", "CreditKept"},
    Canary{Bug::kForgetGrant, "ForgetGrant", "a message admitted and not granted", "OldestFinishes"},
    Canary{Bug::kNeverFull, "NeverFull", "a queue without a bound", "MemoryBounded"},
    Canary{Bug::kIgnoreBudget, "IgnoreBudget", "assembly without a budget", "MemoryBounded"},
    Canary{Bug::kStarveBulk, "StarveBulk", "a channel that is never served", "NoChannelStarves"},
    Canary{Bug::kRetryAnything, "RetryAnything", "retries of what is not idempotent", "RunsAtMostOnce"},
    Canary{Bug::kSayNotStarted, "SayNotStarted", "calls said not to have started", "RunsAtMostOnce"},
    Canary{Bug::kKeepStream, "KeepStream", "a stream's entry that stays", "EndsEmpty"},
};

// Most are caught by the first seed.
constexpr std::uint64_t kMostSeeds = 40;

/// While it lives the sessions of this thread have that bug.
class Planted {
 public:
  explicit Planted(Bug bug) { canary::planted = bug; }
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
  ~Planted() { canary::planted = Bug::kNone; }
};

/// The first seed in which that checker (empty: any) has something to say.
std::optional<Outcome> hunt(Bug bug, std::string_view checker) {
  const Planted planted(bug);
  RunOptions options;
  options.only = checker;
  for (std::uint64_t seed = 1; seed <= kMostSeeds; ++seed) {
    Outcome outcome = run_seed(seed, options);
    if (outcome.failure) return outcome;
  }
  return std::nullopt;
}

class Canaries : public ::testing::TestWithParam<Canary> {};

TEST_P(Canaries, AreCaughtByTheCheckerThatIsThereForThem) {
  const Canary& canary = GetParam();
  if (canary.bug == Bug::kIgnoreBudget && !counts_memory())
    GTEST_SKIP() << "this sanitizer lets nobody count memory";
  const std::optional<Outcome> outcome = hunt(canary.bug, canary.checker);
  if (!outcome) {
    const std::optional<Outcome> other = hunt(canary.bug, {});
    FAIL() << canary.what << ": " << canary.checker << " sees nothing in " << kMostSeeds << " seeds, and "
           << (other ? other->failure->checker + " only: " + other->failure->what : "no other checker does");
  }
  fmt::print("caught: {}, by {} in seed {}: {}\n", canary.what, canary.checker, outcome->seed,
             outcome->failure->what.substr(0, 160));
  EXPECT_FALSE(run_seed(outcome->seed).failure) << "this would be said of any run";
}

INSTANTIATE_TEST_SUITE_P(Planted, Canaries, ::testing::ValuesIn(kCanaries),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Checkers, HaveACanaryEach) {
  for (const std::string_view checker : run_seed(1).checkers) {
    EXPECT_TRUE(std::ranges::any_of(kCanaries, [&](const Canary& c) { return c.checker == checker; }))
        << "no bug is planted for " << checker;
  }
}

}  // namespace
}  // namespace leat::sim

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
