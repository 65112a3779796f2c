#include "core/session/scheduler.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/canary.h"
#include "core/wire/call_frames.h"

namespace leat::session {
namespace {

// Bodies up to here are copied behind their header; larger ones are referred to. Copying 2 KiB costs less
// than one more element of a gathering write.
constexpr std::size_t kCopyBelow = 2U << 10U;
// A frame holds one piece and, at most, the largest prologue.
constexpr std::uint32_t kSmallestPiece = 1024;
constexpr std::uint32_t kLargestPiece = 512U << 10U;
constexpr std::size_t kFrameScratch = wire::FrameHeader::kSize + kCopyBelow;

void put(Batch& batch, const Buffer& owner, Bytes bytes) {
  if (bytes.size() <= kCopyBelow && bytes.size() <= batch.scratch_left()) {
    if (!bytes.empty()) std::memcpy(batch.copy_space(bytes.size()).data(), bytes.data(), bytes.size());
  } else {
    batch.refer(owner, bytes);
  }
}

void put_header(Batch& batch, const wire::FrameHeader& header) {
  header.encode(batch.copy_space(wire::FrameHeader::kSize).first<wire::FrameHeader::kSize>());
}

/// Puts [from, from + size) of the message's bytes, which lie in its head and attachments one after another.
void put_range(Batch& batch, const Payload& payload, std::uint64_t from, std::size_t size) {
  std::uint64_t start = 0;
  for (std::size_t part = 0; size > 0; ++part) {
    const Buffer& buffer = part == 0 ? payload.head : payload.attachments[part - 1];
    const std::uint64_t end = start + buffer.size();
    if (from < end) {
      const auto offset = static_cast<std::size_t>(from - start);
      const std::size_t piece = std::min(size, buffer.size() - offset);
      put(batch, buffer, buffer.bytes().subspan(offset, piece));
      from += piece;
      size -= piece;
    }
    start = end;
  }
}

std::size_t prologue_size(const Outgoing& item) noexcept {
  if (item.started || item.half_close_only) return 0;
  return wire::Prologue::kFixedSize + 8 * item.payload.attachments.size();
}

/// Credit without which the next frame can't go: a piece must carry at least one byte of the message, or be
/// the whole of an empty one.
std::uint64_t least_credit(const Outgoing& item) noexcept {
  if (item.kind != wire::Kind::kMessage) return 0;
  return prologue_size(item) + (item.sent < item.size ? 1 : 0);
}

}  // namespace

bool can_send(Stream& stream) noexcept {
  return !stream.queue.empty() && stream.send.available() >= least_credit(stream.queue.front());
}

Scheduler::Scheduler(const SchedulerOptions& options)
    : options_(options), control_left_(options.control_quantum), piece_(options.largest_piece) {
  const auto at_least_one = [](std::uint32_t value) { return std::max<std::int64_t>(value, 1); };
  quantum_ = {0, at_least_one(options.stream_quantum), at_least_one(options.rpc_quantum),
              at_least_one(options.bulk_quantum)};
  for (std::uint32_t* piece : {&options_.least_piece, &options_.largest_piece, &options_.bulk_piece_alone,
                               &options_.bulk_piece_beside}) {
    *piece = std::clamp(*piece, kSmallestPiece, kLargestPiece);
  }
  options_.largest_piece = std::max(options_.least_piece, options_.largest_piece);
  options_.bulk_in_flight_beside =
      std::max<std::uint32_t>(options_.bulk_in_flight_beside, ChannelReceive::kLargestStep);
  options_.control_quantum = std::max(options_.control_quantum, 1U);
}

void Scheduler::add(Stream& stream) {
  if (stream.scheduled) return;
  stream.scheduled = true;
  if (!stream.lane_taken) {
    if (hold_bulk_ && stream.send_channel == Channel::kBulk) {
      held_.push_back(&stream);
      return;
    }
    stream.send_lane = bulk_lane_ && stream.send_channel == Channel::kBulk ? Lane::kBulk : Lane::kMain;
  }
  push(stream);
}

ExpressLine* Scheduler::line(const Stream& stream, std::size_t frames, std::uint64_t body) noexcept {
  if (stream.send_channel != Channel::kRpc && stream.send_channel != Channel::kStream) return nullptr;
  Round& at = rounds_[index(stream.send_channel)];
  if (frames > kFrameScratch || !at.line.has_room(frames)) return nullptr;
  if (!stream.queue.empty() || !at.streams.empty() || !at.waiting.empty()) return nullptr;
  if (body > stream.send.available() || body > room(stream.send_channel)) return nullptr;
  return &at.line;
}

void Scheduler::join_line(Stream& stream, std::uint64_t body) noexcept {
  ExpressLine& at = line_of(stream);
  if (at.empty()) ++ready_;
  stream.lane_taken = true;
  stream.send.use(body);
  credit_[index(stream.send_channel)].use(body);
}

bool Scheduler::open_sent(const Stream& stream) const noexcept {
  if (stream.open_end == 0) return stream.open_sent;
  return rounds_[index(stream.send_channel)].line.taken() >= stream.open_end;
}

bool Scheduler::withdraw(const Stream& stream) noexcept {
  ExpressLine& at = line_of(stream);
  if (stream.open_end == 0 || at.end() != stream.open_end || open_sent(stream)) return false;
  at.cut(stream.open_at);
  if (at.empty()) --ready_;
  return true;
}

void Scheduler::drop_lines() noexcept {
  for (Round& round : rounds_) {
    if (round.line.empty()) continue;
    round.line.clear();
    --ready_;
  }
}

void Scheduler::push(Stream& stream) {
  Round& at = round(stream);
  at.streams.push_back(&stream);
  if (&at != &rounds_[kBulkLaneRound]) ++ready_;
}

void Scheduler::remove(Stream& stream) noexcept {
  if (!stream.scheduled) return;
  stream.scheduled = false;
  if (std::erase(held_, &stream) > 0) return;
  Round& at = round(stream);
  const bool ready = std::erase(at.streams, &stream) > 0;
  if (!ready) std::erase(at.waiting, &stream);
  if (&at != &rounds_[kBulkLaneRound]) --(ready ? ready_ : waiting_);
}

void Scheduler::release_bulk() {
  hold_bulk_ = false;
  for (Stream* stream : std::exchange(held_, {})) {
    stream->scheduled = false;
    add(*stream);
  }
}

bool Scheduler::calls_active(TimePoint now) const noexcept {
  return now < active_until_ || rounds_[index(Channel::kStream)].ready() > 0 ||
         rounds_[index(Channel::kRpc)].ready() > 0;
}

std::uint64_t Scheduler::room(Channel channel) const noexcept {
  const ChannelSend& credit = credit_[index(channel)];
  // To be a piece above the bound is no matter; to be held back by it until the next return is.
  if (channel == Channel::kBulk && active_ && credit.in_flight() >= options_.bulk_in_flight_beside) return 0;
  if (canary::has(canary::Bug::kIgnoreChannelCredit)) return 1U << 30U;
  return credit.room();
}

bool Scheduler::passes(Stream& stream) const noexcept {
  return room(stream.send_channel) >= least_credit(stream.queue.front());
}

bool Scheduler::may_send(const Round& round) const noexcept {
  return round.ready() > 0 || (!round.waiting.empty() && passes(*round.waiting.front()));
}

bool Scheduler::others_wait(const Round* besides) const noexcept {
  if (ready_ > (besides == nullptr ? 0 : besides->ready())) return true;
  if (waiting_ == 0) return false;
  return std::any_of(rounds_.begin(), rounds_.begin() + kChannelCount,
                     [this, besides](const Round& r) { return &r != besides && may_send(r); });
}

bool Scheduler::idle(Lane lane) const noexcept {
  if (lane == Lane::kBulk) return lane_control_.empty() && !may_send(rounds_[kBulkLaneRound]);
  return control_.empty() && !others_wait();
}

Stream* Scheduler::front(Round& round) noexcept {
  if (!round.waiting.empty() && passes(*round.waiting.front())) return round.waiting.front();
  while (!round.streams.empty()) {
    Stream* stream = round.streams.front();
    if (passes(*stream)) return stream;
    round.streams.pop_front();
    round.waiting.push_back(stream);
    if (&round != &rounds_[kBulkLaneRound]) {
      --ready_;
      ++waiting_;
    }
  }
  return nullptr;
}

Scheduler::Round* Scheduler::next_round() noexcept {
  // Each channel that has something to send gains its quantum when its turn comes and keeps the turn while it
  // has any of it left. Two laps, since the lap that begins in the middle of a turn may end on the same
  // channel.
  if (ready_ + waiting_ == 0) {
    for (Round& empty : rounds_) empty.deficit = 0;
    return nullptr;
  }
  for (std::size_t i = 0; i < 2 * kChannelCount; ++i) {
    Round& candidate = rounds_[turn_];
    const bool starved =
        canary::has(canary::Bug::kStarveBulk) && turn_ == index(Channel::kBulk) && others_wait(&candidate);
    if (has_next(candidate) && !starved) {
      if (fresh_turn_) candidate.deficit += quantum_[turn_];
      fresh_turn_ = false;
      if (candidate.deficit > 0) return &candidate;
    } else {
      candidate.deficit = 0;
    }
    turn_ = (turn_ + 1) % kChannelCount;
    fresh_turn_ = true;
  }
  // All are in debt from a frame larger than their quantum: serve the next one all the same.
  for (std::size_t i = 0; i < kChannelCount; ++i) {
    Round& candidate = rounds_[(turn_ + i) % kChannelCount];
    if (has_next(candidate)) return &candidate;
  }
  return nullptr;
}

/// Control goes first until its share is used up; from then on it gets as much as the others do, if they want
/// any.
bool Scheduler::control_turn() noexcept {
  if (control_.empty()) return false;
  if (control_left_ <= 0 && !others_wait()) control_left_ = options_.control_quantum;
  return control_left_ > 0;
}

std::size_t Scheduler::chunk(Channel channel) const noexcept {
  if (channel != Channel::kBulk) return piece_;
  return active_ ? options_.bulk_piece_beside : options_.bulk_piece_alone;
}

void Scheduler::fill(Lane lane, Batch& batch, std::size_t budget, TimePoint now) {
  now_ = now;
  active_ = calls_active(now);
  if (lane == Lane::kBulk) {
    fill_bulk(batch, budget);
    return;
  }
  const std::size_t before = batch.bytes();
  fill_main(batch, budget);
  rate_.sent(batch.bytes() - before, now, !idle(lane));
  piece_ = rate_.in(options_.piece_time, options_.least_piece, options_.largest_piece);
}

void Scheduler::fill_main(Batch& batch, std::size_t budget) {
  while (batch.bytes() < budget && batch.scratch_left() >= kFrameScratch) {
    if (control_turn()) {
      const auto [frame, answer] = std::move(control_.front());
      control_.pop_front();
      if (answer) answer_bytes_ -= frame.size();
      put(batch, frame, frame.bytes());
      control_left_ -= static_cast<std::int64_t>(frame.size());
      continue;
    }
    Round* turn = next_round();
    if (turn == nullptr) return;
    const auto size = static_cast<std::int64_t>(serve(*turn, batch));
    turn->deficit -= size;
    // What was sent while no other channel wanted the link is no debt: it would be paid to those who come
    // later.
    if (!others_wait(turn)) turn->deficit = std::max<std::int64_t>(turn->deficit, 0);
    control_left_ = std::min<std::int64_t>(control_left_ + size, options_.control_quantum);
  }
}

void Scheduler::fill_bulk(Batch& batch, std::size_t budget) {
  Round& bulk = rounds_[kBulkLaneRound];
  while (batch.bytes() < budget && batch.scratch_left() >= kFrameScratch) {
    if (!lane_control_.empty()) {
      const Buffer frame = std::move(lane_control_.front());
      lane_control_.pop_front();
      put(batch, frame, frame.bytes());
    } else if (front(bulk) != nullptr) {
      serve(bulk, batch);
    } else {
      return;
    }
  }
}

/// Sends the next frame of the round, which has one that may go, or a piece of its line.
std::size_t Scheduler::serve(Round& round, Batch& batch) {
  if (!round.line.empty()) {
    touch(static_cast<Channel>(&round - rounds_.data()), now_);
    const std::size_t size = round.line.take(batch, std::min(batch.scratch_left(), piece_));
    if (round.line.empty()) --ready_;
    return size;
  }
  Stream& stream = *front(round);
  const bool waited = !round.waiting.empty() && round.waiting.front() == &stream;
  (waited ? round.waiting : round.streams).pop_front();
  if (&round != &rounds_[kBulkLaneRound]) --(waited ? waiting_ : ready_);
  stream.scheduled = false;
  stream.lane_taken = true;
  touch(stream.send_channel, now_);
  const std::size_t size = send_frame(stream, batch);
  if (can_send(stream)) add(stream);
  if (!stream.served) {
    stream.served = true;
    served_.push_back(&stream);
  }
  return size;
}

std::size_t Scheduler::send_frame(Stream& stream, Batch& batch) {
  Outgoing& item = stream.queue.front();
  if (item.kind == wire::Kind::kMessage) return send_piece(stream, item, batch);
  put_header(batch,
             {static_cast<std::uint32_t>(item.body.size()), item.kind, stream.send_channel, 0, stream.id});
  put(batch, item.body, item.body.bytes());
  if (item.kind == wire::Kind::kOpen) stream.open_sent = true;
  const std::size_t size = wire::FrameHeader::kSize + item.body.size();
  stream.queue.pop();
  return size;
}

std::size_t Scheduler::send_piece(Stream& stream, Outgoing& item, Batch& batch) {
  const std::size_t prologue = prologue_size(item);
  ChannelSend& channel = credit_[index(stream.send_channel)];
  const std::uint64_t credit = std::min(stream.send.available(), channel.room()) - prologue;
  const auto piece = static_cast<std::size_t>(
      std::min({item.size - item.sent, credit, std::uint64_t{chunk(stream.send_channel)}}));
  const bool last = item.sent + piece == item.size;

  wire::FrameHeader header;
  header.length = static_cast<std::uint32_t>(prologue + piece);
  header.kind = wire::Kind::kMessage;
  header.channel = stream.send_channel;
  header.stream = stream.id;
  if (!item.started && !item.half_close_only) header.flags |= wire::kFirst;
  if (last) header.flags |= wire::kLast;
  if (last && item.end_stream) header.flags |= wire::kEndStream;
  put_header(batch, header);

  if (prologue > 0) {
    wire::Prologue sizes;
    sizes.codec = item.payload.codec;
    sizes.head_size = static_cast<std::uint32_t>(item.payload.head.size());
    for (const Buffer& attachment : item.payload.attachments)
      sizes.attachment_sizes.push_back(attachment.size());
    if (prologue <= batch.scratch_left()) {
      sizes.encode(batch.copy_space(prologue).data());
    } else {
      Buffer large = Buffer::allocate(prologue);
      sizes.encode(large.writable().data());
      batch.refer(large, large.bytes());
    }
  }
  put_range(batch, item.payload, item.sent, piece);

  stream.send.use(prologue + piece);
  channel.use(prologue + piece);
  stream.queued_bytes -= piece;
  item.started = true;
  item.sent += piece;
  if (last) stream.queue.pop();
  return wire::FrameHeader::kSize + prologue + piece;
}

}  // namespace leat::session
