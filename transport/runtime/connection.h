// A link and the session on it, and who drives them.
//
// Whoever waits for something, drives: a client's thread that waits for its reply becomes the owner, polls
// the link, reads, and hands what it finds to the other waiting threads (followers). When it has what it
// wanted, one follower takes over. Threads that only send write for themselves and wake a parked owner only
// if it must wait for something else than before. A connection that nobody has driven for a millisecond is
// watched by the keeper; a server's connections are always watched by the server's reactor.
//
// Locks: mutex_ guards all state. It is never held while waiting, in user code, or while taking a lock other
// than the reactor's. Lock order: connection, then reactor.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <leat/peer.h>

#include "core/call/calls.h"
#include "transport/link/link.h"
#include "transport/runtime/fork_guard.h"
#include "transport/runtime/reactor.h"
#include "transport/runtime/wakeup.h"

namespace leat::transport {

class Connection;
class Keeper;

/// What a call's end of the connection is told, with the connection's lock held: note it and notify; nothing
/// else. Held by the connection until the call has ended.
class CallState : public std::enable_shared_from_this<CallState> {
 public:
  virtual ~CallState() = default;
  virtual void on_event(session::Event& event) = 0;

  /// Notified when something this call may wait for has happened.
  std::condition_variable changed;
};

/// What a server's connection does with requests.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  /// A call was opened; called with the connection's lock held. Returns the state that gets its events.
  virtual std::shared_ptr<CallState> on_request(Connection& connection, session::Event& opened,
                                                TimePoint now) = 0;
  /// The connection has shaken hands (`open`) or is over; no lock held.
  virtual void on_connection(Connection& connection, bool open, const Status& status) = 0;
};

struct ConnectionOptions {
  session::Options session;
  std::string url;  ///< for errors: what the user connected to, or the link's remote address
  RequestHandler* handler = nullptr;
  /// Asked at least every 50 ms, and on EINTR, while a thread waits; true ends the wait as kCancelled.
  std::function<bool()> interrupted;
};

class Connection final : public Source, public std::enable_shared_from_this<Connection>, private Receiver {
 public:
  using Lock = std::unique_lock<std::mutex>;
  /// Work to be done once the lock is released, on the thread that found it.
  using Task = std::function<void()>;

  Connection(std::unique_ptr<Link> link, ConnectionOptions options);
  ~Connection() override;

  /// The reactor that watches this connection, for good. Without one, waiting threads drive (and the keeper).
  void watch(Reactor& reactor);
  void set_keeper(std::shared_ptr<Keeper> keeper) { keeper_ = std::move(keeper); }

  // For calls. All of these take or want the lock.
  [[nodiscard]] Lock lock() { return Lock(mutex_); }
  [[nodiscard]] call::Calls& calls() noexcept { return calls_; }
  /// The stream's events go to this state, which is kept until the stream ends or is dropped.
  void keep(wire::StreamId stream, std::shared_ptr<CallState> state);
  void drop(wire::StreamId stream) noexcept { states_.erase(stream); }
  /// Sends what can be sent now. Inside a batch of inline handlers, whose answers leave together, it waits
  /// for that.
  void flush(Lock& lock);
  /// Runs when the lock is next released by the thread that pumps.
  void defer(Task task) { tasks_.push_back(std::move(task)); }
  /// Waits until `satisfied()`, which is asked with the lock held, or fails as kCancelled if interrupted.
  /// Drives if nobody else does.
  template <class Satisfied>
  Status wait(Lock& lock, CallState& state, Satisfied satisfied) {
    const std::function<bool()> condition = std::ref(satisfied);
    return satisfied() ? Status() : wait_for(lock, state, condition);
  }

  /// Blocks until the handshake is done; the reason if it fails.
  Status wait_ready();
  /// Says goodbye and closes the link. Calls in flight end as `code`.
  void close(Code code, std::string reason);
  [[nodiscard]] bool open() const noexcept { return open_.load(std::memory_order_acquire); }
  [[nodiscard]] bool was_open() const noexcept { return was_open_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string_view scheme() const noexcept { return link_->scheme(); }
  [[nodiscard]] const std::string& remote() const noexcept { return link_->remote(); }
  [[nodiscard]] const std::string& url() const noexcept { return options_.url; }
  [[nodiscard]] wire::Terms remote_terms();
  [[nodiscard]] bool saw_garbage();
  [[nodiscard]] PeerStats stats();
  void count_failure() noexcept { calls_failed_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] Link* link() const noexcept { return link_.get(); }

  // Source.
  [[nodiscard]] int descriptor() const noexcept override { return link_->descriptor(); }
  [[nodiscard]] bool wants_write() noexcept override { return wants_write_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool pending() noexcept override;
  [[nodiscard]] bool asks() const noexcept override { return asks_; }
  [[nodiscard]] TimePoint next_timeout() noexcept override;
  void service(TimePoint at) override;

  // For the keeper.
  /// Called about once a millisecond while the connection is on the keeper's list: true if it may leave the
  /// list (a thread has been driving it for long, the keeper's reactor watches it now, or it is over).
  bool keeper_tick(TimePoint at);

 private:
  static constexpr Duration kInterruptSlice = std::chrono::milliseconds(50);

  Space prepare(Lane lane) override;
  void commit(Lane lane, std::size_t size) override;
  void deliver(Lane lane, Bytes bytes) override;

  Status wait_for(Lock& lock, CallState& state, const std::function<bool()>& satisfied);
  Status drive(Lock& lock, const std::function<bool()>& satisfied);
  void leave_ownership();
  [[nodiscard]] bool asked_to_stop(Lock& lock) const;
  void pump(TimePoint at);
  void send_queued(TimePoint at);
  void handle_events(TimePoint at);
  void handle(session::Event& event, TimePoint at);
  void lost(Status status);
  void close_link();
  [[nodiscard]] bool has_unreported();
  void publish_interest();
  void run_tasks(Lock& lock);

  ConnectionOptions options_;
  ForkGuard process_;
  std::unique_ptr<Link> link_;
  const bool asks_;
  std::mutex mutex_;
  call::Calls calls_;
  session::Batch batch_;
  TimePoint now_;
  std::unordered_map<wire::StreamId, std::shared_ptr<CallState>> states_;
  std::vector<Task> tasks_;

  std::atomic<bool> open_{false};
  std::atomic<bool> was_open_{false};
  Status closed_status_;
  bool over_ = false;
  bool link_closed_ = false;
  bool send_again_ = false;
  std::shared_ptr<CallState> readiness_;

  // Who drives.
  Reactor* reactor_ = nullptr;
  std::atomic<Reactor::SourceId> source_id_{0};
  std::shared_ptr<Keeper> keeper_;
  Wakeup wakeup_;
  bool owned_ = false;
  bool parked_ = false;
  TimePoint parked_until_ = kNever;
  bool parked_for_write_ = false;
  TimePoint last_driven_;
  TimePoint owned_since_;
  bool on_keeper_list_ = false;
  bool adopted_ = false;  // the keeper's reactor watches
  std::deque<CallState*> followers_;
  std::thread::id corked_by_;

  // What the reactor reads without the lock.
  std::atomic<bool> wants_write_{false};
  std::atomic<TimePoint::rep> timeout_{TimePoint::max().time_since_epoch().count()};

  std::atomic<std::uint64_t> bytes_sent_{0};
  std::atomic<std::uint64_t> bytes_received_{0};
  std::atomic<std::uint64_t> calls_started_{0};
  std::atomic<std::uint64_t> calls_failed_{0};
};

}  // namespace leat::transport
