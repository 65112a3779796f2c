// Writes what happens into the trace.
#pragma once

#include "tests/sim/observer.h"
#include "tests/sim/trace.h"

namespace leat::sim {

class Narrator final : public Observer {
 public:
  explicit Narrator(Trace& trace) : trace_(&trace) {}

  void on_frame_sent(const Frame& frame) override;
  void on_frame_arrived(const Frame& frame) override;
  void on_call_started(const CallPlan& plan, TimePoint deadline) override;
  void on_call_ended(const CallPlan& plan, const Status& status) override;
  void on_attempt_started(const Attempt& attempt) override;
  void on_attempt_ended(const Attempt& attempt, const Status& status, const Metadata& trailing) override;
  void on_handler_started(const Attempt& attempt) override;
  void on_handler_ended(const Attempt& attempt, const Status& status) override;
  void on_item(const Attempt& attempt, Direction direction, const Payload& payload) override;
  void on_taken(const Flow& flow, std::uint64_t wire_bytes) override;

 private:
  Trace* trace_;
};

}  // namespace leat::sim
