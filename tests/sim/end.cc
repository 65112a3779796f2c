#include "tests/sim/end.h"

#include <algorithm>

namespace leat::sim {
namespace {

using session::Event;
using std::chrono::microseconds;

// As transport/runtime/connection.cc.
constexpr std::size_t kWriteLimit = 512U << 10U;
// How long a thread takes to come round to what has happened.
constexpr Duration kSlowestPump = microseconds(300);

std::string_view side_name(Side side) { return side == Side::kConnector ? "connector" : "acceptor"; }

}  // namespace

End::End(Stage stage, Random random, EndInfo info, Account& account)
    : stage_(stage),
      random_(random),
      info_(info),
      account_(&account),
      ports_{Port(*this, Lane::kMain, stage.observers, info.key),
             Port(*this, Lane::kBulk, stage.observers, info.key)} {
  const Charge charge(*account_);
  calls_ = std::make_unique<call::Calls>(*info_.options, stage_.timeline.now());
}

void End::use(Application& application) {
  application_ = &application;
  plug(ports_[0], (*info_.links)[0]);
  stage_.observers.tell(&Observer::on_end_opened, info_);
  wake();
}

// ---- commands

Result<wire::StreamId> End::start(const CallPlan& plan, std::uint32_t attempt, std::optional<Payload> first,
                                  TimePoint deadline) {
  CallOptions options;
  options.channel = plan.channel;
  options.metadata.add("sim-call", std::to_string(plan.number));
  options.metadata.add("sim-attempt", std::to_string(attempt));
  options.metadata.add("sim-link", std::to_string(info_.key.link));
  const std::optional<Payload> copy = first;
  MethodRef method{"sim", "run", plan.kind};
  method.idempotent = plan.idempotent;
  Result<wire::StreamId> id = [&] {
    const Charge charge(*account_);
    return calls_->start(method, std::move(first), options, deadline, stage_.timeline.now());
  }();
  if (id) {
    stage_.observers.tell(&Observer::on_stream_opened, key(), *id, plan.kind);
    if (copy) note_queued(*id, *copy);
  }
  wake();
  return id;
}

void End::half_close(wire::StreamId stream) {
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->session().half_close(stream);
  }
  wake();
}

void End::cancel(wire::StreamId stream, Code code, std::string reason) {
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->cancel(stream, code, std::move(reason));
  }
  stage_.observers.tell(&Observer::on_stream_gone, key(), stream);
  wake();
}

void End::headers(wire::StreamId stream, const Metadata& metadata) {
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->session().headers(stream, metadata);
  }
  wake();
}

Status End::send(wire::StreamId stream, Payload payload, bool last) {
  if (!calls_) return {};
  const Payload copy = payload;
  Status sent = [&] {
    const Charge charge(*account_);
    return calls_->session().send(stream, std::move(payload), last);
  }();
  if (sent.ok()) note_queued(stream, copy);
  wake();
  return sent;
}

Status End::finish_with(wire::StreamId stream, Payload reply) {
  if (!calls_) return {};
  const Payload copy = reply;
  Status sent = [&] {
    const Charge charge(*account_);
    return calls_->finish_with(stream, std::move(reply));
  }();
  if (sent.ok()) note_queued(stream, copy);
  wake();
  return sent;
}

void End::finish(wire::StreamId stream, const Status& status, const Metadata& trailing) {
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->finish(stream, status, trailing);
  }
  wake();
}

void End::reject(wire::StreamId stream, const Status& status) {
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->reject(stream, status);
  }
  wake();
}

bool End::full(wire::StreamId stream) { return calls_ && calls_->session().full(stream); }

void End::taken(wire::StreamId stream, std::uint64_t wire_bytes) {
  stage_.observers.tell(&Observer::on_taken, Flow{key().peer(), stream}, wire_bytes);
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->session().consumed(stream, wire_bytes);
  }
  if (calls_->session().has_output()) wake();
}

void End::close(Code code, std::string reason) {
  if (!calls_) return;
  LEAT_TRACE(stage_.trace, "link {} {} closes: {}", key().link, side_name(key().side), reason);
  {
    const Charge charge(*account_);
    calls_->session().close(code, std::move(reason));
  }
  wake();
}

void End::drain(std::string reason) {
  if (!calls_) return;
  LEAT_TRACE(stage_.trace, "link {} {} drains: {}", key().link, side_name(key().side), reason);
  {
    const Charge charge(*account_);
    calls_->session().drain(std::move(reason));
  }
  wake();
}

void End::ask_health() {
  if (!ready()) return;
  {
    const Charge charge(*account_);
    if (!calls_->session().ask_health("sim")) return;
  }
  ++health_asked_;
  wake();
}

void End::answer_health(std::uint32_t id) {
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->session().answer_health(id, wire::HealthState::kServing);
  }
  wake();
}

void End::note_queued(wire::StreamId stream, const Payload& payload) const {
  const std::uint64_t prologue = wire::Prologue::kFixedSize + 8 * payload.attachments.size();
  stage_.observers.tell(&Observer::on_queued, Flow{key(), stream}, prologue, payload.byte_size());
}

std::string End::leftovers() {
  if (!calls_) return {};
  const session::Session& session = calls_->session();
  std::string left;
  if (session.stream_count() != 0) left += std::to_string(session.stream_count()) + " streams, ";
  if (session.has_output()) left += "output, ";
  if (session.has_event()) left += "events, ";
  if (calls_->next_timeout() != session.next_timeout()) left += "the timer of a call, ";
  if (health_asked_ != 0) left += std::to_string(health_asked_) + " questions for health, ";
  for (const Port& port : ports_) {
    if (!port.batch.empty())
      left += std::to_string(port.batch.bytes()) + " bytes that the link has not taken, ";
  }
  return left;
}

// ---- links

void End::plug(Port& port, const std::shared_ptr<Link>& link) const {
  port.link = link;
  link->attach(info_.key.side, port);
}

bool End::add_lane() {
  if (!calls_) return false;
  const Status added = [&] {
    const Charge charge(*account_);
    return calls_->session().add_lane(stage_.timeline.now());
  }();
  LEAT_TRACE(stage_.trace, "link {} {} adds a lane: {}", key().link, side_name(key().side),
             added.to_string());
  if (!added.ok()) return false;
  plug(ports_[1], (*info_.links)[1]);
  wake();
  return true;
}

void End::give_up_lane() {
  if (!calls_) return;
  {
    const Charge charge(*account_);
    calls_->session().lane_lost(Lane::kBulk, {Code::kUnavailable, "no second lane"}, stage_.timeline.now());
  }
  wake();
}

void End::on_bytes(Port& port, Bytes bytes) {
  if (!calls_) return;
  port.arrived.pass(bytes);
  read(port.lane, bytes);
  wake();
}

/// Either way that links hand bytes to a session.
void End::read(Lane lane, Bytes bytes) {
  const Charge charge(*account_);
  session::Session& session = calls_->session();
  const TimePoint now = stage_.timeline.now();
  if (random_.chance(50)) {
    session.receive(lane, bytes, now);
    return;
  }
  while (!bytes.empty()) {
    const session::FrameReader::Space space = session.prepare(lane);
    const std::size_t direct = std::min(space.body.size(), bytes.size());
    std::ranges::copy(bytes.first(direct), space.body.begin());
    const std::size_t rest = std::min(space.scratch.size(), bytes.size() - direct);
    std::ranges::copy(bytes.subspan(direct, rest), space.scratch.begin());
    session.commit(lane, direct + rest, now);
    bytes = bytes.subspan(direct + rest);
  }
}

void End::on_lost(Port& port) {
  port.link.reset();
  port.batch.clear();
  if (!calls_) return;
  LEAT_TRACE(stage_.trace, "link {} {} loses lane {}", key().link, side_name(key().side),
             static_cast<int>(port.lane));
  {
    const Charge charge(*account_);
    calls_->session().lane_lost(port.lane, {Code::kUnavailable, "the link was lost"}, stage_.timeline.now());
  }
  wake();
}

// ---- the thread

void End::wake() {
  if (awake_ || over_) return;
  awake_ = true;
  stage_.timeline.after(random_.skewed(microseconds(1), kSlowestPump), [this] { pump(); });
}

void End::pump() {
  awake_ = false;
  if (over_) return;
  const TimePoint now = stage_.timeline.now();
  if (now >= calls_->next_timeout()) {
    const Charge charge(*account_);
    calls_->on_timeout(now);
  }
  hear_events();
  for (Port& port : ports_) send_queued(port);
  hear_events();
  if (!over_) {
    plan_timeout();
    stage_.observers.tell(&Observer::on_pumped, key());
    return;
  }
  // The goodbye is out, or can't get out.
  for (Port& port : ports_) {
    if (port.link) port.link->close(info_.key.side);
    port.link.reset();
    port.batch = session::Batch();
  }
  calls_.reset();
  stage_.observers.tell(&Observer::on_end_closed, key());
}

void End::hear_events() {
  while (!over_) {
    std::optional<Event> event = [&] {
      const Charge charge(*account_);
      return calls_->next_event(stage_.timeline.now());
    }();
    if (!event) return;
    stage_.trace.note(event->kind, event->stream.value, event->wire_bytes, key().link);
    if (event->kind == Event::Kind::kClosed) {
      send_queued(ports_[0]);
      over_ = true;
      application_->on_closed(*this, event->status);
    } else if (event->kind == Event::Kind::kHealthAsked) {
      answer_health(event->health_id);
    } else if (event->kind == Event::Kind::kHealth) {
      --health_asked_;
    } else {
      application_->on_event(*this, *event);
    }
  }
}

void End::send_queued(Port& port) {
  if (!calls_) return;
  session::Batch& batch = port.batch;
  std::size_t sent = 0;
  while (port.link && sent < kWriteLimit) {
    if (batch.empty()) {
      const std::size_t budget = port.link->room(key().side);
      if (budget == 0) return;
      {
        const Charge charge(*account_);
        calls_->session().transmit(port.lane, batch, std::min(budget, kWriteLimit), stage_.timeline.now());
      }
      if (batch.empty()) return;
      for (const Slice& slice : batch.slices()) port.sent.pass(slice.bytes);
    }
    const std::size_t taken = port.link->send(key().side, batch.slices());
    if (taken == 0) return;
    sent += taken;
    stage_.trace.note(key().link, key().side, port.lane, taken);
    const Charge charge(*account_);
    calls_->session().link_took(port.lane, stage_.timeline.now());
    batch.taken(taken);
  }
  if (sent >= kWriteLimit) wake();
}

void End::plan_timeout() {
  const TimePoint next = calls_->next_timeout();
  if (next == planned_timeout_ || next == kNever) return;
  planned_timeout_ = next;
  stage_.timeline.at(next, [this, next] {
    if (over_ || planned_timeout_ != next) return;
    planned_timeout_ = kNever;
    wake();
  });
}

}  // namespace leat::sim
