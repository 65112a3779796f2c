// What has been written, credited, read and taken on every stream, as the wire and the applications show it;
// never as a session says. Checkers look things up here. It is told first.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>

#include "tests/sim/observer.h"

namespace leat::sim {

/// One direction of a channel. Positions count bytes of message frames' bodies.
struct ChannelState {
  std::uint64_t window = 0;    ///< what its reader grants from the start
  std::uint64_t sent = 0;      ///< on the wire
  std::uint64_t arrived = 0;   ///< off the wire
  std::uint64_t granted = 0;   ///< the highest limit its reader has sent
  std::uint64_t settled = 0;   ///< the highest position that its reader has said to have arrived
  std::uint64_t allowed = 0;   ///< the highest limit its writer has received
  std::uint64_t returned = 0;  ///< the highest such position that its writer has received
};

/// One direction of a stream. Positions count bytes of message frames' bodies.
struct FlowState {
  CallKind kind = CallKind::kUnary;
  Channel channel = Channel::kRpc;  ///< of its messages, or what it will be as far as can be told
  std::optional<Lane> lane;         ///< that its first frame took
  std::uint64_t window = 0;         ///< what its reader grants from the start
  std::uint64_t queued = 0;         ///< given to the writer's session
  std::uint64_t sent = 0;           ///< on the wire
  std::uint64_t arrived = 0;        ///< off the wire
  std::uint64_t delivered = 0;      ///< handed to the reading application
  std::uint64_t taken = 0;          ///< taken by it
  std::uint64_t granted = 0;        ///< the highest limit its reader has sent
  std::uint64_t allowed = 0;        ///< the highest limit its writer has received
  std::uint64_t largest = 0;        ///< message queued, prologue included

  struct Message {
    std::uint64_t prologue = 0;
    std::uint64_t left = 0;  ///< bytes not sent yet, prologue included
    bool started = false;
  };
  std::deque<Message> messages;  ///< queued and not sent to their end

  bool writer_gone = false;  ///< the application there is done with the stream
  bool dropped = false;      ///< its writer's session has learnt that nobody wants the rest
  bool reader_gone = false;
  bool ended = false;  ///< the writer's last frame was sent

  /// The credit without which its next piece can't go; nullopt if it has none.
  [[nodiscard]] std::optional<std::uint64_t> needs() const noexcept;
  [[nodiscard]] std::uint64_t unread() const noexcept { return delivered - taken; }
};

class Ledger final : public Observer {
 public:
  [[nodiscard]] const FlowState* find(const Flow& flow) const noexcept;
  [[nodiscard]] const EndInfo* end(EndKey key) const noexcept;
  [[nodiscard]] const std::unordered_map<Flow, FlowState>& flows() const noexcept { return flows_; }
  [[nodiscard]] const std::map<EndKey, EndInfo>& ends() const noexcept { return ends_; }
  [[nodiscard]] const ChannelState& channel(EndKey writer, Channel channel) const noexcept;
  /// Streams that the application at that end has open.
  [[nodiscard]] std::size_t open_streams(EndKey at) const noexcept;
  /// Bytes handed to the application at that end and not taken yet.
  [[nodiscard]] std::uint64_t unread(EndKey at) const noexcept;
  /// The same, and bytes that have arrived and were not handed to it yet.
  [[nodiscard]] std::uint64_t untaken(EndKey at) const noexcept;

  void on_end_opened(const EndInfo& end) override;
  void on_end_closed(EndKey end) override;
  void on_frame_sent(const Frame& frame) override;
  void on_frame_arrived(const Frame& frame) override;
  void on_stream_opened(EndKey at, wire::StreamId stream, CallKind kind) override;
  void on_stream_gone(EndKey at, wire::StreamId stream) override;
  void on_queued(const Flow& flow, std::uint64_t prologue, std::uint64_t size) override;
  void on_delivered(const Flow& flow, std::uint64_t wire_bytes) override;
  void on_taken(const Flow& flow, std::uint64_t wire_bytes) override;

 private:
  struct EndTotals {
    std::array<ChannelState, kChannelCount> channels;  // written by it
    std::uint64_t peer_window = 0;  // that streams towards the other side start with, as far as it knows
    std::size_t open_streams = 0;
    std::uint64_t unread = 0;
    std::uint64_t untaken = 0;
  };
  FlowState& state(const Flow& flow);
  void begin(const Flow& flow);
  ChannelState& channel_of(EndKey writer, Channel channel);
  void leave(EndKey at, wire::StreamId stream);

  std::unordered_map<Flow, FlowState> flows_;
  std::map<EndKey, EndInfo> ends_;
  std::map<EndKey, EndTotals> totals_;
};

}  // namespace leat::sim
