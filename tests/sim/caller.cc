#include "tests/sim/caller.h"

#include "tests/sim/switchboard.h"

namespace leat::sim {
namespace {

using session::Event;
}  // namespace

void Caller::begin() {
  const TimePoint now = stage_.timeline.now();
  if (plan_->timeout) deadline_ = now + *plan_->timeout;
  stage_.observers.tell(&Observer::on_call_started, *plan_, deadline_);
  if (plan_->cancel_after) {
    stage_.timeline.after(*plan_->cancel_after, [self = shared_from_this()] { self->cancel(); });
  }
  if (deadline_ != kNever) {
    // While there is an attempt its session watches the deadline; this is for the time between.
    stage_.timeline.at(deadline_, [self = shared_from_this()] {
      if (self->board_ == nullptr)
        self->end_call({Code::kDeadlineExceeded, "the deadline passed while waiting for a connection"});
    });
  }
  attempt();
}

void Caller::attempt() {
  if (over_) return;
  Switchboard* board = connector_->ready(plan_->caller, [self = shared_from_this()] { self->attempt(); });
  if (board == nullptr) return;
  const bool streams = plan_->kind == CallKind::kClientStream || plan_->kind == CallKind::kBidi;
  // The first message of a stream may go with the call's start, or after it.
  const bool at_once =
      !plan_->requests.sizes.empty() && (!streams || (!plan_->lockstep && plan_->number % 2 == 0));
  std::optional<Payload> first;
  if (at_once) first = make_item({plan_->number, Direction::kRequest, 0}, plan_->requests.sizes[0]);
  ++attempt_.number;
  End& end = board->end();
  const Result<wire::StreamId> stream = end.start(*plan_, attempt_.number, std::move(first), deadline_);
  if (!stream) {
    end_call(stream.error());
    return;
  }
  board_ = board;
  attempt_.plan = plan_;
  attempt_.end = end.key();
  attempt_.stream = *stream;
  attempt_.deadline = deadline_;
  board_->connect(*stream, shared_from_this());
  stage_.observers.tell(&Observer::on_attempt_started, attempt_);

  const std::weak_ptr<Caller> weak = weak_from_this();
  reader_ = std::make_shared<Reader>(stage_, plan_->caller_reads, end, *stream, [weak] {
    const auto self = weak.lock();
    if (!self || !self->writer_ || !self->plan_->lockstep) return;
    self->writer_->allow(self->reader_->taken() + 1);
    self->writer_->go();
  });
  if (!streams) return;
  const auto half_close = [weak](const Status& status) {
    const auto self = weak.lock();
    if (!self || self->board_ == nullptr) return;
    // A message that the other side would not take ends the call here.
    if (status.ok()) {
      self->board_->end().half_close(self->attempt_.stream);
    } else {
      self->board_->end().cancel(self->attempt_.stream, status.code(), status.message());
      self->end_attempt(status, {});
    }
  };
  const auto send_last = [&end, id = *stream](Payload item) { return end.send(id, std::move(item), true); };
  writer_ = std::make_shared<Writer>(stage_, plan_->requests, ItemName{plan_->number, Direction::kRequest, 0},
                                     end, *stream, Writer::Told{half_close, send_last});
  if (at_once) writer_->skip(1);
  if (plan_->lockstep) writer_->allow(1);
  writer_->go();
}

void Caller::on_event(Event& event) {
  switch (event.kind) {
    case Event::Kind::kHeaders: stage_.observers.tell(&Observer::on_headers, attempt_, event.metadata); break;
    case Event::Kind::kMessage:
      stage_.observers.tell(&Observer::on_delivered, Flow{attempt_.end.peer(), attempt_.stream},
                            event.wire_bytes);
      stage_.observers.tell(&Observer::on_item, attempt_, Direction::kReply, event.payload);
      reader_->push(std::move(event.payload), event.wire_bytes);
      break;
    case Event::Kind::kWritable:
      if (writer_) writer_->go();
      break;
    case Event::Kind::kEnded: end_attempt(event.status, event.metadata); break;
    default: stage_.observers.tell(&Observer::on_stray, attempt_.end, event); break;
  }
}

void Caller::cancel() {
  if (over_) return;
  const Status status(Code::kCancelled, "cancelled by the caller");
  if (board_ == nullptr) {
    end_call(status);
    return;
  }
  board_->end().cancel(attempt_.stream, Code::kCancelled, "cancelled by the caller");
  end_attempt(status, {});
}

void Caller::end_attempt(const Status& status, const Metadata& trailing) {
  stage_.observers.tell(&Observer::on_attempt_ended, attempt_, status, trailing);
  reader_->drop();
  if (writer_) writer_->stop();
  if (board_ != nullptr) board_->disconnect(attempt_.stream);
  board_ = nullptr;
  reader_.reset();
  writer_.reset();
  const auto wait = connector_->retry(*plan_, {plan_->idempotent, attempt_.number, deadline_}, status);
  if (over_ || !wait) {
    end_call(status);
    return;
  }
  stage_.timeline.after(*wait, [self = shared_from_this()] { self->attempt(); });
}

void Caller::end_call(const Status& status) {
  if (over_) return;
  over_ = true;
  stage_.observers.tell(&Observer::on_call_ended, *plan_, status);
  ended_();
}

}  // namespace leat::sim
