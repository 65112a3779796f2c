#include "tests/sim/ledger.h"

#include <algorithm>

#include "core/wire/call_frames.h"
#include "core/wire/flow_frames.h"

namespace leat::sim {

using wire::Kind;

std::optional<std::uint64_t> FlowState::needs() const noexcept {
  if (writer_gone || dropped || ended || messages.empty()) return std::nullopt;
  const Message& next = messages.front();
  // A message begins with its prologue whole and, unless it is empty, a byte of its own.
  return next.started ? 1 : next.prologue + (next.left > next.prologue ? 1 : 0);
}

const FlowState* Ledger::find(const Flow& flow) const noexcept {
  const auto at = flows_.find(flow);
  return at == flows_.end() ? nullptr : &at->second;
}

const EndInfo* Ledger::end(EndKey key) const noexcept {
  const auto at = ends_.find(key);
  return at == ends_.end() ? nullptr : &at->second;
}

std::size_t Ledger::open_streams(EndKey at) const noexcept {
  const auto totals = totals_.find(at);
  return totals == totals_.end() ? 0 : totals->second.open_streams;
}

std::uint64_t Ledger::unread(EndKey at) const noexcept {
  const auto totals = totals_.find(at);
  return totals == totals_.end() ? 0 : totals->second.unread;
}

const ChannelState& Ledger::channel(EndKey writer, Channel channel) const noexcept {
  static constexpr ChannelState kNone;
  const auto totals = totals_.find(writer);
  return totals == totals_.end() ? kNone : totals->second.channels[static_cast<std::size_t>(channel)];
}

std::uint64_t Ledger::untaken(EndKey at) const noexcept {
  const auto totals = totals_.find(at);
  return totals == totals_.end() ? 0 : totals->second.untaken;
}

ChannelState& Ledger::channel_of(EndKey writer, Channel channel) {
  return totals_[writer].channels[static_cast<std::size_t>(channel) % kChannelCount];
}

FlowState& Ledger::state(const Flow& flow) {
  const auto [at, fresh] = flows_.try_emplace(flow);
  if (fresh) at->second.channel = flow.stream.channel();
  return at->second;
}

/// Its writer's session begins to know the stream.
void Ledger::begin(const Flow& flow) {
  FlowState& begun = state(flow);
  begun.window = totals_[flow.writer].peer_window;
  // Credit may have come before it, on another lane.
  begun.granted = std::max(begun.granted, begun.window);
  begun.allowed = std::max(begun.allowed, begun.window);
}

void Ledger::on_end_opened(const EndInfo& end) {
  ends_[end.key] = end;
  const std::uint64_t window = std::max<std::uint64_t>(end.peer_options->channel_window, 64U << 10U);
  totals_[end.key].peer_window = std::max<std::uint64_t>(end.peer_options->stream_window, 64U << 10U);
  for (ChannelState& channel : totals_[end.key].channels) {
    channel.window = window;
    channel.granted = window;
    channel.allowed = window;
  }
}

void Ledger::on_end_closed(EndKey end) {
  for (auto& [flow, state] : flows_) {
    if (flow.writer == end) state.writer_gone = true;
    if (flow.writer.peer() == end) state.reader_gone = true;
  }
  ends_.erase(end);
  if (!ends_.contains(end.peer())) {
    totals_.erase(end);
    totals_.erase(end.peer());
    std::erase_if(flows_, [end](const auto& entry) { return entry.first.writer.link == end.link; });
  }
}

void Ledger::on_frame_sent(const Frame& frame) {
  if (frame.header.kind >= Kind::kOpen && frame.header.kind <= Kind::kEnd) {
    FlowState& flow = state(frame.flow());
    if (!flow.lane) flow.lane = frame.lane;
  }
  if (frame.header.kind == Kind::kMessage) {
    FlowState& flow = state(frame.flow());
    flow.channel = frame.header.channel;
    flow.sent += frame.header.length;
    channel_of(frame.from, frame.header.channel).sent += frame.header.length;
    if (!flow.messages.empty() && frame.header.length + (frame.header.flags & wire::kFirst) > 0) {
      FlowState::Message& message = flow.messages.front();
      message.started = true;
      message.left -= std::min<std::uint64_t>(message.left, frame.header.length);
      if (message.left == 0) flow.messages.pop_front();
    }
    if ((frame.header.flags & wire::kEndStream) != 0) flow.ended = true;
  } else if (frame.header.kind == Kind::kEnd) {
    state(frame.flow()).ended = true;
  } else if (frame.header.kind == Kind::kCredit) {
    if (const auto credit = wire::Credit::decode(frame.body)) {
      FlowState& flow = state(frame.flow().reverse());
      flow.granted = std::max(flow.granted, credit->limit);
    }
  } else if (frame.header.kind == Kind::kChannelCredit) {
    if (const auto credit = wire::ChannelCredit::decode(frame.body)) {
      ChannelState& channel = channel_of(frame.from.peer(), credit->channel);
      channel.granted = std::max(channel.granted, credit->limit);
      channel.settled = std::max(channel.settled, credit->returned);
    }
  }
}

void Ledger::on_frame_arrived(const Frame& frame) {
  const bool end =
      frame.header.kind == Kind::kEnd || (frame.header.kind == Kind::kMessage && frame.flow().by_callee() &&
                                          (frame.header.flags & wire::kEndStream) != 0);
  if (end || frame.header.kind == Kind::kCancel) state(frame.flow().reverse()).dropped = true;
  if (frame.header.kind == Kind::kOpen) {
    begin(frame.flow().reverse());
  } else if (frame.header.kind == Kind::kWindow) {
    if (const auto window = wire::Window::decode(frame.body))
      totals_[frame.from.peer()].peer_window = std::max<std::uint64_t>(window->bytes, 64U << 10U);
  } else if (frame.header.kind == Kind::kMessage) {
    FlowState& flow = state(frame.flow());
    flow.arrived += frame.header.length;
    if (!flow.reader_gone) totals_[frame.from.peer()].untaken += frame.header.length;
    channel_of(frame.from, frame.header.channel).arrived += frame.header.length;
  } else if (frame.header.kind == Kind::kCredit) {
    if (const auto credit = wire::Credit::decode(frame.body)) {
      FlowState& flow = state(frame.flow().reverse());
      flow.allowed = std::max(flow.allowed, credit->limit);
    }
  } else if (frame.header.kind == Kind::kChannelCredit) {
    if (const auto credit = wire::ChannelCredit::decode(frame.body)) {
      ChannelState& channel = channel_of(frame.from.peer(), credit->channel);
      channel.allowed = std::max(channel.allowed, credit->limit);
      channel.returned = std::max(channel.returned, credit->returned);
    }
  }
}

void Ledger::on_stream_opened(EndKey at, wire::StreamId stream, CallKind kind) {
  state({at, stream}).kind = kind;
  state({at.peer(), stream}).kind = kind;
  if (stream.opened_by_acceptor() == (at.side == Side::kAcceptor)) begin({at, stream});
  ++totals_[at].open_streams;
}

void Ledger::on_stream_gone(EndKey at, wire::StreamId stream) { leave(at, stream); }

void Ledger::leave(EndKey at, wire::StreamId stream) {
  FlowState& writes = state({at, stream});
  FlowState& reads = state({at.peer(), stream});
  writes.writer_gone = true;
  if (reads.reader_gone) return;
  reads.reader_gone = true;
  EndTotals& totals = totals_[at];
  totals.open_streams -= std::min<std::size_t>(totals.open_streams, 1);
  totals.unread -= reads.unread();
  totals.untaken -= reads.arrived - std::min(reads.arrived, reads.taken);
}

void Ledger::on_queued(const Flow& flow, std::uint64_t prologue, std::uint64_t size) {
  FlowState& to = state(flow);
  const EndInfo* writer = end(flow.writer);
  const bool large = writer != nullptr && size >= writer->options->bulk_threshold;
  if (flow.by_callee() && large && to.queued == 0 && to.kind == CallKind::kUnary &&
      to.channel == Channel::kRpc)
    to.channel = Channel::kBulk;
  to.queued += prologue + size;
  to.largest = std::max(to.largest, prologue + size);
  to.messages.push_back({prologue, prologue + size, false});
}

void Ledger::on_delivered(const Flow& flow, std::uint64_t wire_bytes) {
  FlowState& to = state(flow);
  to.delivered += wire_bytes;
  if (!to.reader_gone) totals_[flow.writer.peer()].unread += wire_bytes;
}

void Ledger::on_taken(const Flow& flow, std::uint64_t wire_bytes) {
  FlowState& to = state(flow);
  to.taken += wire_bytes;
  if (to.reader_gone) return;
  EndTotals& totals = totals_[flow.writer.peer()];
  totals.unread -= wire_bytes;
  totals.untaken -= wire_bytes;
}

}  // namespace leat::sim
