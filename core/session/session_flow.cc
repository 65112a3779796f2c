// What holds writers back, for the session as a whole: channel credit, and the windows of streams.
#include "core/session/session.h"

namespace leat::session {

using wire::Kind;

namespace {

/// True if the other side may send any number of messages on such a call.
bool takes_many(bool local, CallKind kind) noexcept {
  if (kind == CallKind::kBidi) return true;
  return kind == (local ? CallKind::kServerStream : CallKind::kClientStream);
}

}  // namespace

bool Session::count_message(const wire::FrameHeader& header) {
  ChannelReceive& channel = channel_receive_[static_cast<std::size_t>(header.channel)];
  if (!channel.receive(header.length)) {
    return violation("a channel written beyond its credit: " + std::string(channel_name(header.channel)));
  }
  bandwidth_.received(header.length);
  if (const auto credit = channel.settle(
          header.channel, std::max<std::uint64_t>(options_.channel_window, bandwidth_.window()))) {
    scratch_.clear();
    credit->encode(scratch_);
    control(Kind::kChannelCredit, {}, scratch_);
  }
  return true;
}

bool Session::on_channel_credit(Bytes body) {
  const std::optional<wire::ChannelCredit> credit = wire::ChannelCredit::decode(body);
  if (!credit) return violation("a channel credit frame that can't be read");
  ChannelSend& channel = scheduler_.channel(credit->channel);
  if (credit->returned > channel.sent()) return violation("channel credit for more than was sent");
  return channel.raise(*credit) || count_useless();
}

// ---- windows of streams

Stream& Session::add_stream(wire::StreamId id, bool local, CallKind kind) {
  const std::uint32_t window = windows_.fresh();
  const ReceiveCredit credit(window, windows_.least_told(), windows_.most_told());
  std::unique_ptr<Stream> made;
  if (spare_streams_.empty()) {
    made = std::make_unique<Stream>(id, local, kind, remote_.stream_window, credit);
  } else {
    made = std::move(spare_streams_.back());
    spare_streams_.pop_back();
    made->begin_anew(id, local, kind, remote_.stream_window, credit);
  }
  Stream& stream = *streams_.insert(id.value, std::move(made));
  (local ? local_streams_ : remote_streams_) += 1;
  if (takes_many(local, kind)) {
    stream.window_taken = window;
    windows_.take(window);
    tell_window();
  }
  return stream;
}

bool Session::too_many_windows(bool local, CallKind kind) const noexcept {
  return windows_.full() && takes_many(local, kind);
}

std::string Session::windows_taken() const {
  return "stream_windows_bytes (" + std::to_string(windows_.total()) +
         ") is taken by the streams that are open on this connection";
}

void Session::grow_window(Stream& stream, std::uint64_t window) {
  window = std::min(window, options_.max_stream_window);
  if (stream.window_taken == 0 || window <= stream.receive.window()) return;
  const std::uint64_t more = window - stream.receive.window();
  if (!windows_.grow(more)) return;
  stream.window_taken += more;
  stream.receive.grow(window);
}

void Session::tell_window() {
  const std::optional<std::uint32_t> window = windows_.news();
  if (!window) return;
  std::vector<std::byte> body;
  wire::Window{*window}.encode(body);
  control(Kind::kWindow, {}, body);
  // It may overtake the OPENs that are under way, or still here: their streams begin with the less of both
  // over there.
  streams_.for_each([](std::uint64_t /*id*/, const std::unique_ptr<Stream>& stream) {
    if (stream->local && stream->receive.received() == 0) stream->receive.doubt(StreamWindows::kLeast);
  });
}

bool Session::on_window(Bytes body) {
  const std::optional<wire::Window> window = wire::Window::decode(body);
  if (!window) return violation("a window frame that can't be read");
  remote_.stream_window = std::max(window->bytes, StreamWindows::kLeast);
  return count_useless();  // rare from whoever means well
}

void Session::measure_bandwidth(const Stream& stream, std::uint64_t bytes) {
  // Small messages are none of a window's business.
  if (stream.receive.received() < stream.receive.window() / 2 || !bandwidth_.may_measure(now_)) return;
  bandwidth_.start(now_, bytes);
  control(Kind::kPing, {}, {BandwidthDelay::kMark.begin(), BandwidthDelay::kMark.end()});
}

// ---- for those who look on

std::optional<Flow> Session::stream_flow(wire::StreamId id) noexcept {
  const Stream* stream = find(id);
  if (stream == nullptr) return std::nullopt;
  return Flow{stream->send.used(), stream->send.limit(), stream->receive.received(), stream->receive.limit()};
}

Flow Session::channel_flow(Channel channel) const noexcept {
  const ChannelSend& send = scheduler_.channel(channel);
  const ChannelReceive& receive = channel_receive_[static_cast<std::size_t>(channel)];
  return {send.sent(), send.limit(), receive.received(), receive.limit()};
}

}  // namespace leat::session
