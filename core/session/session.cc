// Life of a session: handshake, close, time, and the frames that concern it as a whole.
#include "core/session/session.h"

#include <algorithm>

#include "core/wire/codec.h"

namespace leat::session {

using wire::Kind;

Session::Session(Options options, TimePoint now)
    : options_(std::move(options)),
      state_(options_.acceptor ? State::kAwaitHello : State::kAwaitWelcome),
      handshake_deadline_(now + options_.handshake_timeout),
      now_(now),
      reader_(*this),
      budget_(options_.assembly_bytes) {
  options_.stream_window = std::max(options_.stream_window, 64U << 10U);
  if (!options_.acceptor) {
    std::vector<std::byte> body;
    wire::Hello{wire::kVersion, wire::kVersion, own_terms()}.encode(body);
    control(Kind::kHello, {}, body);
  }
}

wire::Terms Session::own_terms() const {
  return {0, options_.stream_window, options_.max_message, options_.name, options_.services};
}

void Session::set_remote(wire::Terms terms) {
  remote_ = std::move(terms);
  // A window below the largest prologue could never carry a message; treat it as the least that is sound.
  remote_.stream_window = std::max(remote_.stream_window, 64U << 10U);
}

void Session::commit(std::size_t size, TimePoint now) {
  now_ = now;
  if (closed()) return;
  reader_.commit(size);
  refuse_strangers();
}

void Session::receive(Bytes bytes, TimePoint now) {
  now_ = now;
  if (closed()) return;
  reader_.consume(bytes);
  refuse_strangers();
}

void Session::refuse_strangers() {
  if (state_ != State::kAwaitHello) return;
  // A hello's header: at most 4 KiB, so the length's upper bytes are nearly empty; then kind, channel, flags,
  // stream.
  static constexpr std::array<std::uint8_t, wire::FrameHeader::kSize> kMost = {0xff, 0x10, 0, 0, 1};
  const Bytes begun = reader_.partial_header();
  for (std::size_t i = 0; i < begun.size(); ++i) {
    if (std::to_integer<std::uint8_t>(begun[i]) > kMost[i]) {
      violation("its first bytes are no frame of Leat's");
      return;
    }
  }
}

TimePoint Session::next_timeout() const noexcept {
  return state_ == State::kReady || state_ == State::kClosed ? kNever : handshake_deadline_;
}

void Session::on_timeout(TimePoint now) {
  now_ = now;
  if (now < next_timeout()) return;
  const bool silent = state_ == State::kAwaitHello || state_ == State::kAwaitWelcome;
  finish_closing({Code::kUnavailable,
                  silent ? "the other side did not answer Leat's handshake in time: does it speak Leat?"
                         : "the handshake was not completed in time"});
}

std::optional<Event> Session::next_event() {
  if (events_.empty()) return std::nullopt;
  return events_.pop();
}

Event& Session::emit(Event::Kind kind, const Stream* stream) {
  Event& event = events_.push();
  event.kind = kind;
  if (stream != nullptr) event.stream = stream->id;
  return event;
}

void Session::control(Kind kind, wire::StreamId stream, const std::vector<std::byte>& body) {
  Buffer frame = Buffer::allocate(wire::FrameHeader::kSize + body.size());
  const std::span<std::byte> to = frame.writable();
  const wire::FrameHeader header{static_cast<std::uint32_t>(body.size()), kind, Channel::kControl, 0, stream};
  header.encode(to.first<wire::FrameHeader::kSize>());
  std::ranges::copy(body, to.begin() + wire::FrameHeader::kSize);
  scheduler_.add_control(std::move(frame));
}

void Session::close(Code code, std::string reason) {
  if (closed()) return;
  std::vector<std::byte> body;
  wire::Reason{code, reason}.encode(body);
  control(Kind::kClose, {}, body);
  finish_closing({code, std::move(reason)});
}

void Session::link_lost(Status status) {
  if (!closed()) finish_closing(std::move(status));
}

bool Session::violation(const std::string& what) {
  if (state_ == State::kAwaitHello) {
    // Whoever this is does not speak Leat; an answer would be noise to it.
    garbage_ = true;
    finish_closing({Code::kUnavailable, "not a Leat client: " + what});
  } else if (state_ == State::kAwaitWelcome) {
    garbage_ = true;
    finish_closing({Code::kUnavailable, "who answers there does not speak Leat: " + what});
  } else {
    close(Code::kInternal, "protocol violation: " + what);
  }
  return false;
}

void Session::finish_closing(Status status) {
  state_ = State::kClosed;
  reader_.stop();
  for (auto& [id, stream] : streams_) {
    scheduler_.remove(*stream);
    Event& event = emit(stream->local ? Event::Kind::kEnded : Event::Kind::kCancelled, stream.get());
    event.status = status;
  }
  streams_.clear();
  waiting_.clear();
  receiving_ = nullptr;
  emit(Event::Kind::kClosed).status = std::move(status);
}

namespace {

/// What a stranger's first bytes look like: most of those that answer at once do it in text.
std::string text_of(const wire::FrameHeader& header) {
  std::array<std::byte, wire::FrameHeader::kSize> bytes{};
  header.encode(bytes);
  std::string text(as_text(bytes).substr(0, 8));
  const bool printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  return printable ? "its answer begins with '" + text + "'" : "its first bytes are no frame of Leat's";
}

}  // namespace

FrameSink::Body Session::on_header(const wire::FrameHeader& header) {
  const bool early = state_ == State::kAwaitHello || state_ == State::kAwaitStart;
  if (state_ == State::kAwaitHello && header.kind != Kind::kHello) {
    violation("it began with something else than a hello frame");
    return Body::kStop;
  }
  const std::size_t max_body = early ? wire::kMaxHandshakeBody : wire::kMaxFrameBody;
  if (state_ == State::kAwaitWelcome && header.kind != Kind::kWelcome && header.kind != Kind::kClose) {
    violation(text_of(header));
    return Body::kStop;
  }
  if (auto reason = header.invalid(max_body)) {
    violation(*reason);
    return Body::kStop;
  }
  if (!header.known_kind()) return Body::kDrop;

  Kind expected = header.kind;
  if (state_ == State::kAwaitWelcome && header.kind != Kind::kClose) expected = Kind::kWelcome;
  if (state_ == State::kAwaitStart && header.kind != Kind::kClose) expected = Kind::kStart;
  const bool handshake = header.kind <= Kind::kStart;
  if (header.kind != expected || (state_ == State::kReady && handshake)) {
    violation("a " + std::string(wire::kind_name(header.kind)) + " frame out of place");
    return Body::kStop;
  }
  return header.kind == Kind::kMessage ? on_message_header(header) : Body::kWhole;
}

bool Session::on_body(const wire::FrameHeader& header, Bytes body) {
  switch (header.kind) {
    case Kind::kHello: return on_hello(body);
    case Kind::kWelcome: return on_welcome(body);
    case Kind::kStart: return on_start(body);
    case Kind::kClose: return on_close(body);
    case Kind::kPing: {
      control(Kind::kPong, {}, std::vector<std::byte>(body.begin(), body.end()));
      return true;
    }
    case Kind::kPong: return true;
    case Kind::kCredit: return on_credit(header.stream, body);
    case Kind::kOpen: return on_open(header, body);
    case Kind::kHeaders: return on_headers(header.stream, body);
    case Kind::kEnd: return on_end(header.stream, body);
    case Kind::kCancel: return on_cancel(header.stream, body);
    case Kind::kMessage: break;
  }
  return true;
}

bool Session::on_hello(Bytes body) {
  std::optional<wire::Hello> hello = wire::Hello::decode(body);
  if (!hello) return violation("its hello can't be read");
  state_ = State::kAwaitStart;
  if (hello->min_version > wire::kVersion || hello->max_version < wire::kVersion) {
    const std::string ours = std::to_string(wire::kVersion);
    close(Code::kFailedPrecondition, "the server speaks version " + ours +
                                         " of Leat's protocol, the client versions " +
                                         std::to_string(hello->min_version) + " to " +
                                         std::to_string(hello->max_version) + ": upgrade the older side");
    return false;
  }
  set_remote(std::move(hello->terms));
  std::vector<std::byte> out;
  wire::Welcome{wire::kVersion, options_.token, own_terms()}.encode(out);
  control(Kind::kWelcome, {}, out);
  return true;
}

bool Session::on_welcome(Bytes body) {
  std::optional<wire::Welcome> welcome = wire::Welcome::decode(body);
  if (!welcome) return violation("its welcome can't be read");
  if (welcome->version != wire::kVersion) {
    return violation("it chose protocol version " + std::to_string(welcome->version) +
                     ", which was not offered");
  }
  set_remote(std::move(welcome->terms));
  std::vector<std::byte> out;
  wire::Start{welcome->token, options_.link}.encode(out);
  control(Kind::kStart, {}, out);
  state_ = State::kReady;
  emit(Event::Kind::kReady);
  return true;
}

bool Session::on_start(Bytes body) {
  const std::optional<wire::Start> start = wire::Start::decode(body);
  if (!start || start->token != options_.token) {
    close(Code::kUnauthenticated, "the start frame does not hold the token that this connection was given");
    return false;
  }
  state_ = State::kReady;
  emit(Event::Kind::kReady);
  return true;
}

bool Session::on_close(Bytes body) {
  std::optional<wire::Reason> reason = wire::Reason::decode(body);
  if (!reason) reason = wire::Reason{Code::kUnknown, "no reason given"};
  if (reason->code == Code::kOk || reason->code == Code::kUnknown) reason->code = Code::kUnavailable;
  finish_closing({reason->code, "closed by the other side: " + reason->message});
  return false;
}

}  // namespace leat::session
