#include "tests/sim/stream_ends.h"

#include <algorithm>

namespace leat::sim {

void Reader::push(Payload payload, std::uint64_t wire_bytes) {
  if (dropped_) return;
  unread_.push_back({std::move(payload), wire_bytes});
  go();
}

void Reader::go() {
  while (!busy_ && !dropped_ && !unread_.empty()) {
    if (count_ == plan_->stop_after && !stopped_) {
      stopped_ = true;
      if (plan_->stopped_for == Duration::zero()) {
        busy_ = true;  // for good
        return;
      }
      rest(plan_->stopped_for);
      return;
    }
    const std::uint64_t wire_bytes = unread_.front().wire_bytes;
    unread_.pop_front();
    ++count_;
    end_->taken(stream_, wire_bytes);
    // It may be gone after this.
    const auto alive = shared_from_this();
    if (plan_->each != Duration::zero()) rest(plan_->each);
    taken_();
  }
}

void Reader::rest(Duration wait) {
  busy_ = true;
  stage_.timeline.after(wait, [self = weak_from_this()] {
    const auto alive = self.lock();
    if (!alive || alive->dropped_) return;
    alive->busy_ = false;
    alive->go();
    // Whoever waits for the reader to be done with what it had is told of that too.
    if (alive->drained()) alive->taken_();
  });
}

void Writer::go() {
  const auto alive = shared_from_this();
  const auto count = static_cast<std::uint32_t>(plan_->sizes.size());
  while (!resting_ && !done_) {
    if (name_.index >= count) {
      done_ = true;
      told_.written({});
      return;
    }
    if (name_.index >= allowed_) return;
    if (end_->full(stream_)) return;
    const std::uint64_t size = plan_->sizes[name_.index];
    Payload item = make_item(name_, size);
    ++name_.index;
    const bool last = name_.index == count && !plan_->end_apart && told_.end_with;
    const Status sent = last ? told_.end_with(std::move(item)) : end_->send(stream_, std::move(item), false);
    if (last || !sent.ok()) {
      done_ = true;
      told_.written(sent);
      return;
    }
    if (plan_->between == Duration::zero()) continue;
    resting_ = true;
    stage_.timeline.after(plan_->between, [self = weak_from_this()] {
      const auto writer = self.lock();
      if (!writer) return;
      writer->resting_ = false;
      writer->go();
    });
  }
}

}  // namespace leat::sim
