// The commands of a session: what the application wants sent.
#include <limits>

#include "core/session/session.h"

namespace leat::session {

using wire::Kind;

namespace {

// A writer is asked to wait while this much of its stream is queued and can't go. Enough to keep a link busy
// between two turns of the writer's thread, little enough that a slow reader holds the writer back soon.
constexpr std::uint64_t kQueueHigh = 64U << 10U;

}  // namespace

Stream* Session::find(wire::StreamId id) noexcept {
  const auto at = streams_.find(id);
  return at == streams_.end() ? nullptr : at->second.get();
}

Result<wire::StreamId> Session::open(const wire::Open& open, Channel channel) {
  if (!ready()) return failure(Code::kUnavailable, "the connection is not open");
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
  const std::uint64_t sequence = next_sequence_[static_cast<std::size_t>(channel)]++;
  // Sequence 0 of the connector's control channel would be id 0, which means the session; so ids start at 1.
  const auto id = wire::StreamId::make(sequence + 1, options_.acceptor, channel);
  auto& stream =
      *streams_.emplace(id, std::make_unique<Stream>(id, true, remote_.stream_window, options_.stream_window))
           .first->second;
  ++local_streams_;
  scratch_.clear();
  open.encode(scratch_);
  enqueue(stream, Kind::kOpen, scratch_);
  return id;
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
  item.payload = std::move(payload);
  item.end_stream = end_stream;
  stream.queued_bytes += item.size;
  stream.send_ended = end_stream;
  stream.queue.push(std::move(item));
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
}

void Session::cancel(wire::StreamId id, Code code, std::string reason) {
  Stream* stream = find(id);
  if (stream == nullptr || !stream->local) return;
  if (stream->open_sent) {
    std::vector<std::byte> body;
    wire::Reason{code, std::move(reason)}.encode(body);
    control(Kind::kCancel, id, body);
  }
  remove(*stream);
}

bool Session::full(wire::StreamId id) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->queued_bytes < kQueueHigh) return false;
  stream->want_writable = true;
  return true;
}

void Session::transmit(Batch& batch, std::size_t budget, TimePoint now) {
  now_ = now;
  scheduler_.fill(batch, budget);
  std::deque<Stream*>& served = scheduler_.served();
  while (!served.empty()) {
    Stream& stream = *served.front();
    std::erase(served, &stream);
    if (stream.want_writable && stream.queued_bytes < kQueueHigh) {
      stream.want_writable = false;
      emit(Event::Kind::kWritable, &stream);
    }
    // The callee's last frame is the stream's end.
    if (!stream.local && stream.send_ended && stream.queue.empty()) remove(stream);
  }
}

void Session::remove(Stream& stream) {
  scheduler_.remove(stream);
  if (receiving_ == &stream) {
    receiving_ = nullptr;
    reader_.abandon();
  }
  std::erase(waiting_, stream.id);
  for (const auto& [end, bytes] : stream.charged) budget_.give_back(bytes);
  (stream.local ? local_streams_ : remote_streams_) -= 1;
  const bool freed = !stream.charged.empty();
  streams_.erase(stream.id);
  if (freed) try_admit();
}

}  // namespace leat::session
