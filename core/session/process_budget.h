// What all sessions of a process may spend on messages that are being put together. Whoever owns the process
// makes one and hands it to every session; there is none by itself.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include <leat/context.h>

namespace leat::session {

/// Requests and replies are budgeted apart, each with the whole sum: handlers that wait for replies hold
/// requests, so replies must not wait for those to go.
enum class Share : std::uint8_t { kRequests = 0, kReplies = 1 };
inline constexpr std::size_t kShareCount = 2;

/// Thread-safe, without a lock. Among sessions the message that has waited longest comes first: while it
/// tries again (sessions do every kRetryInterval) none that began to wait later is admitted before it, so
/// none starves, however large it is. One whose session has not tried for kLease, since nobody drives it,
/// stands back until it does.
class ProcessBudget {
 public:
  static constexpr Duration kRetryInterval = std::chrono::milliseconds(10);
  static constexpr Duration kLease = std::chrono::milliseconds(100);

  explicit ProcessBudget(std::uint64_t bytes_per_share) : total_(bytes_per_share) {}
  ProcessBudget(const ProcessBudget&) = delete;
  ProcessBudget& operator=(const ProcessBudget&) = delete;
  ~ProcessBudget() = default;

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t used(Share share) const noexcept { return of(share).used.load(); }

  /// Takes the bytes if they are there and nobody older waits. `waiting_since`: when this message was first
  /// refused, or now; on the same clock in all sessions. bytes <= total().
  [[nodiscard]] bool try_take(Share share, std::uint64_t bytes, TimePoint waiting_since,
                              TimePoint now) noexcept;
  void give_back(Share share, std::uint64_t bytes) noexcept { of(share).used.fetch_sub(bytes); }

 private:
  struct State {
    std::atomic<std::uint64_t> used{0};
    // The message that has waited longest of those known, and when it last tried. Two words that are not
    // written together: a session that reads the one without the other is a turn too early or too late, which
    // the next try mends.
    std::atomic<TimePoint::rep> oldest{kNobody};
    std::atomic<TimePoint::rep> tried{0};
  };
  static constexpr TimePoint::rep kNobody = TimePoint::max().time_since_epoch().count();

  [[nodiscard]] State& of(Share share) noexcept { return states_[static_cast<std::size_t>(share)]; }
  [[nodiscard]] const State& of(Share share) const noexcept {
    return states_[static_cast<std::size_t>(share)];
  }

  std::uint64_t total_;
  std::array<State, kShareCount> states_;
};

}  // namespace leat::session
