#include "tests/sim/handler.h"

#include <algorithm>

#include "tests/sim/switchboard.h"

namespace leat::sim {

using session::Event;

Handler::Handler(Stage stage, Attempt attempt, Switchboard& board)
    : stage_(stage), attempt_(attempt), plan_(attempt.plan), board_(&board), replies_(plan_->replies) {
  if (plan_->early) {
    replies_.sizes.resize(std::min<std::size_t>(replies_.sizes.size(), *plan_->early));
  }
}

bool Handler::streams_requests() const noexcept {
  return plan_->kind == CallKind::kClientStream || plan_->kind == CallKind::kBidi;
}

void Handler::begin() {
  stage_.observers.tell(&Observer::on_handler_started, attempt_);
  const std::weak_ptr<Handler> weak = weak_from_this();
  reader_ = std::make_shared<Reader>(stage_, plan_->callee_reads, board_->end(), attempt_.stream, [weak] {
    if (const auto self = weak.lock()) self->on_taken();
  });
  const Writer::Told told{[weak](const Status& status) {
                            if (const auto self = weak.lock()) self->written(status);
                          },
                          [weak](Payload reply) {
                            const auto self = weak.lock();
                            return self ? self->end_with(std::move(reply)) : Status();
                          }};
  writer_ = std::make_shared<Writer>(stage_, replies_, ItemName{plan_->number, Direction::kReply, 0},
                                     board_->end(), attempt_.stream, told);
  if (plan_->lockstep) writer_->allow(0);
  // Who ends early, or talks while it listens, need not wait for a request.
  if (plan_->early == 0U || (plan_->kind == CallKind::kBidi)) work();
}

void Handler::on_event(Event& event) {
  switch (event.kind) {
    case Event::Kind::kMessage:
      half_closed_ = half_closed_ || event.last;
      stage_.observers.tell(&Observer::on_delivered, Flow{attempt_.end.peer(), attempt_.stream},
                            event.wire_bytes);
      stage_.observers.tell(&Observer::on_item, attempt_, Direction::kRequest, event.payload);
      reader_->push(std::move(event.payload), event.wire_bytes);
      break;
    case Event::Kind::kHalfClosed:
      half_closed_ = true;
      on_taken();
      break;
    case Event::Kind::kWritable:
      if (replying_) writer_->go();
      break;
    case Event::Kind::kCancelled: end(event.status); break;
    default: stage_.observers.tell(&Observer::on_stray, attempt_.end, event); break;
  }
}

void Handler::on_taken() {
  if (over_) return;
  if (plan_->lockstep) {
    writer_->allow(reader_->taken());
    if (replying_) writer_->go();
  }
  const bool enough = streams_requests() ? half_closed_ && reader_->drained() : reader_->taken() > 0;
  if (enough) work();
  if (!over_) finish_when_done();
}

void Handler::work() {
  if (working_) return;
  working_ = true;
  if (plan_->work == Duration::zero()) {
    begin_replies();
    return;
  }
  stage_.timeline.after(plan_->work, [self = shared_from_this()] { self->begin_replies(); });
}

void Handler::begin_replies() {
  if (over_) return;
  replying_ = true;
  if (!plan_->initial.empty()) board_->end().headers(attempt_.stream, plan_->initial);
  writer_->go();
}

/// The last reply: with it travels the end, if all went well and nothing is to be said beside it.
Status Handler::end_with(Payload reply) {
  const bool done = plan_->early || !streams_requests() || (half_closed_ && reader_->drained());
  if (!done || !plan_->result.ok() || !plan_->trailing.empty())
    return board_->end().send(attempt_.stream, std::move(reply), false);
  Status sent = board_->end().finish_with(attempt_.stream, std::move(reply));
  end(sent);
  return sent;
}

void Handler::written(const Status& status) {
  if (over_) return;
  replied_ = true;
  if (!status.ok()) {
    finish(status);
  } else {
    finish_when_done();
  }
}

void Handler::finish_when_done() {
  if (!replied_) return;
  const bool done = plan_->early || !streams_requests() || (half_closed_ && reader_->drained());
  if (done) finish(plan_->result);
}

void Handler::finish(const Status& status) {
  board_->end().finish(attempt_.stream, status, plan_->trailing);
  end(status);
}

void Handler::end(const Status& status) {
  if (over_) return;
  over_ = true;
  stage_.observers.tell(&Observer::on_handler_ended, attempt_, status);
  reader_->drop();
  writer_->stop();
  board_->disconnect(attempt_.stream);
}

}  // namespace leat::sim
