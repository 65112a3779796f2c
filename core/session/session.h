// The protocol between two peers as a state machine without input or output: bytes, commands and the time go
// in; bytes, events and the next timeout come out. One session per connection; it never outlives its link.
//
//   connector:  [hello sent] -> welcome -> [start sent]  = ready ... closed
//   acceptor:   hello -> [welcome sent] -> start         = ready ... closed
//
// Not thread-safe; its owner serialises all calls. Nothing here blocks, reads a clock or allocates without a
// bound.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/base/queue.h"
#include "core/session/batch.h"
#include "core/session/event.h"
#include "core/session/frame_reader.h"
#include "core/session/scheduler.h"
#include "core/session/stream.h"

namespace leat::session {

class Session final : private FrameSink {
 public:
  Session(Options options, TimePoint now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() override = default;

  // Bytes in. Lane 0 carries everything; a second lane comes with bulk lanes.
  FrameReader::Space prepare() { return reader_.prepare(); }
  void commit(std::size_t size, TimePoint now);
  void receive(Bytes bytes, TimePoint now);

  // Bytes out: appends frames until the batch holds about `budget` bytes.
  void transmit(Batch& batch, std::size_t budget, TimePoint now);
  [[nodiscard]] bool has_output() const noexcept { return !scheduler_.idle(); }

  // Time.
  [[nodiscard]] TimePoint next_timeout() const noexcept;
  void on_timeout(TimePoint now);

  // Events, in order.
  [[nodiscard]] bool has_event() const noexcept { return !events_.empty(); }
  std::optional<Event> next_event();

  // Commands. Those that name a stream which is gone do nothing: its end is on its way as an event.
  [[nodiscard]] bool ready() const noexcept { return state_ == State::kReady; }
  [[nodiscard]] bool closed() const noexcept { return state_ == State::kClosed; }
  /// Opens a stream. kUnavailable before kReady and after kClosed, kResourceExhausted above a limit.
  Result<wire::StreamId> open(const wire::Open& open, Channel channel);
  /// Queues the callee's initial metadata.
  void headers(wire::StreamId id, const Metadata& metadata);
  /// Queues a message; `end_stream`: the last one. From the callee it then stands for end(ok).
  /// kResourceExhausted if the other side would not take one of that size.
  Status send(wire::StreamId id, Payload payload, bool end_stream);
  /// The caller sends no more messages.
  void half_close(wire::StreamId id);
  /// The callee's final status; the stream is gone once it is out.
  void end(wire::StreamId id, const Status& status, const Metadata& trailing);
  /// The caller gives up; the stream is gone.
  void cancel(wire::StreamId id, Code code, std::string reason);
  /// True if another message should wait: the stream's queue holds more than it can soon send. A kWritable
  /// event follows when it has drained.
  [[nodiscard]] bool full(wire::StreamId id);
  /// The application took a message of that many wire_bytes.
  void consumed(wire::StreamId id, std::uint64_t wire_bytes);
  /// Ends the session: tells the other side why, if it can still be told.
  void close(Code code, std::string reason);
  /// The link is lost: no more bytes either way.
  void link_lost(Status status);

  /// What the other side said of itself; valid once ready.
  [[nodiscard]] const wire::Terms& remote() const noexcept { return remote_; }
  [[nodiscard]] std::size_t stream_count() const noexcept { return streams_.size(); }
  /// The close was caused by bytes that are not Leat's: nothing was sent in answer.
  [[nodiscard]] bool saw_garbage() const noexcept { return garbage_; }

 private:
  enum class State : std::uint8_t { kAwaitHello, kAwaitWelcome, kAwaitStart, kReady, kClosed };

  // FrameSink.
  Body on_header(const wire::FrameHeader& header) override;
  bool on_body(const wire::FrameHeader& header, Bytes body) override;
  bool on_piece(const wire::FrameHeader& header, Bytes bytes, bool done) override;
  std::span<std::byte> destination() override;
  bool on_direct(const wire::FrameHeader& header, std::size_t size, bool done) override;

  // Frames of the session.
  bool on_hello(Bytes body);
  bool on_welcome(Bytes body);
  bool on_start(Bytes body);
  bool on_close(Bytes body);
  // Frames of streams.
  bool on_open(const wire::FrameHeader& header, Bytes body);
  bool on_credit(wire::StreamId id, Bytes body);
  bool on_headers(wire::StreamId id, Bytes body);
  bool on_end(wire::StreamId id, Bytes body);
  bool on_cancel(wire::StreamId id, Bytes body);
  Body on_message_header(const wire::FrameHeader& header);
  bool begin_message(Stream& stream, const wire::FrameHeader& header, Bytes rest, bool done);
  bool message_bytes(const wire::FrameHeader& header, bool done);
  void deliver(Stream& stream, Payload payload, bool last);
  void try_admit();
  /// Ends a stream of the other side's as resource_exhausted and drops what still comes of it.
  void refuse(Stream& stream, std::string why);

  /// Before a hello: closes as soon as what has arrived can't be the beginning of one.
  void refuse_strangers();
  bool violation(const std::string& what);
  void finish_closing(Status status);
  void control(wire::Kind kind, wire::StreamId stream, const std::vector<std::byte>& body);
  void enqueue(Stream& stream, wire::Kind kind, const std::vector<std::byte>& body);
  void push_message(Stream& stream, Payload payload, bool end_stream);
  void grant(Stream& stream, std::optional<std::uint64_t> limit);
  void give_back(Stream& stream, std::uint64_t consumed);
  void remove(Stream& stream);
  Event& emit(Event::Kind kind, const Stream* stream = nullptr);
  Stream* find(wire::StreamId id) noexcept;
  [[nodiscard]] wire::Terms own_terms() const;
  void set_remote(wire::Terms terms);

  Options options_;
  State state_;
  bool garbage_ = false;
  TimePoint handshake_deadline_;
  TimePoint now_;
  wire::Terms remote_;
  FrameReader reader_;
  Scheduler scheduler_;
  Queue<Event> events_;
  std::vector<std::byte> scratch_;  // bodies are written here before they are copied to where they stay

  std::unordered_map<wire::StreamId, std::unique_ptr<Stream>> streams_;
  std::array<std::uint64_t, kChannelCount> next_sequence_{};  // per channel, of ours
  std::array<std::uint64_t, kChannelCount> last_remote_{};    // per channel, of the other side's, plus one
  std::size_t remote_streams_ = 0;
  std::size_t local_streams_ = 0;

  AssemblyBudget budget_;
  std::deque<wire::StreamId> waiting_;  // for admission, first come first served

  Stream* receiving_ = nullptr;            // of the message frame that is being read
  std::vector<std::byte> prologue_bytes_;  // of a prologue that arrives in pieces
  bool in_prologue_ = false;
};

}  // namespace leat::session
