// The caller's side of a call: from its start, through as many attempts as it is allowed, to its end.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/call/retry.h"
#include "tests/sim/stream_ends.h"

namespace leat::sim {

class Switchboard;

/// Where a caller finds a connection: the current epoch of its route.
class Connector {
 public:
  virtual ~Connector() = default;
  /// The switchboard of the end at that side if it is ready; else nullptr, and `call` runs once it is.
  virtual Switchboard* ready(Side side, std::function<void()> call) = 0;
  /// An attempt has failed: how long to wait before the next; nullopt: the failure is final.
  virtual std::optional<Duration> retry(const CallPlan& plan, const call::FailedAttempt& failed,
                                        const Status& status) = 0;
};

class Caller : public std::enable_shared_from_this<Caller> {
 public:
  Caller(Stage stage, const CallPlan& plan, Connector& connector, std::function<void()> ended)
      : stage_(stage), plan_(&plan), connector_(&connector), ended_(std::move(ended)) {}

  void begin();
  void on_event(session::Event& event);
  [[nodiscard]] const CallPlan& plan() const noexcept { return *plan_; }

 private:
  void attempt();
  void begin_streaming();
  void cancel();
  void end_attempt(const Status& status, const Metadata& trailing);
  void end_call(const Status& status);

  Stage stage_;
  const CallPlan* plan_;
  Connector* connector_;
  std::function<void()> ended_;
  TimePoint deadline_ = kNever;
  bool over_ = false;

  // Of the current attempt.
  Attempt attempt_;
  Switchboard* board_ = nullptr;
  std::shared_ptr<Reader> reader_;
  std::shared_ptr<Writer> writer_;
};

}  // namespace leat::sim
