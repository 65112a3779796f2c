// Checkers of calls: how often they end and run, and what their streams carry.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "tests/sim/checker.h"

namespace leat::sim {

/// Each call ends exactly once, by its deadline plus a tick, with a status that somebody gave.
class EndsOnce final : public Checker {
 public:
  explicit EndsOnce(Bench& bench) : Checker(bench, "EndsOnce") {}

  void on_call_started(const CallPlan& plan, TimePoint deadline) override;
  void on_call_ended(const CallPlan& plan, const Status& status) override;
  void on_attempt_started(const Attempt& attempt) override;
  void on_attempt_ended(const Attempt& attempt, const Status& status, const Metadata& trailing) override;
  void on_handler_started(const Attempt& attempt) override;
  void on_handler_ended(const Attempt& attempt, const Status& status) override;
  void on_end_closed(EndKey end) override { closed_.insert(end); }
  void on_stray(EndKey at, const session::Event& event) override;
  void on_tick() override;
  void on_idle() override;

 private:
  struct Call {
    TimePoint deadline = kNever;
    bool ended = false;
  };
  struct Try {
    TimePoint deadline = kNever;
    bool ended = false;
  };
  /// A status as it was, in memory that is not its session's.
  struct Given {
    Code code = Code::kOk;
    std::string message;
    std::string traceback;
    friend bool operator==(const Given&, const Given&) = default;
  };
  static Given copy_of(const Status& status);
  void check_status(const Attempt& attempt, const Status& status, const Metadata& trailing);
  [[nodiscard]] bool may_exhaust(const CallPlan& plan) const;

  std::map<std::uint32_t, Call> calls_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Try> attempts_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Try> handlers_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Given> given_;  ///< by handlers
  std::vector<Attempt> lost_;
  std::set<EndKey> closed_;
};

/// Items of a stream arrive in order, none lost or doubled, each as it was sent; initial metadata comes once,
/// before them.
class ItemsInOrder final : public Checker {
 public:
  explicit ItemsInOrder(Bench& bench) : Checker(bench, "ItemsInOrder") {}

  void on_item(const Attempt& attempt, Direction direction, const Payload& payload) override;
  void on_headers(const Attempt& attempt, const Metadata& metadata) override;
  void on_attempt_ended(const Attempt& attempt, const Status& status, const Metadata& trailing) override;

 private:
  struct Seen {
    std::uint32_t items = 0;
    bool headers = false;
  };
  std::map<std::tuple<std::uint32_t, std::uint32_t, Direction>, Seen> seen_;
};

/// A call that is not idempotent runs at most once, however often its connection is lost; and no attempt runs
/// that is said not to have started.
class RunsAtMostOnce final : public Checker {
 public:
  explicit RunsAtMostOnce(Bench& bench) : Checker(bench, "RunsAtMostOnce") {}
  void on_handler_started(const Attempt& attempt) override;
  void on_attempt_ended(const Attempt& attempt, const Status& status, const Metadata& trailing) override;

 private:
  std::map<std::uint32_t, std::uint32_t> runs_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> started_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> not_started_;
};

}  // namespace leat::sim
