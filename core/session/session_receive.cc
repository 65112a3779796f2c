// Frames of streams as they arrive.
#include <algorithm>

#include "core/base/canary.h"
#include "core/session/session.h"

namespace leat::session {

using wire::Kind;

namespace {

// Streams of large messages get a window that holds two of them, so that the writer need not wait for the
// reader between any two; up to here, which keeps unread bytes small.
constexpr std::uint64_t kLargestFit = 4U << 20U;

}  // namespace

Status Session::too_much_metadata(std::string_view which, const Metadata& metadata) const {
  return {Code::kResourceExhausted, std::string(which) + " of " + std::to_string(metadata.byte_size()) +
                                        " bytes is over max_metadata_bytes (" +
                                        std::to_string(options_.max_metadata) +
                                        ") of the side that receives it"};
}

bool Session::on_open(const wire::FrameHeader& header, Bytes body) {
  const wire::StreamId id = header.stream;
  if (id.opened_by_acceptor() == options_.acceptor)
    return violation("a stream opened with an id of this side");
  if (!remote_ids_.open(id, lane())) return violation("a stream opened twice, or out of order");
  std::optional<wire::Open> open = wire::Open::decode(body);
  if (!open) return violation("an open frame that can't be read");
  Early known;
  if (!early_.empty()) {
    const auto at = early_.find(id);
    if (at != early_.end()) {
      known = at->second;
      early_.erase(at);
    }
  }
  if (known.cancelled) return true;  // what still comes of it is late

  if (drain_.announced && id.sequence() > drain_.served[static_cast<std::size_t>(id.channel())]) {
    refuse_open(id, Code::kUnavailable, "the server is draining and takes no more calls");
    return true;
  }
  if (remote_streams_ >= options_.max_streams) {
    refuse_open(
        id, Code::kResourceExhausted,
        "max_streams (" + std::to_string(options_.max_streams) + ") calls are open on this connection");
    return true;
  }
  if (open->metadata.byte_size() > options_.max_metadata) {
    refuse_open(id, Code::kResourceExhausted, too_much_metadata("metadata", open->metadata).message());
    return true;
  }
  if (too_many_windows(false, open->kind)) {
    refuse_open(id, Code::kResourceExhausted, windows_taken());
    return true;
  }
  Stream& stream = add_stream(id, false, open->kind);
  stream.send.raise(known.credit);
  emit(Event::Kind::kOpened, &stream).open = std::move(*open);
  return true;
}

void Session::refuse_open(wire::StreamId id, Code code, std::string why) {
  // Nothing is kept of it: what still comes for the stream is late. The answer stands with the control
  // frames, which are bounded, since a peer may open streams faster than it reads.
  Status status(code, std::move(why));
  status.mark_not_started();
  std::vector<std::byte> body;
  wire::End{std::move(status), {}}.encode(body);
  answer(Kind::kEnd, id, body);
}

void Session::refuse(Stream& stream, std::string why) {
  stream.refused = true;
  if (stream.queue.empty() || !stream.queue.front().started) {
    stream.queue.clear();
    stream.queued_bytes = 0;
  }
  stream.send_ended = false;
  end(stream.id, {Code::kResourceExhausted, std::move(why)}, {});
}

bool Session::on_credit(wire::StreamId id, Bytes body) {
  const std::optional<wire::Credit> credit = wire::Credit::decode(body);
  if (!credit) return violation("a credit frame that can't be read");
  Stream* stream = find(id);
  if (stream == nullptr) {
    Early* kept = early(id, Kind::kCredit);
    if (kept == nullptr) return !closed() && count_useless();
    kept->credit = std::max(kept->credit, credit->limit);
    return true;
  }
  if (!stream->send.raise(credit->limit)) return count_useless();
  if (can_send(*stream)) scheduler_.add(*stream);
  return true;
}

bool Session::on_headers(wire::StreamId id, Bytes body) {
  std::optional<wire::Headers> headers = wire::Headers::decode(body);
  if (!headers) return violation("a headers frame that can't be read");
  Stream* stream = find(id);
  if (stream == nullptr) return late(id, Kind::kHeaders);
  if (!stream->local || stream->headers_seen) return violation("headers sent twice, or by the caller");
  stream->headers_seen = true;
  if (headers->metadata.byte_size() > options_.max_metadata) {
    end_receiving(*stream, too_much_metadata("initial metadata", headers->metadata));
    return true;
  }
  emit(Event::Kind::kHeaders, stream).metadata = std::move(headers->metadata);
  return true;
}

bool Session::on_end(wire::StreamId id, Bytes body) {
  std::optional<wire::End> end = wire::End::decode(body);
  if (!end) return violation("an end frame that can't be read");
  Stream* stream = find(id);
  if (stream == nullptr) return late(id, Kind::kEnd);
  if (!stream->local) return violation("an end frame from the caller");
  if (stream->assembly) return violation("a stream ended in the middle of a message");
  Event& event = emit(Event::Kind::kEnded, stream);
  if (end->trailing.byte_size() > options_.max_metadata) {
    event.status = too_much_metadata("trailing metadata", end->trailing);
    event.status.with_context("the call ended as " + std::string(code_name(end->status.code())));
  } else {
    event.status = std::move(end->status);
    event.metadata = std::move(end->trailing);
    if (canary::has(canary::Bug::kEndTwice)) emit(Event::Kind::kEnded, stream);
  }
  remove(*stream);
  return true;
}

bool Session::on_cancel(wire::StreamId id, Bytes body) {
  std::optional<wire::Reason> reason = wire::Reason::decode(body);
  if (!reason) return violation("a cancel frame that can't be read");
  if (reason->code == Code::kOk) reason->code = Code::kCancelled;
  Stream* stream = find(id);
  if (stream == nullptr) {
    Early* kept = early(id, Kind::kCancel);
    if (kept == nullptr) return !closed() && count_useless();
    kept->cancelled = true;
    return count_cancel();
  }
  if (stream->local) return violation("a cancel frame from the callee");
  // A callee that has said its last word has nothing more to hear.
  if (!stream->refused) {
    emit(Event::Kind::kCancelled, stream).status = Status(reason->code, std::move(reason->message));
  }
  remove(*stream);
  return count_cancel();
}

FrameSink::Body Session::on_message_header(const wire::FrameHeader& header) {
  // Smaller pieces come from honest writers only where their credit ends.
  constexpr std::uint32_t kTinyPiece = 64;
  if (header.length < kTinyPiece && (header.flags & wire::kLast) == 0) {
    const bool goes_on =
        header.length > 0 ? count_useless() : violation("a piece of a message without a byte");
    if (!goes_on) return Body::kStop;
  }
  Stream* stream = find(header.stream);
  const bool uncounted = canary::has(canary::Bug::kLeakChannelCredit) && stream == nullptr;
  if (!uncounted && !count_message(header)) return Body::kStop;
  if (stream == nullptr && !late(header.stream, header.kind)) return Body::kStop;
  if (stream == nullptr || stream->refused) return Body::kDrop;  // the stream has ended here
  const bool first = (header.flags & wire::kFirst) != 0;
  const bool half_close =
      !first && !stream->assembly && (header.flags & wire::kEndStream) != 0 && header.length == 0;
  std::string wrong;
  if (stream->receive_ended) {
    wrong = "a message after the end of its stream";
  } else if (!half_close && first == stream->assembly.has_value()) {
    wrong = first ? "a message that begins inside another" : "a piece of no message";
  } else if (!stream->receive.receive(header.length)) {
    wrong = "a stream written beyond its credit";
  }
  if (!wrong.empty()) {
    violation(wrong);
    return Body::kStop;
  }
  measure_bandwidth(*stream, header.length);
  in_->receiving = stream;
  in_->in_prologue = first;
  in_->prologue_bytes.clear();
  if (first) stream->message_wire_bytes = 0;
  stream->message_wire_bytes += header.length;
  return Body::kPieces;
}

bool Session::on_piece(const wire::FrameHeader& header, Bytes bytes, bool done) {
  Stream& stream = *in_->receiving;
  if (in_->in_prologue) {
    // Nearly always the whole prologue is here at once and is read in place.
    if (in_->prologue_bytes.empty() && (done || bytes.size() >= wire::Prologue::kFixedSize)) {
      if (wire::Prologue::decode(bytes)) return begin_message(stream, header, bytes, done);
      if (done) return violation("a message with a prologue that can't be read");
    }
    in_->prologue_bytes.insert(in_->prologue_bytes.end(), bytes.begin(), bytes.end());
    if (!wire::Prologue::decode(in_->prologue_bytes)) {
      if (done) return violation("a message with a prologue that can't be read");
      return true;
    }
    const std::vector<std::byte> whole = std::move(in_->prologue_bytes);
    in_->prologue_bytes.clear();
    return begin_message(stream, header, whole, done);
  }
  if (!stream.assembly) {  // a half-close of its own
    stream.receive_ended = true;
    in_->receiving = nullptr;
    if (stream.local) return violation("a half-close from the callee");
    emit(Event::Kind::kHalfClosed, &stream);
    return true;
  }
  if (bytes.size() > stream.assembly->size() - stream.assembly->received()) {
    return violation("a message longer than it announced");
  }
  stream.assembly->append(bytes);
  return message_bytes(header, done);
}

bool Session::begin_message(Stream& stream, const wire::FrameHeader& header, Bytes rest, bool done) {
  in_->in_prologue = false;
  wire::Prologue prologue = *wire::Prologue::decode(rest);
  rest = rest.subspan(prologue.encoded_size());
  const std::uint64_t size = prologue.message_size();
  const bool last = (header.flags & wire::kLast) != 0;
  if (rest.size() > size) return violation("a message longer than it announced");
  if (last && header.length != prologue.encoded_size() + size)
    return violation("a message shorter than it announced");

  std::optional<std::string> impossible = admission(stream).impossible(size);
  if (size > options_.max_message) {
    impossible = "a message of " + std::to_string(size) + " bytes is over max_message_bytes (" +
                 std::to_string(options_.max_message) + ") of the side that receives it";
  }
  if (impossible) {
    end_receiving(stream, {Code::kResourceExhausted, std::move(*impossible)});
    return true;
  }

  if (done && last) {
    in_->receiving = nullptr;
    deliver(stream, assemble_whole(prologue, rest, options_.allocate),
            (header.flags & wire::kEndStream) != 0);
    return true;
  }
  const std::uint64_t end = stream.receive.received() - header.length + prologue.encoded_size() + size;
  stream.assembly.emplace(std::move(prologue));
  stream.charged.emplace_back(end, 0);
  grow_window(stream, std::min(2 * size, kLargestFit));
  stream.assembly->append(rest);
  admission(stream).join(stream.id);
  try_admit(admission(stream));
  return message_bytes(header, done);
}

std::span<std::byte> Session::destination() {
  if (in_->receiving == nullptr || in_->in_prologue || !in_->receiving->assembly) return {};
  return in_->receiving->assembly->destination();
}

bool Session::on_direct(const wire::FrameHeader& header, std::size_t size, bool done) {
  in_->receiving->assembly->wrote(size);
  return message_bytes(header, done);
}

bool Session::message_bytes(const wire::FrameHeader& header, bool done) {
  Stream& stream = *in_->receiving;
  Assembly& assembly = *stream.assembly;
  stream.progress = now_;
  if (!done) return true;
  in_->receiving = nullptr;
  const bool last = (header.flags & wire::kLast) != 0;
  if (last != assembly.complete()) {
    return violation(last ? "a message shorter than it announced" : "a message longer than it announced");
  }
  if (!last) return true;
  if (!assembly.admitted()) {
    // It fitted into the window and ended before its turn: there is nothing left to wait for.
    admission(stream).leave(stream.id);
    assembly.admit(options_.allocate);
    try_admit(admission(stream));
  }
  Payload payload = assembly.take();
  stream.assembly.reset();
  deliver(stream, std::move(payload), (header.flags & wire::kEndStream) != 0);
  return true;
}

void Session::deliver(Stream& stream, Payload payload, bool last) {
  if (canary::has(canary::Bug::kDropItem) && stream.receive.received() % 16 == 1 && !last) return;
  Event& event = emit(Event::Kind::kMessage, &stream);
  event.payload = std::move(payload);
  event.wire_bytes = stream.message_wire_bytes;
  event.last = last;
  stream.receive_ended = last;
  if (last && stream.local) {
    // The callee's last message says that all went well.
    emit(Event::Kind::kEnded, &stream);
    remove(stream);
  }
}

void Session::consumed(wire::StreamId id, std::uint64_t wire_bytes) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->consumed += wire_bytes;
  give_back(*stream, stream->consumed);
  grow_window(*stream, bandwidth_.window());
  const auto limit = stream->receive.consume(wire_bytes);
  if (!stream->receive_ended) grant(*stream, limit);
}

void Session::grant(Stream& stream, std::optional<std::uint64_t> limit) {
  if (!limit) return;
  std::vector<std::byte> body;
  wire::Credit{*limit}.encode(body);
  control(Kind::kCredit, stream.id, body);
}

}  // namespace leat::session
