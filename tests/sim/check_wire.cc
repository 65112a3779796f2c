#include "tests/sim/check_wire.h"

#include <algorithm>

namespace leat::sim {
namespace {

using std::chrono::seconds;
using wire::Kind;

// The message that waits longest may be kept from moving, by other things than the link and the budget, only
// for as long as the threads at both ends take to come round.
constexpr Duration kLongestIdle = seconds(1);

// Bulk beside calls comes in pieces of 64 KiB and has a quantum of 16 KiB, so it may have to wait for five
// turns of both others, of 64 KiB each and overdrawn by a piece and a prologue.
constexpr std::uint64_t kLongestWait = 1U << 20U;

// core/session/channel_credit.h
constexpr std::uint64_t kLargestStep = 256U << 10U;

}  // namespace

// ---- CreditKept

void CreditKept::on_frame_sent(const Frame& frame) {
  if (frame.header.kind != Kind::kMessage) return;
  const FlowState* flow = bench().ledger.find(frame.flow());
  if (flow != nullptr && flow->sent > flow->allowed)
    fail("{}: written to {} with credit to {}", to_text(frame.flow()), flow->sent, flow->allowed);
  const ChannelState& channel = bench().ledger.channel(frame.from, frame.header.channel);
  if (channel.sent > channel.allowed)
    fail("{}: channel {} written to {} with credit to {}", to_text(frame.from),
         channel_name(frame.header.channel), channel.sent, channel.allowed);
}

void CreditKept::on_call_ended(const CallPlan& plan, const Status& status) {
  if (plan.probe && !status.ok())
    fail("call {}, which needs a whole window and budget, ended as {}", plan.number, status.to_string());
}

void CreditKept::on_idle() {
  for (const auto& [end, info] : bench().ledger.ends()) {
    for (std::size_t i = 0; i < kChannelCount; ++i) {
      const auto name = channel_name(static_cast<Channel>(i));
      const ChannelState& channel = bench().ledger.channel(end, static_cast<Channel>(i));
      if (channel.sent != channel.arrived || channel.granted != channel.allowed ||
          channel.settled != channel.returned)
        fail("{}, channel {}: sent to {} and arrived to {}; granted to {} and allowed to {}", to_text(end),
             name, channel.sent, channel.arrived, channel.granted, channel.allowed);
      // Windows grow and never shrink. What the reader may keep back before it tells, so that small messages
      // cost no credit frame each, goes by the window as it is.
      const std::uint64_t window = channel.granted - channel.settled;
      const std::uint64_t kept = std::min<std::uint64_t>(kLargestStep, window / 16);
      if (window < channel.window || channel.sent - channel.settled >= kept)
        fail("{}, channel {}: of a window of {} bytes, {} are left and nothing is under way", to_text(end),
             name, channel.window, channel.allowed - channel.sent);
    }
  }
  for (const CallPlan& plan : bench().plan.calls) {
    if (plan.probe && !bench().ended.contains(plan.number))
      fail("call {}, which needs a whole window and budget, does not get them", plan.number);
  }
}

// ---- OldestFinishes

void OldestFinishes::on_frame_sent(const Frame& frame) {
  // What the callee was still being told does not matter once it has ended the stream.
  const FlowState* answers = bench().ledger.find(frame.flow());
  if (answers == nullptr || !frame.flow().by_callee() || !answers->ended) return;
  if (const auto incoming = ends_.find(frame.from); incoming != ends_.end())
    incoming->second.messages.erase(frame.header.stream);
}

void OldestFinishes::on_frame_arrived(const Frame& frame) {
  if (frame.header.kind != Kind::kMessage && frame.header.kind != Kind::kEnd) return;
  Incoming& incoming = ends_[frame.from.peer()];
  const bool last = (frame.header.flags & wire::kLast) != 0 || frame.header.kind == Kind::kEnd;
  if (last) {
    incoming.messages.erase(frame.header.stream);
  } else if ((frame.header.flags & wire::kFirst) != 0) {
    const auto prologue = wire::Prologue::decode(frame.body);
    const FlowState* flow = bench().ledger.find(frame.flow());
    const FlowState* answers = bench().ledger.find(frame.flow().reverse());
    if (!prologue || flow == nullptr || answers == nullptr) return;
    // Nobody waits for it any more, at one end or the other.
    if (flow->reader_gone || flow->writer_gone || flow->dropped) return;
    if (answers->ended && frame.flow().reverse().by_callee()) return;
    incoming.messages[frame.header.stream] = {next_order_++, prologue->message_size(), {}};
  } else if (const auto at = incoming.messages.find(frame.header.stream); at != incoming.messages.end()) {
    at->second.idle = {};
  }
}

void OldestFinishes::on_stream_gone(EndKey at, wire::StreamId stream) {
  // Whichever end is done with it: the rest of the message does not matter or does not come any more.
  for (const EndKey end : {at, at.peer()}) {
    if (const auto incoming = ends_.find(end); incoming != ends_.end())
      incoming->second.messages.erase(stream);
  }
}

std::uint64_t OldestFinishes::held_by(std::uint32_t node) const {
  std::uint64_t bytes = 0;
  for (const auto& [end, info] : bench().ledger.ends()) {
    if (info.node != node) continue;
    bytes += bench().ledger.unread(end);
    if (const auto incoming = ends_.find(end); incoming != ends_.end()) {
      for (const auto& [stream, message] : incoming->second.messages) bytes += message.size;
    }
  }
  return bytes;
}

void OldestFinishes::on_tick() {
  for (auto& [end, incoming] : ends_) {
    const TimePoint since = std::exchange(incoming.seen, now());
    const EndInfo* info = bench().ledger.end(end);
    if (incoming.messages.empty() || info == nullptr || since == TimePoint()) continue;
    const auto oldest =
        std::ranges::min_element(incoming.messages, {}, [](const auto& m) { return m.second.order; });
    Message& message = oldest->second;
    const bool fits = bench().ledger.unread(end) + message.size <= info->options->assembly_bytes &&
                      held_by(info->node) <= bench().plan.process_budget;
    // As long as anything is under way, on whichever lane and in whichever direction, it may be what this one
    // waits for.
    const bool quiet = std::ranges::all_of(*info->links, [](const auto& link) {
      return !link || (link->under_way(Side::kConnector) == 0 && link->under_way(Side::kAcceptor) == 0);
    });
    if (fits && quiet) message.idle += now() - since;
    if (message.idle > kLongestIdle) {
      fail("{}: a message of {} bytes, the oldest of {} under way to that end, does not go on",
           to_text({end, oldest->first}), message.size, incoming.messages.size());
    }
  }
}

// ---- NoChannelStarves

void NoChannelStarves::refresh(const Flow& flow) {
  const FlowState* state = bench().ledger.find(flow);
  if (state == nullptr) return;
  auto& channels = ends_[flow.writer];
  for (std::size_t i = 0; i < kChannelCount; ++i) {
    if (i != static_cast<std::size_t>(state->channel)) channels[i].streams.erase(flow.stream);
  }
  Waiting& waiting = channels[static_cast<std::size_t>(state->channel)];
  const auto needs = state->needs();
  // Bulk that has not begun may wait for the second lane, where there is no other channel.
  const EndInfo* end = bench().ledger.end(flow.writer);
  const bool two_lanes = end != nullptr && end->options->second_lane && end->peer_options->second_lane;
  const bool here =
      state->lane ? *state->lane == Lane::kMain : state->channel != Channel::kBulk || !two_lanes;
  if (here && needs && state->sent + *needs <= state->allowed) {
    waiting.streams.insert(flow.stream);
  } else {
    waiting.streams.erase(flow.stream);
  }
}

bool NoChannelStarves::ready(EndKey sender, Channel channel, const Waiting& waiting) const {
  const ChannelState& state = bench().ledger.channel(sender, channel);
  const EndInfo* end = bench().ledger.end(sender);
  if (end == nullptr || waiting.streams.empty()) return false;
  // Bulk yields to calls by keeping less in flight.
  if (channel == Channel::kBulk &&
      state.sent - state.returned >= end->options->scheduler.bulk_in_flight_beside)
    return false;
  return std::ranges::any_of(waiting.streams, [&](wire::StreamId stream) {
    const FlowState* flow = bench().ledger.find({sender, stream});
    const auto needs = flow == nullptr ? std::nullopt : flow->needs();
    return needs && state.sent + *needs <= state.allowed;
  });
}

void NoChannelStarves::on_frame_sent(const Frame& frame) {
  if (frame.header.stream.value == 0 || frame.header.channel == Channel::kControl) return;
  refresh(frame.flow());
  if (frame.lane != Lane::kMain) return;
  auto& channels = ends_[frame.from];
  for (std::size_t i = 1; i < kChannelCount; ++i) {
    Waiting& waiting = channels[i];
    const auto channel = static_cast<Channel>(i);
    if (channel == frame.header.channel || !ready(frame.from, channel, waiting)) {
      waiting.others = 0;
      continue;
    }
    waiting.others += frame.header.length;
    if (waiting.others > kLongestWait)
      fail("{}: channel {} (stream {:#x} and {} others) has waited for {} bytes of others",
           to_text(frame.from), channel_name(channel), waiting.streams.begin()->value,
           waiting.streams.size() - 1, waiting.others);
  }
}

void NoChannelStarves::on_frame_arrived(const Frame& frame) {
  if (frame.header.kind == Kind::kCredit) refresh(frame.flow().reverse());
}

void NoChannelStarves::on_queued(const Flow& flow, std::uint64_t /*prologue*/, std::uint64_t /*size*/) {
  refresh(flow);
}

void NoChannelStarves::on_stream_gone(EndKey at, wire::StreamId stream) { refresh({at, stream}); }

}  // namespace leat::sim
