// Who of the messages that are larger than a frame may be received whole: the session's budget, the
// process's, and the line before them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "core/session/process_budget.h"
#include "core/wire/frame.h"

namespace leat::session {

/// One share (requests or replies) of a session. First come, first served: whoever can't be admitted waits in
/// line, and what comes later waits behind it, so that a large message is not starved by small ones. What is
/// held is given back to the process with the session.
class Admission {
 public:
  /// `process` may be none.
  Admission(Share share, std::uint64_t session_bytes, std::shared_ptr<ProcessBudget> process)
      : share_(share), total_(session_bytes), process_(std::move(process)) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission() { clear(); }

  /// Why a message of that size can't ever be admitted, naming the knob; nullopt if it can.
  [[nodiscard]] std::optional<std::string> impossible(std::uint64_t bytes) const;

  [[nodiscard]] bool empty() const noexcept { return line_.empty(); }
  [[nodiscard]] wire::StreamId front() const noexcept { return line_.front(); }
  void join(wire::StreamId stream) { line_.push_back(stream); }
  /// The stream's message is admitted, or gone. Does nothing if it does not stand in line.
  void leave(wire::StreamId stream) noexcept;

  /// Takes the budget for the message at the front of the line, if it is there.
  [[nodiscard]] bool take(std::uint64_t bytes, TimePoint now) noexcept;
  void give_back(std::uint64_t bytes) noexcept;
  /// When to try again although nothing was given back here: the process's budget is what is missing.
  [[nodiscard]] TimePoint retry_at() const noexcept { return retry_at_; }
  /// Nobody waits and nothing is held any more.
  void clear() noexcept;
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }

 private:
  Share share_;
  std::uint64_t total_;
  std::uint64_t used_ = 0;
  std::shared_ptr<ProcessBudget> process_;
  std::deque<wire::StreamId> line_;
  TimePoint waiting_since_ = kNever;  // of the front, for the process's budget
  TimePoint retry_at_ = kNever;
};

}  // namespace leat::session
