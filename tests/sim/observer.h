// What can be seen from outside of a run, and who watches: checkers, and the ledger that they share.
// Everything is told in the order in which it happens.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/lane.h"
#include "core/session/event.h"
#include "core/wire/frame.h"
#include "tests/sim/network.h"
#include "tests/sim/pattern.h"
#include "tests/sim/plan.h"

namespace leat::sim {

/// One side of one link. Every connection gets a number of its own, so a key also stands for an epoch.
struct EndKey {
  std::uint32_t link = 0;
  Side side = Side::kConnector;
  [[nodiscard]] EndKey peer() const noexcept { return {link, other(side)}; }
  friend auto operator<=>(EndKey, EndKey) = default;
};

/// One direction of a stream: who writes it.
struct Flow {
  EndKey writer;
  wire::StreamId stream;
  [[nodiscard]] Flow reverse() const noexcept { return {writer.peer(), stream}; }
  /// Replies; else requests.
  [[nodiscard]] bool by_callee() const noexcept {
    return stream.opened_by_acceptor() == (writer.side == Side::kConnector);
  }
  friend auto operator<=>(Flow, Flow) = default;
};

struct EndInfo {
  EndKey key;
  std::uint32_t node = 0;
  const session::Options* options = nullptr;       ///< of this side
  const session::Options* peer_options = nullptr;  ///< of the other
  /// The links of its lanes; the second one may not be there (yet).
  const std::array<std::shared_ptr<Link>, kLaneCount>* links = nullptr;
};

/// A frame on the simulated wire. Of message bodies only the prologue is kept.
struct Frame {
  EndKey from;
  Lane lane = Lane::kMain;
  wire::FrameHeader header;
  Bytes body;
  [[nodiscard]] Flow flow() const noexcept { return {from, header.stream}; }
};

/// One try of a call.
struct Attempt {
  const CallPlan* plan = nullptr;
  std::uint32_t number = 0;  ///< 1 and on
  EndKey end;                ///< the caller's
  wire::StreamId stream;
  TimePoint deadline = kNever;
};

class Observer {
 public:
  virtual ~Observer() = default;

  virtual void on_end_opened(const EndInfo& /*end*/) {}
  virtual void on_end_closed(EndKey /*end*/) {}

  /// The session has given the frame out to be sent; or its last byte is about to be given to the session.
  virtual void on_frame_sent(const Frame& /*frame*/) {}
  virtual void on_frame_arrived(const Frame& /*frame*/) {}

  // Streams, as the application at that end uses them.
  virtual void on_stream_opened(EndKey /*at*/, wire::StreamId /*stream*/, CallKind /*kind*/) {}
  /// The application is done with it and nothing is left to be written: it cancelled, or was told of the end.
  virtual void on_stream_gone(EndKey /*at*/, wire::StreamId /*stream*/) {}
  /// A message was given to the session: bytes of its prologue, and of what follows.
  virtual void on_queued(const Flow& /*flow*/, std::uint64_t /*prologue*/, std::uint64_t /*size*/) {}
  /// A message was handed to the application; then, the application has taken it.
  virtual void on_delivered(const Flow& /*flow*/, std::uint64_t /*wire_bytes*/) {}
  virtual void on_taken(const Flow& /*flow*/, std::uint64_t /*wire_bytes*/) {}

  // Calls.
  virtual void on_call_started(const CallPlan& /*plan*/, TimePoint /*deadline*/) {}
  virtual void on_call_ended(const CallPlan& /*plan*/, const Status& /*status*/) {}
  virtual void on_attempt_started(const Attempt& /*attempt*/) {}
  virtual void on_headers(const Attempt& /*attempt*/, const Metadata& /*metadata*/) {}
  virtual void on_attempt_ended(const Attempt& /*attempt*/, const Status& /*status*/,
                                const Metadata& /*trailing*/) {}
  /// Its `attempt.end` is the callee's.
  virtual void on_handler_started(const Attempt& /*attempt*/) {}
  virtual void on_handler_ended(const Attempt& /*attempt*/, const Status& /*status*/) {}
  /// Instead of starting a handler.
  virtual void on_rejected(const Attempt& /*attempt*/) {}
  /// A message of that direction was handed to its reader.
  virtual void on_item(const Attempt& /*attempt*/, Direction /*direction*/, const Payload& /*payload*/) {}
  /// Something was handed to an application that it can't have asked for.
  virtual void on_stray(EndKey /*at*/, const session::Event& /*event*/) {}

  /// The application has heard all that the session had to tell, and the link has taken what it could.
  virtual void on_pumped(EndKey /*end*/) {}
  /// Now and then.
  virtual void on_tick() {}
  /// All calls have ended and the links are silent.
  virtual void on_idle() {}
};

/// Tells all of them.
class Observers {
 public:
  void add(Observer& observer) { all_.push_back(&observer); }
  template <class... Parameters, class... Arguments>
  void tell(void (Observer::*what)(Parameters...), const Arguments&... arguments) const {
    for (Observer* observer : all_) (observer->*what)(arguments...);
  }

 private:
  std::vector<Observer*> all_;
};

}  // namespace leat::sim

template <>
struct std::hash<leat::sim::Flow> {
  std::size_t operator()(const leat::sim::Flow& flow) const noexcept {
    return leat::sim::mix(flow.stream.value ^ (std::uint64_t{flow.writer.link} << 32U) ^
                          (static_cast<std::uint64_t>(flow.writer.side) << 63U));
  }
};
