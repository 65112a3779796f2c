// How an application writes and reads the messages of a stream, by plan: the same for callers and callees.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "tests/sim/end.h"

namespace leat::sim {

/// Takes messages one by one, as slowly as planned. What it does at a later time it does only if it lives.
class Reader : public std::enable_shared_from_this<Reader> {
 public:
  /// `taken` is told after each message.
  Reader(Stage stage, const ReaderPlan& plan, End& end, wire::StreamId stream, std::function<void()> taken)
      : stage_(stage), plan_(&plan), end_(&end), stream_(stream), taken_(std::move(taken)) {}

  void push(Payload payload, std::uint64_t wire_bytes);
  /// Takes no more: the call is over.
  void drop() {
    unread_.clear();
    dropped_ = true;
  }
  [[nodiscard]] std::uint32_t taken() const noexcept { return count_; }
  [[nodiscard]] bool drained() const noexcept { return unread_.empty() && !busy_; }

 private:
  struct Unread {
    Payload payload;
    std::uint64_t wire_bytes;
  };
  void go();
  void rest(Duration wait);

  Stage stage_;
  const ReaderPlan* plan_;
  End* end_;
  wire::StreamId stream_;
  std::function<void()> taken_;
  std::deque<Unread> unread_;
  std::uint32_t count_ = 0;
  bool busy_ = false;
  bool stopped_ = false;
  bool dropped_ = false;
};

/// Writes messages one by one, as fast as planned and as the session lets it.
class Writer : public std::enable_shared_from_this<Writer> {
 public:
  /// `written` is told when the last message has been given to the session, with what came of it; `end_with`
  /// sends the last one, if it is to travel with the end.
  struct Told {
    std::function<void(const Status&)> written;
    std::function<Status(Payload)> end_with;
  };
  Writer(Stage stage, const WriterPlan& plan, ItemName first, End& end, wire::StreamId stream, Told told)
      : stage_(stage), plan_(&plan), name_(first), end_(&end), stream_(stream), told_(std::move(told)) {}

  /// Writes what may be written now, from the start or after a pause.
  void go();
  /// Writes no further than to this many messages.
  void allow(std::uint32_t count) noexcept { allowed_ = count; }
  /// Some were sent with the call's start.
  void skip(std::uint32_t count) noexcept { name_.index = count; }
  void stop() noexcept { done_ = true; }
  [[nodiscard]] bool done() const noexcept { return done_; }

 private:
  Stage stage_;
  const WriterPlan* plan_;
  ItemName name_;
  End* end_;
  wire::StreamId stream_;
  Told told_;
  std::uint32_t allowed_ = ~0U;
  bool resting_ = false;
  bool done_ = false;
};

}  // namespace leat::sim
