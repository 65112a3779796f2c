// Simulated time: what happens next, in order. Things due at the same moment happen in the order in which
// they were planned, so that a run depends on its seed alone.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include <leat/context.h>

namespace leat::sim {

class Timeline {
 public:
  using Action = std::function<void()>;

  [[nodiscard]] TimePoint now() const noexcept { return now_; }
  /// Since the beginning of the run.
  [[nodiscard]] Duration elapsed() const noexcept { return now_ - kStart; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  /// Never earlier than now.
  void at(TimePoint when, Action action) {
    queue_.push({when < now_ ? now_ : when, planned_++, std::move(action)});
  }
  void after(Duration wait, Action action) { at(now_ + wait, std::move(action)); }

  /// Does the next thing; false if there is none.
  bool step() {
    if (queue_.empty()) return false;
    // The queue gives out constant references only; the entry is popped before anything looks at it again.
    Action action = std::move(const_cast<Entry&>(queue_.top()).action);
    now_ = queue_.top().when;
    queue_.pop();
    ++steps_;
    action();
    return true;
  }

 private:
  // Not the epoch: code that takes zero for "never" shall be found out.
  static constexpr TimePoint kStart = TimePoint() + std::chrono::hours(1);

  struct Entry {
    TimePoint when;
    std::uint64_t number;
    Action action;
    bool operator<(const Entry& other) const noexcept {
      return when != other.when ? when > other.when : number > other.number;
    }
  };
  std::priority_queue<Entry> queue_;
  TimePoint now_ = kStart;
  std::uint64_t planned_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace leat::sim
