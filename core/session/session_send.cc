// The commands of a session: what the application wants sent.
#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/canary.h"
#include "core/session/session.h"

namespace leat::session {

using wire::FrameHeader;
using wire::Kind;

namespace {

// A writer is asked to wait while this much of its stream is queued and can't go. Enough to keep a link busy
// between two turns of the writer's thread, little enough that a slow reader holds the writer back soon.
constexpr std::uint64_t kQueueHigh = 64U << 10U;

// Streams that have ended whose memory is kept for the next ones: as many as calls are usually under way.
// None where faults are looked for, which would not be seen in memory that is still there.
#ifdef NDEBUG
constexpr std::size_t kSpareStreams = 256;
#else
constexpr std::size_t kSpareStreams = 0;
#endif
constexpr std::size_t kSpareQueue = 16;

}  // namespace

Stream* Session::find(wire::StreamId id) noexcept {
  const std::unique_ptr<Stream>* const at = streams_.find(id.value);
  return at == nullptr ? nullptr : at->get();
}

Result<wire::StreamId> Session::open(const wire::OpenView& open, Channel channel) {
  Result<wire::StreamId> id = try_open(open, channel);
  if (!id) id.error().mark_not_started();
  return id;
}

Result<wire::StreamId> Session::try_open(const wire::OpenView& open, Channel channel) {
  if (!ready()) return failure(Code::kUnavailable, "the connection is not open");
  if (drain_.told) return failure(Code::kUnavailable, "the other side is draining and takes no more calls");
  if (open.service.size() > wire::kMaxNameBytes || open.method.size() > wire::kMaxNameBytes) {
    return failure(Code::kInvalidArgument,
                   "a service or method name longer than " + std::to_string(wire::kMaxNameBytes) + " bytes");
  }
  if (open.metadata.byte_size() > options_.max_metadata) {
    return failure(Code::kResourceExhausted, "metadata of " + std::to_string(open.metadata.byte_size()) +
                                                 " bytes is over max_metadata_bytes (" +
                                                 std::to_string(options_.max_metadata) + ")");
  }
  if (local_streams_ >= options_.max_streams) {
    return failure(Code::kResourceExhausted, "max_streams (" + std::to_string(options_.max_streams) +
                                                 ") calls are open on this connection");
  }
  if (too_many_windows(true, open.kind)) return failure(Code::kResourceExhausted, windows_taken());
  const std::uint64_t sequence = next_sequence_[static_cast<std::size_t>(channel)]++;
  // Sequence 0 of the connector's control channel would be id 0, which means the session; so ids start at 1.
  const auto id = wire::StreamId::make(sequence + 1, options_.acceptor, channel);
  Stream& stream = add_stream(id, true, open.kind);
  if (channel == Channel::kBulk) want_lane();
  if (!open_in_line(stream, open)) {
    scratch_.clear();
    open.encode(scratch_);
    enqueue(stream, Kind::kOpen, scratch_);
  }
  return id;
}

bool Session::open_in_line(Stream& stream, const wire::OpenView& open) {
  const std::size_t most = FrameHeader::kSize + open.most_bytes();
  ExpressLine* const line = scheduler_.line(stream, most, 0);
  if (line == nullptr) return false;
  scheduler_.join_line(stream, 0);
  stream.open_at = line->end();
  std::vector<std::byte>& out = line->bytes();
  const std::size_t from = out.size();
  out.resize(from + FrameHeader::kSize);
  open.encode(out);
  const std::size_t size = out.size() - from - FrameHeader::kSize;
  const FrameHeader header{static_cast<std::uint32_t>(size), Kind::kOpen, stream.send_channel, 0, stream.id};
  header.encode(std::span(out).subspan(from).first<FrameHeader::kSize>());
  stream.open_end = line->end();
  return true;
}

bool Session::send_in_line(Stream& stream, const Payload& payload, bool end_stream) {
  if (!payload.attachments.empty()) return false;
  const std::size_t body = wire::Prologue::kFixedSize + payload.head.size();
  ExpressLine* const line = scheduler_.line(stream, FrameHeader::kSize + body, body);
  if (line == nullptr || canary::has(canary::Bug::kSwapItems)) return false;
  scheduler_.join_line(stream, body);
  std::vector<std::byte>& out = line->bytes();
  const std::size_t from = out.size();
  out.resize(from + FrameHeader::kSize + body);
  FrameHeader header{static_cast<std::uint32_t>(body), Kind::kMessage, stream.send_channel, 0, stream.id};
  header.flags = wire::kFirst | wire::kLast;
  if (end_stream) header.flags |= wire::kEndStream;
  header.encode(std::span(out).subspan(from).first<FrameHeader::kSize>());
  wire::Prologue::encode_head(payload.codec, static_cast<std::uint32_t>(payload.head.size()),
                              out.data() + from + FrameHeader::kSize);
  std::ranges::copy(payload.head.bytes(),
                    out.data() + from + FrameHeader::kSize + wire::Prologue::kFixedSize);
  return true;
}

void Session::enqueue(Stream& stream, Kind kind, const std::vector<std::byte>& body) {
  Outgoing item;
  item.kind = kind;
  item.body = Buffer::copy(body);
  stream.queue.push(std::move(item));
  if (can_send(stream)) scheduler_.add(stream);
}

void Session::headers(wire::StreamId id, const Metadata& metadata) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->local || stream->send_ended) return;
  std::vector<std::byte> body;
  wire::Headers{metadata}.encode(body);
  enqueue(*stream, Kind::kHeaders, body);
}

Status Session::send(wire::StreamId id, Payload payload, bool end_stream) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->send_ended) return {};
  const std::uint64_t size = payload.byte_size();
  if (size > remote_.max_message) {
    return {Code::kResourceExhausted, "a message of " + std::to_string(size) +
                                          " bytes is over the other side's max_message_bytes (" +
                                          std::to_string(remote_.max_message) + ")"};
  }
  if (payload.head.size() > std::numeric_limits<std::uint32_t>::max() ||
      payload.attachments.size() > wire::kMaxAttachments) {
    return {Code::kResourceExhausted, "a message may have a head of 4 GiB and " +
                                          std::to_string(wire::kMaxAttachments) + " attachments at most"};
  }
  push_message(*stream, std::move(payload), end_stream);
  return {};
}

void Session::push_message(Stream& stream, Payload payload, bool end_stream) {
  Outgoing item;
  item.size = payload.byte_size();
  if (!stream.message_queued) choose_channel(stream, item.size, end_stream);
  if (send_in_line(stream, payload, end_stream)) {
    stream.send_ended = end_stream;
    // The callee's last frame is the stream's end.
    if (end_stream && !stream.local) remove(stream);
    return;
  }
  item.payload = std::move(payload);
  item.end_stream = end_stream;
  stream.queued_bytes += item.size;
  stream.send_ended = end_stream;
  Outgoing& last = stream.queue.push(std::move(item));
  if (canary::has(canary::Bug::kSwapItems) && last.size % 16 == 1) {
    Outgoing& first = stream.queue.front();
    if (!first.started && first.kind == Kind::kMessage && !end_stream) std::swap(first, last);
  }
  if (can_send(stream)) scheduler_.add(stream);
  if (end_stream && !stream.local) stop_receiving(stream);
}

/// The callee's first message picks the channel of its direction: a large answer to a unary call moves to
/// bulk, and so does one that is all there is of a server stream.
void Session::choose_channel(Stream& stream, std::uint64_t first_message, bool only) {
  stream.message_queued = true;
  if (stream.local || stream.send_channel == Channel::kBulk) return;
  const bool unary = stream.kind == CallKind::kUnary && stream.send_channel == Channel::kRpc;
  const bool like_unary =
      stream.kind == CallKind::kServerStream && only && stream.send_channel == Channel::kStream;
  if (!unary && !like_unary) return;
  if (first_message < options_.bulk_threshold) return;
  scheduler_.remove(stream);
  stream.send_channel = Channel::kBulk;
  want_lane();
  if (can_send(stream)) scheduler_.add(stream);
}

void Session::half_close(wire::StreamId id) {
  Stream* stream = find(id);
  if (stream == nullptr || !stream->local || stream->send_ended) return;
  Outgoing item;
  item.end_stream = true;
  item.half_close_only = true;
  stream->send_ended = true;
  stream->queue.push(std::move(item));
  if (can_send(*stream)) scheduler_.add(*stream);
}

void Session::end(wire::StreamId id, const Status& status, const Metadata& trailing) {
  // The mark may be of a call that the handler made itself; the handler has run.
  if (status.not_started()) {
    finish(id, Status(status).mark_not_started(false), trailing);
  } else {
    finish(id, status, trailing);
  }
}

void Session::reject(wire::StreamId id, Status status) { finish(id, status.mark_not_started(), {}); }

void Session::finish(wire::StreamId id, const Status& status, const Metadata& trailing) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->local || stream->send_ended) return;
  stream->send_ended = true;
  std::vector<std::byte> body;
  wire::End{status, trailing}.encode(body);
  if (body.size() > wire::kMaxFrameBody) {
    body.clear();
    wire::End{{Code::kInternal, "the call's final status and trailing metadata are over 1 MiB"}, {}}.encode(
        body);
  }
  enqueue(*stream, Kind::kEnd, body);
  stop_receiving(*stream);
}

void Session::stop_receiving(Stream& stream) {
  if (stream.refused) return;
  stream.refused = true;
  stream.want_writable = false;
  stop_reading(stream);
  give_up_admission(stream);
  try_admit(admission(stream));
}

void Session::cancel(wire::StreamId id, Code code, std::string reason) {
  Stream* stream = find(id);
  if (stream == nullptr || !stream->local) return;
  if (scheduler_.open_sent(*stream)) {
    scratch_.clear();
    wire::Reason{code, std::move(reason)}.encode(scratch_);
    control(Kind::kCancel, id, scratch_);
  } else if (stream->open_end != 0 && !scheduler_.withdraw(*stream)) {
    // A control frame would overtake it.
    scratch_.clear();
    wire::Reason{code, std::move(reason)}.encode(scratch_);
    const Buffer frame = control_frame(Kind::kCancel, id, scratch_);
    std::vector<std::byte>& line = scheduler_.line_of(*stream).bytes();
    line.insert(line.end(), frame.bytes().begin(), frame.bytes().end());
  }
  remove(*stream);
}

void Session::expire(wire::StreamId id, const Status& status) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  emit(stream->local ? Event::Kind::kEnded : Event::Kind::kCancelled, stream).status = status;
  if (stream->local) {
    cancel(id, status.code(), status.message());
  } else {
    finish(id, status, {});
  }
}

bool Session::full(wire::StreamId id) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->queued_bytes < kQueueHigh) return false;
  if (canary::has(canary::Bug::kNeverFull)) return false;
  stream->want_writable = true;
  return true;
}

void Session::transmit(Lane lane, Batch& batch, std::size_t budget, TimePoint now) {
  now_ = now;
  scheduler_.fill(lane, batch, budget, now);
  // Control frames go in order: none left, and the ping is out.
  if (lane == Lane::kMain && heartbeat_.held() && !scheduler_.has_control()) heartbeat_.given(now);
  std::vector<Stream*>& served = scheduler_.served();
  for (Stream* stream : served) {
    stream->served = false;
    if (stream->want_writable && stream->queued_bytes < kQueueHigh) {
      stream->want_writable = false;
      emit(Event::Kind::kWritable, stream);
    }
    // The callee's last frame is the stream's end.
    if (!stream->local && stream->send_ended && stream->queue.empty()) remove(*stream);
  }
  served.clear();
  if (drain_.announced) continue_drain();
}

void Session::stop_reading(Stream& stream) noexcept {
  for (Inbound& in : inbound_) {
    if (in.receiving != &stream) continue;
    in.receiving = nullptr;
    in.reader.abandon();
  }
}

void Session::remove(Stream& stream) {
  scheduler_.remove(stream);
  if (canary::has(canary::Bug::kKeepStream) && stream.id.sequence() % 16 == 3) return;
  stop_reading(stream);
  give_up_admission(stream);
  (stream.local ? local_streams_ : remote_streams_) -= 1;
  if (stream.window_taken > 0) {
    windows_.give_back(stream.window_taken);
    tell_window();
  }
  Admission& line = admission(stream);
  std::unique_ptr<Stream> gone = streams_.extract(stream.id.value);
  if (spare_streams_.size() < kSpareStreams && stream.queue.capacity() <= kSpareQueue) {
    // Nothing of what it still held stays.
    stream.queue.clear();
    stream.assembly.reset();
    stream.charged = {};
    spare_streams_.push_back(std::move(gone));
  }
  try_admit(line);
  if (drain_.announced || drain_.told) continue_drain();
}

}  // namespace leat::session
