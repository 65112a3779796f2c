// A session in its middle age: time, heartbeats, drain, health.
#include <algorithm>

#include "core/base/canary.h"
#include "core/base/readable.h"
#include "core/session/session.h"
#include "core/wire/session_frames.h"

namespace leat::session {

using wire::Kind;

// ---- time

TimePoint Session::next_timeout() const noexcept {
  switch (state_) {
    case State::kHandedOver: return kNever;
    case State::kClosed:
      if (!has_output()) return kNever;
      // close() does not say when: the grace begins when the owner does.
      return goodbye_ends_ == kNever ? now_ : goodbye_ends_;
    case State::kReady:
      return std::min({heartbeat_.next(), drain_.give_up, lane_patience_ends_, assembly_check_,
                       admissions_[0].retry_at(), admissions_[1].retry_at()});
    default: return handshake_deadline_;
  }
}

void Session::on_timeout(TimePoint now) {
  now_ = now;
  if (now < next_timeout()) return;
  if (state_ == State::kReady) {
    on_heartbeat_timeout();
    if (now >= lane_patience_ends_) go_without_lane();
    for (Admission& line : admissions_) {
      if (now >= line.retry_at()) try_admit(line);
    }
    if (now >= assembly_check_) check_assemblies();
    if (drain_.announced) continue_drain();
    return;
  }
  if (closed()) {
    if (goodbye_ends_ == kNever) {
      goodbye_ends_ = now + options_.close_grace;
    } else {
      scheduler_.drop_control();
    }
    return;
  }
  const bool silent = state_ == State::kAwaitHello || state_ == State::kAwaitWelcome;
  finish_closing({Code::kUnavailable,
                  silent ? "the other side did not answer Leat's handshake in time: does it speak Leat?"
                         : "the handshake was not completed in time"});
}

void Session::start_life() {
  state_ = State::kReady;
  heartbeat_.start(now_);
  emit(Event::Kind::kReady);
}

// ---- heartbeats

void Session::on_heartbeat_timeout() {
  switch (heartbeat_.on_timeout(now_)) {
    case Heartbeat::Due::kNothing: return;
    case Heartbeat::Due::kPing: control(Kind::kPing, {}, heartbeat_.ping()); return;
    case Heartbeat::Due::kDead:
      close(Code::kUnavailable, "nothing was heard from the other side for " +
                                    readable(heartbeat_.silence(now_)) +
                                    ", not even an answer to a heartbeat (heartbeat_interval " +
                                    readable(options_.heartbeat_interval) + ", heartbeat_timeout " +
                                    readable(options_.heartbeat_timeout) + ")");
  }
}

bool Session::on_ping(Bytes body) {
  if (body.size() > wire::kMaxPingBody) {
    return violation("a ping of " + std::to_string(body.size()) + " bytes where at most " +
                     std::to_string(wire::kMaxPingBody) + " are allowed");
  }
  answer(Kind::kPong, {}, std::vector<std::byte>(body.begin(), body.end()));
  return count_useless();
}

bool Session::on_pong(Bytes body) {
  const bool asked = std::ranges::equal(body, BandwidthDelay::kMark)
                         ? bandwidth_.finish(now_, !scheduler_.rpc_active(now_))
                         : heartbeat_.pong(body, now_);
  return asked || count_useless();
}

Status Session::lost_call(const Status& status, bool open_sent) {
  if (!open_sent || canary::has(canary::Bug::kSayNotStarted)) {
    Status lost(status.code(), status.message() + "; the call had not been sent");
    return lost.mark_not_started();
  }
  // Who closes the connection himself knows why his calls end, and does not want to hear more.
  if (status.code() == Code::kCancelled) return Status(status).mark_outcome_unknown();
  Status lost(status.code(), status.message() + "; the call's outcome is unknown");
  return lost.mark_outcome_unknown();
}

// ---- drain

void Session::drain(std::string reason) {
  if (closed() || drain_.announced) return;
  if (!ready()) {
    close(Code::kUnavailable, std::move(reason));
    return;
  }
  drain_.announced = true;
  wire::Goaway goaway;
  // A stream that was opened before the last one seen may still be on its way on the other lane: it is
  // served.
  for (std::size_t i = 0; i < kChannelCount; ++i) {
    const std::uint64_t next = remote_ids_.next(static_cast<Channel>(i));
    drain_.served[i] = next == 0 ? 0 : next - 1;
  }
  goaway.last = drain_.served;
  goaway.reason = std::move(reason);
  std::vector<std::byte> body;
  goaway.encode(body);
  control(Kind::kGoaway, {}, body);
  continue_drain();
}

bool Session::on_goaway(Bytes body) {
  const std::optional<wire::Goaway> goaway = wire::Goaway::decode(body);
  if (!goaway) return violation("a goaway frame that can't be read");
  Status status(Code::kUnavailable, "the other side takes no more calls: " + goaway->reason);
  if (!drain_.told) emit(Event::Kind::kGoingAway).status = status;
  drain_.told = true;
  status.mark_not_started();
  std::vector<wire::StreamId> refused;
  streams_.for_each([&](std::uint64_t /*id*/, const std::unique_ptr<Stream>& stream) {
    const wire::StreamId id = stream->id;
    if (stream->local && id.sequence() > goaway->last[static_cast<std::size_t>(id.channel())]) {
      refused.push_back(id);
    }
  });
  std::ranges::sort(refused);
  for (const wire::StreamId id : refused) {
    Stream& stream = *find(id);
    emit(Event::Kind::kEnded, &stream).status = status;
    remove(stream);
  }
  continue_drain();
  return true;
}

bool Session::on_drained() {
  if (!drain_.announced) return violation("a drained frame without a goaway");
  drain_.confirmed = true;
  continue_drain();
  return true;
}

// A callee does not know when its last answer has arrived, and on another lane a goodbye could overtake it.
// So the side that was told to go away says when it has the ends of all its calls; only then is the other one
// done.
void Session::continue_drain() {
  if (!ready()) return;
  if (drain_.told && !drain_.confirmed_it && local_streams_ == 0) {
    drain_.confirmed_it = true;
    control(Kind::kDrained, {}, {});
  }
  if (!drain_.announced) return;
  if (!streams_.empty() || has_output()) {
    drain_.give_up = kNever;
    return;
  }
  if (!drain_.confirmed && drain_.give_up == kNever) drain_.give_up = now_ + options_.drain_grace;
  if (drain_.confirmed || now_ >= drain_.give_up) close(Code::kUnavailable, "drained");
}

// ---- health

Result<std::uint32_t> Session::ask_health(std::string_view service) {
  if (!ready()) return failure(Code::kUnavailable, "the connection is not open");
  if (service.size() > wire::kMaxNameBytes) {
    return failure(Code::kInvalidArgument,
                   "a service name longer than " + std::to_string(wire::kMaxNameBytes) + " bytes");
  }
  if (health_asks_.size() >= wire::kMaxHealthAsks) {
    return failure(
        Code::kResourceExhausted,
        std::to_string(wire::kMaxHealthAsks) + " questions for health have no answer yet on this connection");
  }
  const std::uint32_t id = next_health_ask_++;
  health_asks_.push_back(id);
  std::vector<std::byte> body;
  wire::HealthAsk{id, std::string(service)}.encode(body);
  control(Kind::kHealthAsk, {}, body);
  return id;
}

bool Session::on_health_ask(Bytes body) {
  std::optional<wire::HealthAsk> ask = wire::HealthAsk::decode(body);
  if (!ask) return violation("a health ask that can't be read");
  if (std::ranges::find(health_answers_, ask->id) != health_answers_.end()) {
    return violation("a health ask with the id of another");
  }
  if (health_answers_.size() >= wire::kMaxHealthAsks) {
    return violation("more than " + std::to_string(wire::kMaxHealthAsks) + " health asks without an answer");
  }
  health_answers_.push_back(ask->id);
  Event& event = emit(Event::Kind::kHealthAsked);
  event.health_id = ask->id;
  event.open.emplace().service = std::move(ask->service);
  return true;
}

void Session::answer_health(std::uint32_t id, wire::HealthState state) {
  if (!ready() || std::erase(health_answers_, id) == 0) return;
  std::vector<std::byte> body;
  wire::Health{id, state}.encode(body);
  answer(Kind::kHealth, {}, body);
}

bool Session::on_health(Bytes body) {
  const std::optional<wire::Health> health = wire::Health::decode(body);
  if (!health) return violation("a health frame that can't be read");
  if (std::erase(health_asks_, health->id) == 0) return violation("a health frame that nobody asked for");
  Event& event = emit(Event::Kind::kHealth);
  event.health_id = health->id;
  event.health = health->state;
  return true;
}

}  // namespace leat::session
