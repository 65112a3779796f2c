// Checkers of the two ends of a connection: their memory, and what is left of them.
#pragma once

#include <map>
#include <set>
#include <string>

#include "tests/sim/checker.h"
#include "tests/sim/memory.h"

namespace leat::sim {

/// All memory that a session has allocated, unread messages of the application's included, stays under what
/// its options allow; and a writer is held back once its stream's queue is full.
class MemoryBounded final : public Checker {
 public:
  explicit MemoryBounded(Bench& bench) : Checker(bench, "MemoryBounded") {}
  /// The account that this end's memory goes to.
  void watch(EndKey end, const Account& account) { accounts_[end] = &account; }
  void on_end_closed(EndKey end) override { accounts_.erase(end); }
  void on_queued(const Flow& flow, std::uint64_t prologue, std::uint64_t size) override;
  void on_pumped(EndKey end) override;
  [[nodiscard]] std::int64_t most() const noexcept { return most_; }

 private:
  void check_queues(EndKey end);

  std::map<EndKey, const Account*> accounts_;
  std::map<EndKey, std::set<wire::StreamId>> written_;  ///< since the last look
  std::int64_t most_ = 0;
};

/// When all calls have ended nothing is left: no stream, timer, event or queued byte; and no memory once the
/// sessions are gone. World asks its ends and tells.
class EndsEmpty final : public Checker {
 public:
  explicit EndsEmpty(Bench& bench) : Checker(bench, "EndsEmpty") {}
  void check(EndKey end, const std::string& leftovers, std::size_t users);
  void check_freed(EndKey end, const Account& account);
  void check_budget(std::uint32_t node, const session::ProcessBudget& budget);
  void on_idle() override;
};

}  // namespace leat::sim
