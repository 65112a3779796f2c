// One lane of a connection: its link, and what is on its way out there. Guarded by the connection's lock.
#pragma once

#include <atomic>
#include <memory>

#include "core/base/lane.h"
#include "core/session/batch.h"
#include "core/session/session.h"
#include "transport/link/link.h"
#include "transport/runtime/reactor.h"

namespace leat::transport {

/// Puts what its link receives into its lane of the session.
class LaneEnd final : private Receiver {
 public:
  LaneEnd(Lane lane, std::unique_ptr<Link> link, session::Session& session)
      : lane_(lane),
        link_(std::move(link)),
        session_(session),
        descriptor_(link_->descriptor()),
        asks_(link_->scheme() != "tcp" && link_->scheme() != "ipc") {}

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] const Link* key() const noexcept { return link_.get(); }
  /// True if has_unreported() must be asked before every wait.
  [[nodiscard]] bool asks() const noexcept { return asks_; }
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  /// Reads what is there, about `limit` bytes at most, into the session.
  Result<std::size_t> receive(std::size_t limit, TimePoint at) {
    now_ = at;
    return link_->receive(*this, limit);
  }
  /// Sends what the session has for this lane, about `limit` bytes at most. Returns what was taken.
  Result<std::size_t> send(std::size_t limit, TimePoint at);
  /// True if something is left that can't go now.
  [[nodiscard]] bool unsent() const noexcept { return !batch_.empty() || session_.has_output(lane_); }
  /// True if what has begun to leave is half out.
  [[nodiscard]] bool half_sent() const noexcept { return !batch_.empty(); }
  /// True if there is something to do that no descriptor reports.
  [[nodiscard]] bool has_unreported() { return asks_ && !closed_ && (send_again_ || link_->pending()); }
  /// True if whoever polls should wait for room to write, too.
  [[nodiscard]] bool wants_write() const noexcept {
    return !closed_ && unsent() && (link_->wants_write() || send_again_);
  }
  /// Something may be sent, but not in this turn.
  void send_later() noexcept { send_again_ = true; }
  void close() noexcept {
    closed_ = true;
    if (link_) link_->close();
  }
  /// Gives the link away, open; nothing more may be done here.
  std::unique_ptr<Link> release() noexcept {
    closed_ = true;
    return std::move(link_);
  }
  /// In a forked child: the link is the parent's, and not ours to close.
  void disown() noexcept { static_cast<void>(link_.release()); }

  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::atomic<Reactor::SourceId> source_id{0};
  std::atomic<bool> published_write{false};  // what the reactor reads without the lock

 private:
  Space prepare() override {
    const session::FrameReader::Space space = session_.prepare(lane_);
    return {space.body, space.scratch};
  }
  void commit(std::size_t size) override {
    bytes_received += size;
    session_.commit(lane_, size, now_);
  }
  void deliver(Bytes bytes) override {
    bytes_received += bytes.size();
    session_.receive(lane_, bytes, now_);
  }

  const Lane lane_;
  std::unique_ptr<Link> link_;
  session::Session& session_;
  const int descriptor_;
  const bool asks_;
  bool closed_ = false;
  bool send_again_ = false;  // stopped at the limit, with more to send
  session::Batch batch_;
  TimePoint now_;
};

}  // namespace leat::transport
