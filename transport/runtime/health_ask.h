#pragma once

#include <optional>

#include "transport/runtime/call_state.h"

namespace leat::transport {

/// A question about a service's health on its way. Guarded by the connection's lock.
class HealthAsk final : public CallState {
 public:
  void on_event(session::Event& event) override { answer = event.health; }
  [[nodiscard]] bool has_come(Moment /*moment*/) override { return answer.has_value(); }

  std::optional<wire::HealthState> answer;
};

}  // namespace leat::transport
