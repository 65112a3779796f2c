#include "tests/sim/switchboard.h"

#include <charconv>

namespace leat::sim {
namespace {

using session::Event;

std::uint32_t number(const Metadata& metadata, std::string_view key) {
  const std::string_view text = metadata.get(key).value_or("");
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

void Switchboard::disconnect(wire::StreamId stream) {
  users_.erase(stream);
  done_.try_emplace(stream, false);
}

void Switchboard::on_event(End& /*end*/, Event& event) {
  if (event.kind == Event::Kind::kReady) {
    told_.ready();
    return;
  }
  if (event.kind == Event::Kind::kGoingAway) return;  // End::takes_calls() says so when asked
  if (event.kind == Event::Kind::kLaneWanted) {
    told_.lane_wanted();
    return;
  }
  if (event.kind == Event::Kind::kOpened) {
    on_opened(event);
    return;
  }
  const auto user = users_.find(event.stream);
  const auto done = done_.find(event.stream);
  if (done == done_.end() ? user == users_.end() : done->second) {
    stage_.observers.tell(&Observer::on_stray, end_->key(), event);
    return;
  }
  if (event.kind == Event::Kind::kEnded || event.kind == Event::Kind::kCancelled) {
    done_[event.stream] = true;
    // Also where the application was done before: what it had queued is dropped now.
    stage_.observers.tell(&Observer::on_stream_gone, end_->key(), event.stream);
  }
  if (user == users_.end()) return;
  // The user may go while it is told.
  const auto alive = user->second;
  std::visit([&event](const auto& call) { call->on_event(event); }, alive);
}

void Switchboard::on_opened(const Event& event) {
  const std::uint32_t call = number(event.open->metadata, "sim-call");
  const bool known = call >= 1 && call <= plan_->calls.size();
  // Nothing of another connection may show up on this one, nor a stream twice.
  if (!known || number(event.open->metadata, "sim-link") != end_->key().link ||
      users_.contains(event.stream) || done_.contains(event.stream)) {
    stage_.observers.tell(&Observer::on_stray, end_->key(), event);
    return;
  }
  Attempt attempt;
  attempt.plan = &plan_->calls[call - 1];
  attempt.number = number(event.open->metadata, "sim-attempt");
  attempt.end = end_->key();
  attempt.stream = event.stream;
  if (event.open->timeout_us) {
    attempt.deadline =
        stage_.timeline.now() + std::chrono::microseconds(static_cast<std::int64_t>(*event.open->timeout_us));
  }
  stage_.observers.tell(&Observer::on_stream_opened, end_->key(), event.stream, attempt.plan->kind);
  if (attempt.plan->rejected && attempt.number == 1) {
    LEAT_TRACE(stage_.trace, "call {}.1 is rejected", call);
    stage_.observers.tell(&Observer::on_rejected, attempt);
    end_->reject(event.stream, {Code::kUnavailable, "not now"});
    disconnect(event.stream);
    return;
  }
  const auto handler = std::make_shared<Handler>(stage_, attempt, *this);
  users_[event.stream] = handler;
  handler->begin();
}

void Switchboard::on_closed(End& /*end*/, const Status& status) {
  LEAT_TRACE(stage_.trace, "link {} {} over: {}", end_->key().link,
             end_->key().side == Side::kConnector ? "connector" : "acceptor", status.to_string());
  told_.closed();
}

}  // namespace leat::sim
