// Life of a session: handshake, close, time, and the frames that concern it as a whole.
#include "core/session/session.h"

#include <algorithm>

#include "core/wire/codec.h"

namespace leat::session {

using wire::Kind;

namespace {

Options within_bounds(Options options) {
  options.stream_window = std::max(options.stream_window, 64U << 10U);
  options.channel_window = std::max(options.channel_window, ChannelReceive::kLeastWindow);
  return options;
}

std::array<ChannelReceive, kChannelCount> channels(std::uint32_t window) {
  return {ChannelReceive(window), ChannelReceive(window), ChannelReceive(window), ChannelReceive(window)};
}

}  // namespace

Session::Session(Options options, TimePoint now)
    : options_(within_bounds(std::move(options))),
      state_(options_.acceptor ? State::kAwaitHello : State::kAwaitWelcome),
      handshake_deadline_(now + options_.handshake_timeout),
      now_(now),
      inbound_{Inbound(*this), Inbound(*this)},
      in_(inbound_.data()),
      channel_receive_(channels(options_.channel_window)),
      windows_(options_.stream_windows_bytes, options_.stream_window),
      bandwidth_(options_.stream_window, options_.max_stream_window),
      scheduler_(options_.scheduler),
      admissions_{{{Share::kRequests, options_.assembly_bytes, options_.process_budget},
                   {Share::kReplies, options_.assembly_bytes, options_.process_budget}}},
      useless_(options_.max_useless_frames, options_.max_streams),
      cancels_(options_.max_cancels, options_.max_streams),
      heartbeat_(options_.heartbeat_interval, options_.heartbeat_timeout) {
  if (!options_.acceptor) {
    std::vector<std::byte> body;
    wire::Hello{wire::kVersion, wire::kVersion, own_terms()}.encode(body);
    control(Kind::kHello, {}, body);
  }
}

wire::Terms Session::own_terms() const {
  wire::Terms terms;
  if (options_.second_lane) terms.features |= wire::kSecondLane;
  terms.stream_window = options_.stream_window;
  terms.channel_window = options_.channel_window;
  terms.max_message = options_.max_message;
  terms.name = options_.name;
  terms.services = options_.services;
  return terms;
}

void Session::set_remote(wire::Terms terms) {
  remote_ = std::move(terms);
  // A window below the largest prologue could never carry a message; treat it as the least that is sound.
  remote_.stream_window = std::max(remote_.stream_window, 64U << 10U);
  remote_.channel_window = std::max(remote_.channel_window, ChannelReceive::kLeastWindow);
  for (std::size_t i = 0; i < kChannelCount; ++i) {
    scheduler_.channel(static_cast<Channel>(i)).start(remote_.channel_window);
  }
}

FrameReader::Space Session::prepare(Lane lane) {
  in_ = &inbound(lane);
  return in_->reader.prepare();
}

void Session::commit(Lane lane, std::size_t size, TimePoint now) {
  now_ = now;
  if (size > 0) heartbeat_.heard(now);
  if (closed()) return;
  in_ = &inbound(lane);
  in_->reader.commit(size);
  refuse_strangers();
  answers_fit();
}

void Session::receive(Lane lane, Bytes bytes, TimePoint now) {
  now_ = now;
  if (!bytes.empty()) heartbeat_.heard(now);
  if (closed()) return;
  in_ = &inbound(lane);
  in_->reader.consume(bytes);
  refuse_strangers();
  answers_fit();
}

void Session::refuse_strangers() {
  if (state_ != State::kAwaitHello) return;
  // The header of a hello or an attach: at most 4 KiB, so the length's upper bytes are nearly empty; then
  // kind, channel, flags, stream.
  static constexpr std::array<std::uint8_t, wire::FrameHeader::kSize> kMost = {0xff, 0x10, 0, 0, 4};
  const Bytes begun = in_->reader.partial_header();
  for (std::size_t i = 0; i < begun.size(); ++i) {
    if (std::to_integer<std::uint8_t>(begun[i]) > kMost[i]) {
      violation("its first bytes are no frame of Leat's");
      return;
    }
  }
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

Buffer Session::control_frame(Kind kind, wire::StreamId stream, const std::vector<std::byte>& body) {
  Buffer frame = Buffer::allocate(wire::FrameHeader::kSize + body.size());
  const std::span<std::byte> to = frame.writable();
  // The refusal of a call is the one frame that belongs to another channel.
  const Channel channel = kind == Kind::kEnd ? stream.channel() : Channel::kControl;
  const wire::FrameHeader header{static_cast<std::uint32_t>(body.size()), kind, channel, 0, stream};
  header.encode(to.first<wire::FrameHeader::kSize>());
  std::ranges::copy(body, to.begin() + wire::FrameHeader::kSize);
  return frame;
}

void Session::control(Kind kind, wire::StreamId stream, const std::vector<std::byte>& body) {
  scheduler_.add_control(control_frame(kind, stream, body));
}

void Session::answer(Kind kind, wire::StreamId stream, const std::vector<std::byte>& body) {
  scheduler_.add_answer(control_frame(kind, stream, body));
}

void Session::close(Code code, std::string reason) {
  if (closed()) return;
  if (state_ != State::kHandedOver) {
    std::vector<std::byte> body;
    wire::Reason{code, reason}.encode(body);
    control(Kind::kClose, {}, body);
  }
  finish_closing({code, std::move(reason)});
}

void Session::lane_lost(Lane lane, Status status, TimePoint now) {
  now_ = now;
  if (lane == Lane::kMain || lane_attached()) {
    link_lost(std::move(status));
    return;
  }
  lane_state_ = LaneState::kGone;
  lane_patience_ends_ = kNever;
  scheduler_.close_bulk_lane();
}

void Session::link_lost(Status status) {
  if (!closed()) finish_closing(std::move(status));
  scheduler_.drop_control();
}

bool Session::violation(const std::string& what) {
  if (state_ == State::kAwaitHello || state_ == State::kHandedOver) {
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
  heartbeat_.stop();
  drain_.give_up = kNever;
  for (Inbound& in : inbound_) {
    in.reader.stop();
    in.receiving = nullptr;
  }
  scheduler_.close_bulk_lane();
  early_.clear();
  streams_.for_each([this, &status](std::uint64_t /*id*/, const std::unique_ptr<Stream>& stream) {
    scheduler_.remove(*stream);
    if (stream->refused) return;  // it has ended here, its end was only not out yet
    Event& event = emit(stream->local ? Event::Kind::kEnded : Event::Kind::kCancelled, stream.get());
    event.status = stream->local ? lost_call(status, scheduler_.open_sent(*stream)) : status;
  });
  streams_.clear();
  scheduler_.drop_lines();
  for (Admission& admission : admissions_) admission.clear();
  assembly_check_ = kNever;
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
  if (lane() == Lane::kBulk) {
    if (auto reason = out_of_lane(header)) {
      violation(*reason);
      return Body::kStop;
    }
  }
  const bool early = state_ == State::kAwaitHello || state_ == State::kAwaitStart;
  if (state_ == State::kHandedOver) {
    violation("it sent more behind its attach frame without waiting for the answer");
    return Body::kStop;
  }
  const bool first = state_ == State::kAwaitHello;
  if (first && header.kind != Kind::kHello && header.kind != Kind::kAttach) {
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
  if (!answers_fit()) return Body::kStop;
  if (!header.known_kind()) return count_useless() ? Body::kDrop : Body::kStop;
  scheduler_.touch(header.channel, now_);

  Kind expected = header.kind;
  if (state_ == State::kAwaitWelcome && header.kind != Kind::kClose) expected = Kind::kWelcome;
  if (state_ == State::kAwaitStart && header.kind != Kind::kClose) expected = Kind::kStart;
  const bool handshake = header.kind <= Kind::kStart || (header.kind == Kind::kAttach && !first);
  const bool on_lane_1_only = header.kind == Kind::kAttached && lane() == Lane::kMain;
  if (header.kind != expected || (state_ >= State::kReady && handshake) || on_lane_1_only) {
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
    case Kind::kAttach: return on_attach(body);
    case Kind::kAttached: return on_attached();
    case Kind::kLaneWanted: return on_lane_wanted();
    case Kind::kClose: return on_close(body);
    case Kind::kGoaway: return on_goaway(body);
    case Kind::kPing: return on_ping(body);
    case Kind::kPong: return on_pong(body);
    case Kind::kDrained: return on_drained();
    case Kind::kHealthAsk: return on_health_ask(body);
    case Kind::kHealth: return on_health(body);
    case Kind::kCredit: return on_credit(header.stream, body);
    case Kind::kOpen: return on_open(header, body);
    case Kind::kHeaders: return on_headers(header.stream, body);
    case Kind::kEnd: return on_end(header.stream, body);
    case Kind::kCancel: return on_cancel(header.stream, body);
    case Kind::kChannelCredit: return on_channel_credit(body);
    case Kind::kWindow: return on_window(body);
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
  token_ = welcome->token;
  std::vector<std::byte> out;
  wire::Start{welcome->token, options_.link}.encode(out);
  control(Kind::kStart, {}, out);
  start_life();
  return true;
}

bool Session::on_start(Bytes body) {
  const std::optional<wire::Start> start = wire::Start::decode(body);
  if (!start || start->token != options_.token) {
    close(Code::kUnauthenticated, "the start frame does not hold the token that this connection was given");
    return false;
  }
  start_life();
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
