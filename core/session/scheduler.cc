#include "core/session/scheduler.h"

#include <algorithm>
#include <cstring>

#include "core/wire/call_frames.h"

namespace leat::session {
namespace {

// Bytes that a channel may send before the next one's turn, when all of them have something to send. The
// ratio is the guaranteed share: 4 : 4 : 1 for stream, rpc and bulk. Control is served before all of them.
constexpr std::array<std::int64_t, kChannelCount> kQuantum = {0, 64 << 10, 64 << 10, 16 << 10};

// A message is cut into pieces of this size, so that what is more urgent gets its turn. Larger ones on bulk,
// where a piece that is not interleaved with anything buys nothing (figures: DESIGN, "Figures to start
// from").
constexpr std::size_t kPiece = 16U << 10U;
constexpr std::size_t kBulkPieceBeside = 64U << 10U;
constexpr std::size_t kBulkPieceAlone = 256U << 10U;

// Bodies up to here are copied behind their header; larger ones are referred to. Copying 2 KiB costs less
// than one more element of a gathering write.
constexpr std::size_t kCopyBelow = 2U << 10U;
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

}  // namespace

bool can_send(Stream& stream) noexcept {
  if (stream.queue.empty()) return false;
  const Outgoing& item = stream.queue.front();
  if (item.kind != wire::Kind::kMessage) return true;
  const std::uint64_t prologue = prologue_size(item);
  // A piece must carry at least one byte of the message, or be the whole of an empty one.
  return stream.send.available() >= prologue + (item.sent < item.size ? 1 : 0);
}

void Scheduler::add(Stream& stream) {
  if (stream.scheduled) return;
  stream.scheduled = true;
  round(stream.send_channel).streams.push_back(&stream);
}

void Scheduler::remove(Stream& stream) noexcept {
  if (stream.scheduled) std::erase(round(stream.send_channel).streams, &stream);
  std::erase(served_, &stream);
  stream.scheduled = false;
}

bool Scheduler::idle() const noexcept {
  return control_.empty() && std::ranges::all_of(rounds_, [](const Round& r) { return r.streams.empty(); });
}

Scheduler::Round* Scheduler::next_round() noexcept {
  // Each channel that has something to send gains its quantum when its turn comes and keeps the turn while it
  // has any of it left. Two laps, since the lap that begins in the middle of a turn may end on the same
  // channel.
  for (std::size_t i = 0; i < 2 * kChannelCount; ++i) {
    Round& candidate = rounds_[turn_];
    if (!candidate.streams.empty()) {
      if (fresh_turn_) candidate.deficit += kQuantum[turn_];
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
    if (!candidate.streams.empty()) return &candidate;
  }
  return nullptr;
}

std::size_t Scheduler::chunk(Channel channel) const noexcept {
  if (channel != Channel::kBulk) return kPiece;
  const bool alone = rounds_[static_cast<std::size_t>(Channel::kStream)].streams.empty() &&
                     rounds_[static_cast<std::size_t>(Channel::kRpc)].streams.empty();
  return alone ? kBulkPieceAlone : kBulkPieceBeside;
}

void Scheduler::fill(Batch& batch, std::size_t budget) {
  while (batch.bytes() < budget && batch.scratch_left() >= kFrameScratch) {
    if (!control_.empty()) {
      const Buffer frame = std::move(control_.front());
      control_.pop_front();
      put(batch, frame, frame.bytes());
      continue;
    }
    Round* turn = next_round();
    if (turn == nullptr) return;
    Stream& stream = *turn->streams.front();
    turn->streams.pop_front();
    stream.scheduled = false;
    turn->deficit -= static_cast<std::int64_t>(send_frame(stream, batch));
    if (can_send(stream)) add(stream);
    served_.push_back(&stream);
  }
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
  const std::uint64_t room =
      std::min<std::uint64_t>(chunk(stream.send_channel), stream.send.available() - prologue);
  const auto piece = static_cast<std::size_t>(std::min(item.size - item.sent, room));
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
  stream.send_started = true;
  stream.queued_bytes -= piece;
  item.started = true;
  item.sent += piece;
  if (last) stream.queue.pop();
  return wire::FrameHeader::kSize + prologue + piece;
}

}  // namespace leat::session
