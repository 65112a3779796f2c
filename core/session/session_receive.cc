// Frames of streams as they arrive.
#include <algorithm>

#include "core/session/session.h"

namespace leat::session {

using wire::Kind;

bool Session::on_open(const wire::FrameHeader& header, Bytes body) {
  const wire::StreamId id = header.stream;
  if (id.opened_by_acceptor() == options_.acceptor)
    return violation("a stream opened with an id of this side");
  std::uint64_t& last = last_remote_[static_cast<std::size_t>(id.channel())];
  if (id.sequence() < last) return violation("a stream opened twice, or out of order");
  last = id.sequence() + 1;
  std::optional<wire::Open> open = wire::Open::decode(body);
  if (!open) return violation("an open frame that can't be read");

  auto& stream =
      *streams_
           .emplace(id, std::make_unique<Stream>(id, false, remote_.stream_window, options_.stream_window))
           .first->second;
  ++remote_streams_;
  if (remote_streams_ > options_.max_streams) {
    refuse(stream,
           "max_streams (" + std::to_string(options_.max_streams) + ") calls are open on this connection");
    return true;
  }
  if (open->metadata.byte_size() > options_.max_metadata) {
    refuse(stream, "metadata of " + std::to_string(open->metadata.byte_size()) +
                       " bytes is over the server's max_metadata_bytes (" +
                       std::to_string(options_.max_metadata) + ")");
    return true;
  }
  emit(Event::Kind::kOpened, &stream).open = std::move(*open);
  return true;
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
  if (stream != nullptr && stream->send.raise(credit->limit) && can_send(*stream)) scheduler_.add(*stream);
  return true;
}

bool Session::on_headers(wire::StreamId id, Bytes body) {
  std::optional<wire::Headers> headers = wire::Headers::decode(body);
  if (!headers) return violation("a headers frame that can't be read");
  Stream* stream = find(id);
  if (stream == nullptr) return true;
  if (!stream->local || stream->headers_seen) return violation("headers sent twice, or by the caller");
  stream->headers_seen = true;
  emit(Event::Kind::kHeaders, stream).metadata = std::move(headers->metadata);
  return true;
}

bool Session::on_end(wire::StreamId id, Bytes body) {
  std::optional<wire::End> end = wire::End::decode(body);
  if (!end) return violation("an end frame that can't be read");
  Stream* stream = find(id);
  if (stream == nullptr) return true;
  if (!stream->local) return violation("an end frame from the caller");
  if (stream->assembly) return violation("a stream ended in the middle of a message");
  Event& event = emit(Event::Kind::kEnded, stream);
  event.status = std::move(end->status);
  event.metadata = std::move(end->trailing);
  remove(*stream);
  return true;
}

bool Session::on_cancel(wire::StreamId id, Bytes body) {
  std::optional<wire::Reason> reason = wire::Reason::decode(body);
  if (!reason) return violation("a cancel frame that can't be read");
  Stream* stream = find(id);
  if (stream == nullptr) return true;
  if (stream->local) return violation("a cancel frame from the callee");
  if (reason->code == Code::kOk) reason->code = Code::kCancelled;
  emit(Event::Kind::kCancelled, stream).status = Status(reason->code, std::move(reason->message));
  remove(*stream);
  return true;
}

FrameSink::Body Session::on_message_header(const wire::FrameHeader& header) {
  Stream* stream = find(header.stream);
  if (stream == nullptr || stream->refused) return Body::kDrop;  // late: the stream has ended here
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
  receiving_ = stream;
  in_prologue_ = first;
  prologue_bytes_.clear();
  if (first) stream->message_wire_bytes = 0;
  stream->message_wire_bytes += header.length;
  return Body::kPieces;
}

bool Session::on_piece(const wire::FrameHeader& header, Bytes bytes, bool done) {
  Stream& stream = *receiving_;
  if (in_prologue_) {
    // Nearly always the whole prologue is here at once and is read in place.
    if (prologue_bytes_.empty() && (done || bytes.size() >= wire::Prologue::kFixedSize)) {
      if (wire::Prologue::decode(bytes)) return begin_message(stream, header, bytes, done);
      if (done) return violation("a message with a prologue that can't be read");
    }
    prologue_bytes_.insert(prologue_bytes_.end(), bytes.begin(), bytes.end());
    if (!wire::Prologue::decode(prologue_bytes_)) {
      if (done) return violation("a message with a prologue that can't be read");
      return true;
    }
    const std::vector<std::byte> whole = std::move(prologue_bytes_);
    prologue_bytes_.clear();
    return begin_message(stream, header, whole, done);
  }
  if (!stream.assembly) {  // a half-close of its own
    stream.receive_ended = true;
    receiving_ = nullptr;
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
  in_prologue_ = false;
  wire::Prologue prologue = *wire::Prologue::decode(rest);
  rest = rest.subspan(prologue.encoded_size());
  const std::uint64_t size = prologue.message_size();
  const bool last = (header.flags & wire::kLast) != 0;
  if (rest.size() > size) return violation("a message longer than it announced");
  if (last && header.length != prologue.encoded_size() + size)
    return violation("a message shorter than it announced");

  if (size > options_.max_message || size > budget_.total()) {
    const bool message = size > options_.max_message;
    Status status(Code::kResourceExhausted,
                  "a message of " + std::to_string(size) + " bytes is over " +
                      (message ? "max_message_bytes (" + std::to_string(options_.max_message)
                               : "assembly_bytes (" + std::to_string(budget_.total())) +
                      ") of the side that receives it");
    if (stream.local) {
      emit(Event::Kind::kEnded, &stream).status = status;
      cancel(stream.id, status.code(), status.message());
    } else {
      emit(Event::Kind::kCancelled, &stream).status = status;
      receiving_ = nullptr;
      reader_.abandon();
      refuse(stream, status.message());
    }
    return true;
  }

  if (done && last) {
    receiving_ = nullptr;
    deliver(stream, assemble_whole(prologue, rest, options_.allocate),
            (header.flags & wire::kEndStream) != 0);
    return true;
  }
  const std::uint64_t end = stream.receive.received() - header.length + prologue.encoded_size() + size;
  stream.assembly.emplace(std::move(prologue));
  stream.charged.emplace_back(end, 0);
  stream.receive.fit(size);
  waiting_.push_back(stream.id);
  stream.assembly->append(rest);
  try_admit();
  return message_bytes(header, done);
}

void Session::try_admit() {
  while (!waiting_.empty()) {
    Stream* stream = find(waiting_.front());
    if (stream != nullptr && stream->assembly && !stream->assembly->admitted()) {
      const std::uint64_t size = stream->assembly->size();
      if (!budget_.fits(size)) return;
      budget_.take(size);
      stream->charged.back().second = size;
      stream->assembly->admit(options_.allocate);
      grant(*stream, stream->receive.admit(stream->charged.back().first));
    }
    waiting_.pop_front();
  }
}

std::span<std::byte> Session::destination() {
  if (receiving_ == nullptr || in_prologue_ || !receiving_->assembly) return {};
  return receiving_->assembly->destination();
}

bool Session::on_direct(const wire::FrameHeader& header, std::size_t size, bool done) {
  receiving_->assembly->wrote(size);
  return message_bytes(header, done);
}

bool Session::message_bytes(const wire::FrameHeader& header, bool done) {
  Stream& stream = *receiving_;
  Assembly& assembly = *stream.assembly;
  if (!done) return true;
  receiving_ = nullptr;
  const bool last = (header.flags & wire::kLast) != 0;
  if (last != assembly.complete()) {
    return violation(last ? "a message shorter than it announced" : "a message longer than it announced");
  }
  if (!last) return true;
  if (!assembly.admitted()) {
    // It fitted into the window and ended before its turn: there is nothing left to wait for.
    std::erase(waiting_, stream.id);
    assembly.admit(options_.allocate);
  }
  Payload payload = assembly.take();
  stream.assembly.reset();
  deliver(stream, std::move(payload), (header.flags & wire::kEndStream) != 0);
  return true;
}

void Session::deliver(Stream& stream, Payload payload, bool last) {
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
  const auto limit = stream->receive.consume(wire_bytes);
  if (!stream->receive_ended) grant(*stream, limit);
}

void Session::give_back(Stream& stream, std::uint64_t consumed) {
  bool freed = false;
  while (!stream.charged.empty() && stream.charged.front().first <= consumed) {
    budget_.give_back(stream.charged.front().second);
    stream.charged.erase(stream.charged.begin());
    freed = true;
  }
  if (freed) try_admit();
}

void Session::grant(Stream& stream, std::optional<std::uint64_t> limit) {
  if (!limit) return;
  std::vector<std::byte> body;
  wire::Credit{*limit}.encode(body);
  control(Kind::kCredit, stream.id, body);
}

}  // namespace leat::session
