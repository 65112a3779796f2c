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
#include <vector>

#include "core/base/id_map.h"
#include "core/base/lane.h"
#include "core/base/queue.h"
#include "core/session/admission.h"
#include "core/session/bandwidth.h"
#include "core/session/batch.h"
#include "core/session/event.h"
#include "core/session/flood.h"
#include "core/session/frame_reader.h"
#include "core/session/heartbeat.h"
#include "core/session/remote_ids.h"
#include "core/session/scheduler.h"
#include "core/session/stream.h"
#include "core/session/stream_windows.h"

namespace leat::session {

/// Positions of the credit of a channel or a stream, in bytes of MESSAGE bodies since it began.
struct Flow {
  std::uint64_t sent = 0;
  std::uint64_t send_limit = 0;
  std::uint64_t received = 0;
  std::uint64_t receive_limit = 0;
};

class Session final : private FrameSink {
 public:
  Session(Options options, TimePoint now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() override = default;

  // Bytes in. The bytes of one lane are in order; nothing is assumed of those of two.
  FrameReader::Space prepare(Lane lane);
  void commit(Lane lane, std::size_t size, TimePoint now);
  void receive(Lane lane, Bytes bytes, TimePoint now);

  // Bytes out: appends frames for that lane until the batch holds about `budget` bytes.
  void transmit(Lane lane, Batch& batch, std::size_t budget, TimePoint now);
  // The lane's link took bytes of a batch. Without this a ping that waits behind a large frame on a slow link
  // counts as unanswered from when it was made.
  void link_took(Lane lane, TimePoint now) noexcept {
    if (lane == Lane::kMain) heartbeat_.moved(now);
  }
  // Behind kClosed there may be some for lane 0 (the goodbye): the owner keeps that link while there is,
  // which is close_grace at most if it goes on to call on_timeout().
  [[nodiscard]] bool has_output(Lane lane) const noexcept { return !scheduler_.idle(lane); }
  /// On any lane.
  [[nodiscard]] bool has_output() const noexcept {
    return has_output(Lane::kMain) || has_output(Lane::kBulk);
  }

  // The second lane, a link of its own. The connector's session says kLaneWanted, once, when bulk first wants
  // to travel and both sides take second lanes; its owner opens another link to the same listener and calls
  // add_lane(), which sends ATTACH there, or lane_lost(), if it can't. The acceptor's listener gives that
  // link to a new session, which says kAttach with the token and from then on neither sends nor takes
  // anything: its owner takes the link away, finds the session that gave out this token and calls add_lane()
  // there (or closes the link, if there is none). Bulk that has begun on lane 0 stays there.
  /// The owner has a second link. kFailedPrecondition if lane 1 was here before (a token attaches one
  /// connection, once), the session is not ready, or one of both sides takes no second lane: close the link.
  Status add_lane(TimePoint now);
  /// The link under a lane is lost, or was never opened. Before lane 1 was attached the session goes on
  /// without it; afterwards, and with lane 0, the session is over, as by link_lost().
  void lane_lost(Lane lane, Status status, TimePoint now);
  /// True if bulk travels on lane 1 from here.
  [[nodiscard]] bool lane_attached() const noexcept { return lane_state_ == LaneState::kAttached; }

  // Time.
  [[nodiscard]] TimePoint next_timeout() const noexcept;
  void on_timeout(TimePoint now);

  // Events, in order.
  [[nodiscard]] bool has_event() const noexcept { return !events_.empty(); }
  std::optional<Event> next_event();
  using Events = Queue<Event>::Items;
  /// The same without moving it: the events so far, which are gone from here. Those that come of what is done
  /// with them are for the next time. Give the memory back with reuse_events().
  [[nodiscard]] Events take_events() noexcept { return events_.take_all(std::move(spare_events_)); }
  void reuse_events(Events memory) noexcept {
    memory.clear();
    spare_events_ = std::move(memory);
  }

  // Commands. Those that name a stream which is gone do nothing: its end is on its way as an event.
  [[nodiscard]] bool ready() const noexcept { return state_ == State::kReady; }
  [[nodiscard]] bool closed() const noexcept { return state_ == State::kClosed; }
  /// Opens a stream. kUnavailable before kReady and after kClosed, kResourceExhausted above a limit.
  Result<wire::StreamId> open(const wire::OpenView& open, Channel channel);
  Result<wire::StreamId> open(const wire::Open& open, Channel channel) {
    return this->open(open.view(), channel);
  }
  /// Queues the callee's initial metadata.
  void headers(wire::StreamId id, const Metadata& metadata);
  /// Queues a message; `end_stream`: the last one. From the callee it then stands for end(ok).
  /// kResourceExhausted if the other side would not take one of that size.
  Status send(wire::StreamId id, Payload payload, bool end_stream);
  /// The caller sends no more messages.
  void half_close(wire::StreamId id);
  /// The callee's final status; the stream is gone once it is out.
  void end(wire::StreamId id, const Status& status, const Metadata& trailing);
  /// The callee ends a stream before any handler has run: the caller is told that to try again is safe.
  /// Otherwise as end(), which never says so, whatever the status is marked with.
  void reject(wire::StreamId id, Status status);
  /// The caller gives up; the stream is gone.
  void cancel(wire::StreamId id, Code code, std::string reason);
  /// The stream's time is up: both sides end it, this one's application by an event (kEnded to the opener,
  /// kCancelled to the accepter) behind those that it has not heard yet.
  void expire(wire::StreamId id, const Status& status);
  /// True if another message should wait: the stream's queue holds more than it can soon send. A kWritable
  /// event follows when it has drained.
  [[nodiscard]] bool full(wire::StreamId id);
  /// The application took a message of that many wire_bytes.
  void consumed(wire::StreamId id, std::uint64_t wire_bytes);
  /// Serves the streams that are open, refuses later ones, and closes when none is left, of either side's:
  /// kClosed comes then, as kUnavailable. This side may go on opening streams meanwhile. Idempotent.
  void drain(std::string reason);
  /// Asks for the health of a service (empty: of the peer as a whole); kHealth with this id brings the
  /// answer. kUnavailable unless ready, kInvalidArgument for a name that is too long, kResourceExhausted with
  /// wire::kMaxHealthAsks asks unanswered.
  Result<std::uint32_t> ask_health(std::string_view service);
  /// Answers a kHealthAsked event.
  void answer_health(std::uint32_t id, wire::HealthState state);
  /// Ends the session: tells the other side why, if it can still be told.
  void close(Code code, std::string reason);
  /// The link is lost: no more bytes either way.
  void link_lost(Status status);

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  /// What the other side said of itself; valid once ready.
  [[nodiscard]] const wire::Terms& remote() const noexcept { return remote_; }
  [[nodiscard]] std::size_t stream_count() const noexcept { return streams_.size(); }
  /// Where a channel's credit stands. When all is quiet, what one side has sent the other has received, and
  /// the limits agree.
  [[nodiscard]] Flow channel_flow(Channel channel) const noexcept;
  /// The same of a stream; nullopt if it is gone. Here the writer's limit may be above the reader's until the
  /// stream's first CREDIT, if windows have changed.
  [[nodiscard]] std::optional<Flow> stream_flow(wire::StreamId id) noexcept;
  /// Bytes of stream_windows_bytes that open streams take.
  [[nodiscard]] std::uint64_t windows_in_use() const noexcept { return windows_.taken(); }
  /// True while bulk should yield: a frame of a call or a stream waits, or moved a moment ago (either way).
  [[nodiscard]] bool calls_active(TimePoint now) const noexcept { return scheduler_.calls_active(now); }
  /// The close was caused by bytes that are not Leat's: nothing was sent in answer.
  [[nodiscard]] bool saw_garbage() const noexcept { return garbage_; }
  /// drain() was called, or the other side goes away: no new streams one way or the other.
  [[nodiscard]] bool draining() const noexcept { return drain_.announced; }
  [[nodiscard]] bool going_away() const noexcept { return drain_.told; }
  /// Of the last heartbeat that was answered; there is one only after silence.
  [[nodiscard]] std::optional<Duration> round_trip() const noexcept { return heartbeat_.round_trip(); }

 private:
  enum class State : std::uint8_t {
    kAwaitHello,
    kAwaitWelcome,
    kAwaitStart,
    kReady,
    kHandedOver,  ///< the link is another session's second lane
    kClosed
  };
  enum class LaneState : std::uint8_t {
    kNone,       ///< nobody asked for it
    kWanted,     ///< kLaneWanted or a LANE_WANTED frame is out
    kAttaching,  ///< ATTACH is out (the connector's only)
    kAttached,
    kGone  ///< it could not be had: lane 0 carries all
  };
  /// What arrives on one lane.
  struct Inbound {
    explicit Inbound(FrameSink& sink) : reader(sink) {}
    FrameReader reader;
    Stream* receiving = nullptr;            // of the message frame that is being read
    std::vector<std::byte> prologue_bytes;  // of a prologue that arrives in pieces
    bool in_prologue = false;
  };
  /// What overtook the OPEN of its stream.
  struct Early {
    bool cancelled = false;
    std::uint64_t credit = 0;
  };

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
  // Life (session_life.cc).
  void start_life();
  void on_heartbeat_timeout();
  bool on_ping(Bytes body);
  bool on_pong(Bytes body);
  bool on_goaway(Bytes body);
  bool on_drained();
  bool on_health_ask(Bytes body);
  bool on_health(Bytes body);
  /// A drain goes on when a stream or the output has gone.
  void continue_drain();
  /// What a stream of this side's is told when the session ends with `status`.
  [[nodiscard]] static Status lost_call(const Status& status, bool open_sent);
  // Flow (session_flow.cc).
  /// A MESSAGE frame has begun: counts it against its channel, whatever becomes of it.
  bool count_message(const wire::FrameHeader& header);
  bool on_channel_credit(Bytes body);
  bool on_window(Bytes body);
  Stream& add_stream(wire::StreamId id, bool local, CallKind kind);
  [[nodiscard]] bool too_many_windows(bool local, CallKind kind) const noexcept;
  [[nodiscard]] std::string windows_taken() const;
  void grow_window(Stream& stream, std::uint64_t window);
  void tell_window();
  /// A message frame of this stream comes: starts to measure, if the stream is a large one.
  void measure_bandwidth(const Stream& stream, std::uint64_t bytes);
  // Lanes (session_lanes.cc).
  bool on_attach(Bytes body);
  bool on_attached();
  void use_lane();
  void go_without_lane();
  bool on_lane_wanted();
  [[nodiscard]] bool second_lane_agreed() const noexcept;
  /// Bulk wants to travel: asks for the second lane, if it was never asked for.
  void want_lane();
  /// Why no such frame may arrive on lane 1 now; nullopt if it may.
  [[nodiscard]] std::optional<std::string> out_of_lane(const wire::FrameHeader& header) const;
  [[nodiscard]] Inbound& inbound(Lane lane) noexcept { return inbound_[static_cast<std::size_t>(lane)]; }
  [[nodiscard]] Lane lane() const noexcept { return in_ == inbound_.data() ? Lane::kMain : Lane::kBulk; }
  /// What is known of a stream that is not here, of which a frame has come.
  enum class Absent : std::uint8_t { kEarly, kLate, kNeverOpened };
  [[nodiscard]] Absent absent(wire::StreamId id) const noexcept;
  /// For control frames of a stream that is not here: where to note them if they are early, else nullptr,
  /// after a violation if there are too many or they can't be.
  Early* early(wire::StreamId id, wire::Kind kind);
  /// For frames that follow their OPEN in their lane: true if they are late, else a violation.
  bool late(wire::StreamId id, wire::Kind kind);
  // Frames of streams.
  bool on_open(const wire::FrameHeader& header, Bytes body);
  [[nodiscard]] Status too_much_metadata(std::string_view which, const Metadata& metadata) const;
  bool on_credit(wire::StreamId id, Bytes body);
  bool on_headers(wire::StreamId id, Bytes body);
  bool on_end(wire::StreamId id, Bytes body);
  bool on_cancel(wire::StreamId id, Bytes body);
  Body on_message_header(const wire::FrameHeader& header);
  bool begin_message(Stream& stream, const wire::FrameHeader& header, Bytes rest, bool done);
  bool message_bytes(const wire::FrameHeader& header, bool done);
  void deliver(Stream& stream, Payload payload, bool last);
  /// Ends a stream at its OPEN, without one here.
  void refuse_open(wire::StreamId id, Code code, std::string why);
  // Admission (session_admission.cc).
  [[nodiscard]] Admission& admission(const Stream& stream) noexcept {
    return admissions_[static_cast<std::size_t>(stream.local ? Share::kReplies : Share::kRequests)];
  }
  void try_admit(Admission& line);
  /// The stream's message is not received any further, and its share of the budget goes back.
  void give_up_admission(Stream& stream);
  /// Both sides are told that the stream ends because of what is received on it.
  void end_receiving(Stream& stream, const Status& status);
  void check_assemblies();
  // Floods (session_flood.cc). False: the session is closed.
  bool count_useless();
  bool count_cancel();
  bool answers_fit();
  /// Ends a stream of the other side's as resource_exhausted and drops what still comes of it.
  void refuse(Stream& stream, std::string why);

  /// Before a hello: closes as soon as what has arrived can't be the beginning of one.
  void refuse_strangers();
  bool violation(const std::string& what);
  void finish_closing(Status status);
  Result<wire::StreamId> try_open(const wire::OpenView& open, Channel channel);
  void finish(wire::StreamId id, const Status& status, const Metadata& trailing);
  /// The callee has said its last word, perhaps before it could leave: nobody reads what still comes.
  void stop_receiving(Stream& stream);
  static Buffer control_frame(wire::Kind kind, wire::StreamId stream, const std::vector<std::byte>& body);
  void control(wire::Kind kind, wire::StreamId stream, const std::vector<std::byte>& body);
  /// The same for what the other side has asked for, which is bounded: it may ask faster than it reads.
  void answer(wire::Kind kind, wire::StreamId stream, const std::vector<std::byte>& body);
  void enqueue(Stream& stream, wire::Kind kind, const std::vector<std::byte>& body);
  /// The frame that opens the stream, into its channel's line; false if it must wait in the stream's queue.
  bool open_in_line(Stream& stream, const wire::OpenView& open);
  /// The same for a whole message.
  bool send_in_line(Stream& stream, const Payload& payload, bool end_stream);
  void push_message(Stream& stream, Payload payload, bool end_stream);
  void choose_channel(Stream& stream, std::uint64_t first_message, bool only);
  void grant(Stream& stream, std::optional<std::uint64_t> limit);
  void give_back(Stream& stream, std::uint64_t consumed);
  /// What still arrives of its current frame is dropped.
  void stop_reading(Stream& stream) noexcept;
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
  std::array<Inbound, kLaneCount> inbound_;
  Inbound* in_;                            // the lane whose bytes are being taken
  wire::Token token_{};                    // the connector's: what it was given
  TimePoint lane_patience_ends_ = kNever;  // bulk waits for the lane until then
  LaneState lane_state_ = LaneState::kNone;
  std::unordered_map<wire::StreamId, Early> early_;
  std::array<ChannelReceive, kChannelCount> channel_receive_;
  StreamWindows windows_;
  BandwidthDelay bandwidth_;
  Scheduler scheduler_;
  Queue<Event> events_;
  Events spare_events_;             // memory for the next ones
  std::vector<std::byte> scratch_;  // bodies are written here before they are copied to where they stay

  IdMap<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> spare_streams_;        // memory for the next ones
  std::array<std::uint64_t, kChannelCount> next_sequence_{};  // per channel, of ours
  RemoteIds remote_ids_;
  std::size_t remote_streams_ = 0;
  std::size_t local_streams_ = 0;

  std::array<Admission, kShareCount> admissions_;
  TimePoint assembly_check_ = kNever;
  TokenBucket useless_;
  TokenBucket cancels_;

  TimePoint goodbye_ends_ = kNever;  // once the owner has come round to a session that is closed
  Heartbeat heartbeat_;
  struct Drain {
    bool announced = false;                             // drain() was called
    std::array<std::uint64_t, kChannelCount> served{};  // then: the last streams of the other side's
    bool confirmed = false;                             // it has got the ends of all of them
    TimePoint give_up = kNever;                         // or it does not say so in time
    bool told = false;                                  // the other side drains
    bool confirmed_it = false;                          // it was told that our calls are done
  };
  Drain drain_;
  std::uint32_t next_health_ask_ = 0;
  std::vector<std::uint32_t> health_asks_;     // of ours, without an answer yet
  std::vector<std::uint32_t> health_answers_;  // that we owe
};

}  // namespace leat::session
