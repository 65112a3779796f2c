// Health of services, asked and answered on the control channel; and drain.
#include <utility>

#include "transport/runtime/connection.h"
#include "transport/runtime/health_ask.h"

namespace leat::transport {

using session::Event;

void Connection::answer_health(const Event& event) {
  const auto at = health_asks_.find(event.health_id);
  if (at == health_asks_.end()) return;  // nobody waits for it any more
  const std::shared_ptr<HealthAsk> ask = std::move(at->second);
  health_asks_.erase(at);
  ask->answer = event.health;
  announce(*ask);
}

Result<bool> Connection::ask_health(std::string_view service, TimePoint until) {
  Lock lock(mutex_);
  const Result<std::uint32_t> id = calls_.session().ask_health(service);
  if (!id) return failure(Status(id.error()).with_context(options_.url));
  const auto ask = std::make_shared<HealthAsk>();
  health_asks_.emplace(*id, ask);
  flush(lock);
  Status waited = wait(lock, *ask, [&] { return ask->answer || over_; }, until);
  health_asks_.erase(*id);
  if (!waited.ok()) {
    const bool late = waited.code() == Code::kDeadlineExceeded;
    return failure(late ? Status(Code::kDeadlineExceeded, options_.url + ": no answer about the health of '" +
                                                              std::string(service) + "' in time")
                        : waited);
  }
  if (!ask->answer) return failure(closed_status_);
  if (*ask->answer == wire::HealthState::kUnknownService) {
    return failure(Code::kNotFound,
                   options_.url + ": nothing is offered there as '" + std::string(service) + "'");
  }
  return *ask->answer == wire::HealthState::kServing;
}

void Connection::drain(std::string reason) {
  Lock lock(mutex_);
  calls_.session().drain(std::move(reason));
  handle_events(now());
  flush(lock);
}

}  // namespace leat::transport
