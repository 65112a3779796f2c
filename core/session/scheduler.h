// Which frame goes next. On lane 0 control goes first, up to a share; stream, rpc and bulk share by deficit
// round robin over bytes (Shreedhar and Varghese, SIGCOMM 1995), so that each keeps a guaranteed minimum;
// inside a channel the streams take turns. Lane 1 has nothing but bulk, whose streams take turns too.
//
// Bulk yields to calls: while they are active its pieces are smaller and less of it may be in flight. Calls
// count as active while a frame of the stream or rpc channel waits to be sent, and for a while after each
// such frame, sent or received. That is one comparison a frame, and errs on the side of the calls.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <leat/context.h>

#include "core/base/lane.h"
#include "core/session/batch.h"
#include "core/session/channel_credit.h"
#include "core/session/express_line.h"
#include "core/session/scheduler_options.h"
#include "core/session/send_rate.h"
#include "core/session/stream.h"

namespace leat::session {

class Scheduler {
 public:
  /// Options out of their documented bounds are moved into them.
  explicit Scheduler(const SchedulerOptions& options);

  /// A control frame, header and body.
  void add_control(Buffer frame) { control_.push_back({std::move(frame), false}); }
  /// One that answers the other side; these are counted.
  void add_answer(Buffer frame) {
    answer_bytes_ += frame.size();
    control_.push_back({std::move(frame), true});
  }
  void drop_answers() noexcept {
    std::erase_if(control_, [](const Control& control) { return control.answer; });
    answer_bytes_ = 0;
  }
  void drop_control() noexcept {
    control_.clear();
    answer_bytes_ = 0;
  }
  /// Control frames stand in line for the main lane.
  [[nodiscard]] bool has_control() const noexcept { return !control_.empty(); }
  /// Bytes of answers that are not out yet.
  [[nodiscard]] std::size_t answer_bytes() const noexcept { return answer_bytes_; }
  /// One that opens lane 1.
  void add_to_bulk_lane(Buffer frame) { lane_control_.push_back(std::move(frame)); }
  /// Where small frames of this stream, `frames` bytes with a message of `body` among them, may be appended
  /// as bytes, after join_line(); nullptr if they must wait in the stream's queue. What stands in line goes
  /// before all that waits in queues, and nothing joins it once something waits there: first come, first
  /// served.
  [[nodiscard]] ExpressLine* line(const Stream& stream, std::size_t frames, std::uint64_t body) noexcept;
  /// `body` bytes of a message are about to be appended.
  void join_line(Stream& stream, std::uint64_t body) noexcept;
  /// True if the frame that opens the stream has gone into a batch.
  [[nodiscard]] bool open_sent(const Stream& stream) const noexcept;
  /// Takes the frame that opens the stream back: true if it was the last in line, and nothing has gone.
  bool withdraw(const Stream& stream) noexcept;
  /// The line that the frame which opens the stream stands in.
  [[nodiscard]] ExpressLine& line_of(const Stream& stream) noexcept {
    return rounds_[index(stream.send_channel)].line;
  }
  /// What stands in line is sent no more.
  void drop_lines() noexcept;
  /// The stream has something to send and the credit for it. Does nothing if it stands in its round already.
  void add(Stream& stream);
  /// The stream is about to go, or its channel to change.
  void remove(Stream& stream) noexcept;

  /// Bulk streams that have sent nothing wait: a second lane is on its way, and they would stay on the first
  /// one.
  void hold_bulk() noexcept { hold_bulk_ = true; }
  /// They need not wait any longer.
  void release_bulk();
  /// From now on bulk streams that have sent nothing go on lane 1.
  void open_bulk_lane() {
    bulk_lane_ = true;
    release_bulk();
  }
  /// Nothing more is sent on lane 1.
  void close_bulk_lane() {
    bulk_lane_ = false;
    lane_control_.clear();
    release_bulk();
  }

  /// A frame of this channel was sent or received.
  void touch(Channel channel, TimePoint now) noexcept {
    if (channel != Channel::kStream && channel != Channel::kRpc) return;
    active_until_ = now + options_.active_for;
    if (channel == Channel::kRpc) rpc_active_until_ = active_until_;
  }
  [[nodiscard]] bool calls_active(TimePoint now) const noexcept;
  /// The same of the rpc channel alone.
  [[nodiscard]] bool rpc_active(TimePoint now) const noexcept {
    return now < rpc_active_until_ || rounds_[index(Channel::kRpc)].ready() > 0;
  }

  [[nodiscard]] ChannelSend& channel(Channel channel) noexcept { return credit_[index(channel)]; }
  [[nodiscard]] const ChannelSend& channel(Channel channel) const noexcept { return credit_[index(channel)]; }

  /// True if nothing may be sent now; what waits for credit does not count.
  [[nodiscard]] bool idle(Lane lane) const noexcept;

  /// Appends frames to the batch until it holds about `budget` bytes, is full, or nothing is left that may be
  /// sent.
  void fill(Lane lane, Batch& batch, std::size_t budget, TimePoint now);

  /// Streams whose frames went into a batch since last asked, once each. The session empties it.
  std::vector<Stream*>& served() noexcept { return served_; }

 private:
  struct Round {
    [[nodiscard]] std::size_t ready() const noexcept { return streams.size() + (line.empty() ? 0 : 1); }
    ExpressLine line;  // goes first
    std::deque<Stream*> streams;
    std::deque<Stream*> waiting;  // for the channel's credit; first when it comes
    std::int64_t deficit = 0;
  };
  static constexpr std::size_t kBulkLaneRound = kChannelCount;

  static constexpr std::size_t index(Channel channel) noexcept { return static_cast<std::size_t>(channel); }
  [[nodiscard]] Round& round(const Stream& stream) noexcept {
    return rounds_[stream.send_lane == Lane::kBulk ? kBulkLaneRound : index(stream.send_channel)];
  }
  [[nodiscard]] std::uint64_t room(Channel channel) const noexcept;
  [[nodiscard]] bool passes(Stream& stream) const noexcept;
  Stream* front(Round& round) noexcept;
  [[nodiscard]] bool has_next(Round& round) noexcept {
    return !round.line.empty() || front(round) != nullptr;
  }
  Round* next_round() noexcept;
  [[nodiscard]] bool control_turn() noexcept;
  /// True if another channel than control (and this one) has something that may be sent on lane 0.
  [[nodiscard]] bool others_wait(const Round* besides = nullptr) const noexcept;
  [[nodiscard]] bool may_send(const Round& round) const noexcept;
  void push(Stream& stream);
  [[nodiscard]] std::size_t chunk(Channel channel) const noexcept;
  void fill_main(Batch& batch, std::size_t budget);
  void fill_bulk(Batch& batch, std::size_t budget);
  std::size_t serve(Round& round, Batch& batch);
  std::size_t send_frame(Stream& stream, Batch& batch);
  std::size_t send_piece(Stream& stream, Outgoing& item, Batch& batch);

  SchedulerOptions options_;
  std::array<std::int64_t, kChannelCount> quantum_;
  struct Control {
    Buffer frame;
    bool answer;
  };
  std::deque<Control> control_;
  std::size_t answer_bytes_ = 0;
  std::deque<Buffer> lane_control_;
  std::array<Round, kChannelCount + 1> rounds_;
  // Of lane 0, so that the usual cases, nothing to send or only one channel with something, are seen at once.
  std::size_t ready_ = 0;    // streams in the rounds, and lines that are not empty
  std::size_t waiting_ = 0;  // that wait for their channel's credit
  std::array<ChannelSend, kChannelCount> credit_;
  std::size_t turn_ = 0;
  bool fresh_turn_ = true;
  bool bulk_lane_ = false;
  bool hold_bulk_ = false;
  std::deque<Stream*> held_;
  std::int64_t control_left_;  // of control's share
  TimePoint now_;
  TimePoint active_until_;
  TimePoint rpc_active_until_;
  bool active_ = false;  // as of the turn that is being filled
  std::size_t piece_;
  SendRate rate_;
  std::vector<Stream*> served_;
};

/// True if the stream's next frame may go as far as the stream is concerned: it is no message, or there is
/// credit for a piece of it.
[[nodiscard]] bool can_send(Stream& stream) noexcept;

}  // namespace leat::session
