// A link and the session on it, and who drives them.
//
// Whoever waits for something, drives: a client's thread that waits for its reply polls the link, reads, and
// hands what it finds to the other waiting threads (followers). When it has what it wanted, one follower
// takes over. With two lanes there may be two drivers, so that a thread that moves bulk and one that calls
// don't wake each other for every frame: each polls its own lane, and the other's, too, when nobody has for a
// millisecond. Threads that only send write for themselves and wake a parked driver only if it must wait for
// something else than before. A connection that nobody has driven for a millisecond is watched by the keeper;
// a server's connections are always watched by the server's reactor.
//
// Locks: mutex_ guards all state. It is never held while waiting, in user code, or while taking a lock other
// than the reactor's. Lock order: connection, then reactor.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <leat/peer.h>

#include "core/base/id_map.h"
#include "core/call/calls.h"
#include "transport/link/link.h"
#include "transport/runtime/call_state.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/fork_guard.h"
#include "transport/runtime/histogram.h"
#include "transport/runtime/lane_end.h"
#include "transport/runtime/reactor.h"
#include "transport/runtime/spin.h"
#include "transport/runtime/wakeup.h"

namespace leat::transport {

class Connection;
class HealthAsk;
class Keeper;

/// Who answers the requests of a connection and is told of its life. Serves many connections.
class RequestHandler {
 public:
  RequestHandler() = default;
  RequestHandler(const RequestHandler&) = delete;
  RequestHandler& operator=(const RequestHandler&) = delete;
  virtual ~RequestHandler() = default;
  /// A call was opened; called with the connection's lock held. Returns the state that gets its events.
  virtual std::shared_ptr<CallState> on_request(Connection& connection, session::Event& opened,
                                                TimePoint now) = 0;
  /// The connection has shaken hands (`open`) or is over; no lock held.
  virtual void on_connection(Connection& connection, bool open, const Status& status) = 0;
  /// The other side takes no more calls on this connection; no lock held.
  virtual void on_going_away(Connection& /*connection*/, const Status& /*status*/) {}
  /// The session asks for its second lane: add_lane() or lane_refused() must follow; no lock held.
  virtual void on_lane_wanted(Connection& connection) = 0;
  /// A new link belongs to the session that gave out this token; no lock held.
  virtual void on_attach(Connection& connection, const wire::Token& token) = 0;
  /// What to tell of a service's health. Called with the connection's lock held.
  virtual wire::HealthState health(std::string_view service) = 0;
};

struct ConnectionOptions {
  session::Options session;
  std::string url;  ///< for errors: what the user connected to, or the link's remote address
  std::weak_ptr<RequestHandler> handler;
  /// Bytes of bulk that one turn reads, and writes, on the second lane before it looks at the first one
  /// again.
  std::size_t bulk_turn = 256U << 10U;
  /// The same while calls are active. Reading is the cheaper half; with smaller turns bulk loses more than
  /// the calls gain, with larger ones it is the other way round (docs/benchmarks.md, "Calls beside bulk").
  std::size_t bulk_read_beside = 128U << 10U;
  std::size_t bulk_write_beside = 64U << 10U;
  /// How long a thread that waits looks for what it waits for before it sleeps, where that pays.
  Duration spin{};
  /// Asked at least every 50 ms, and on EINTR, while a thread waits; true ends the wait as kCancelled.
  std::function<bool()> interrupted;
  /// Where calls made over this connection are timed.
  std::shared_ptr<Histogram> latency{};
};

class Connection final : public Source, public std::enable_shared_from_this<Connection> {
 public:
  using Lock = Signal::Lock;
  /// Work to be done once the lock is released, on the thread that found it.
  using Task = std::move_only_function<void()>;

  Connection(std::unique_ptr<Link> link, ConnectionOptions options);
  ~Connection() override;

  /// The reactor that watches this connection, for good. Without one, waiting threads drive (and the keeper).
  void watch(Reactor& reactor);
  void set_keeper(std::shared_ptr<Keeper> keeper) { keeper_ = std::move(keeper); }

  // For calls. All of these take or want the lock.
  [[nodiscard]] Lock lock() { return Lock(mutex_); }
  /// As lock(), for those who move bulk: lets others have it first.
  [[nodiscard]] Lock lock_for_bulk() {
    mutex_.give_way();
    return Lock(mutex_);
  }
  /// For a message that a stream is about to send.
  [[nodiscard]] Lock lock_to_send(const Payload& payload);
  [[nodiscard]] call::Calls& calls() noexcept { return calls_; }
  /// The stream's events go to this state, which is kept until the stream ends or is dropped.
  void keep(wire::StreamId stream, std::shared_ptr<CallState> state);
  void drop(wire::StreamId stream);
  /// True if no other call is under way, either way.
  [[nodiscard]] bool alone() const noexcept { return states_.size() < 2; }
  /// Sends what can be sent now. Inside a batch of inline handlers, whose answers leave together, it waits
  /// for that.
  void flush(Lock& lock);
  /// The same for messages of `bytes` that nobody waits for yet. What comes alone leaves at once; in a burst
  /// frames leave together: when somebody waits for anything, something arrives, 16 KiB stand there, 50 us
  /// have passed since the last write when the next one comes, or else within a millisecond or two (the
  /// keeper's tick).
  void flush_soon(Lock& lock, std::uint64_t bytes, TimePoint at = now());
  /// The application took a message of that stream: gives its credit back, which leaves with what stands
  /// there already or else at once.
  void consumed(Lock& lock, wire::StreamId stream, std::uint64_t wire_bytes);
  /// Runs when the lock is next released by the thread that pumps.
  void defer(Task task) { tasks_.push_back(std::move(task)); }
  /// Calls `notify` once the moment has come, with no lock held; at once if it has. Lets go of the lock.
  void watch_moment(Lock lock, CallState& state, Moment moment, std::function<void()> notify);
  /// Something about the state has changed by a command of this side: tells those who wait for it.
  void announce(CallState& state);
  /// Waits until `satisfied()`, which is asked with the lock held, or fails as kCancelled if interrupted, as
  /// kDeadlineExceeded after `until`. Drives if nobody else does.
  template <class Satisfied>
  Status wait(Lock& lock, CallState& state, Satisfied satisfied, TimePoint until = kNever) {
    if (satisfied()) {
      ++uses_;
      if (adopted_) take_back();
      return {};
    }
    const std::function<bool()> condition = std::ref(satisfied);
    return wait_for(lock, state, condition, until);
  }

  /// As wait(), for a handler that waits for something else than the link, until `until` at most; never
  /// drives. True if satisfied.
  template <class Satisfied>
  bool wait_until(Lock& lock, CallState& state, TimePoint until, Satisfied satisfied) {
    send_held_back();
    attend();
    while (!satisfied() && now() < until) state.changed.wait(lock, until);
    return satisfied();
  }

  /// Whether the other side says that it serves this. Blocks. kNotFound for what it doesn't have.
  Result<bool> ask_health(std::string_view service, TimePoint until);
  /// Takes no more calls, and closes when those that run are done.
  void drain(std::string reason);
  /// Blocks until the handshake is done; the reason if it fails.
  Status wait_ready();
  /// Says goodbye and closes the link. Calls in flight end as `code`.
  void close(Code code, std::string reason);
  [[nodiscard]] bool open() const noexcept { return open_.load(std::memory_order_acquire); }
  [[nodiscard]] bool was_open() const noexcept { return was_open_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string_view scheme() const noexcept { return scheme_; }
  [[nodiscard]] const std::string& remote() const noexcept { return remote_; }
  [[nodiscard]] const std::string& url() const noexcept { return options_.url; }
  [[nodiscard]] wire::Terms remote_terms();
  [[nodiscard]] bool saw_garbage();
  [[nodiscard]] PeerStats stats();
  /// A call that began then has ended, by an event that was just read. With the lock held.
  void count_end(TimePoint began) noexcept { count_end(began, now_); }
  void count_end(TimePoint began, TimePoint ended) noexcept {
    if (options_.latency) options_.latency->record(ended - began);
  }
  void count_failure() noexcept { calls_failed_.fetch_add(1, std::memory_order_relaxed); }

  // The second lane (core/session/session.h says how it comes about).
  /// Another link to the same peer, for bulk. False if the session does not want it; then it is closed.
  bool add_lane(std::unique_ptr<Link> link);
  /// The link that was asked for can't be had; bulk goes on as before.
  void lane_refused(Status why);
  /// This connection was made for the second lane of another: gives the link away and is over.
  std::unique_ptr<Link> release_link();
  /// Names of the two links, to tell who is meant by one without a descriptor; the second one may be nullptr.
  [[nodiscard]] const Link* link() const noexcept { return link_key_; }
  [[nodiscard]] const Link* bulk_link();
  /// What the other side proves with that a second lane is its own; the acceptor's.
  [[nodiscard]] const wire::Token& token() const noexcept { return options_.session.token; }

  // Source.
  [[nodiscard]] int descriptor() const noexcept override { return main_.descriptor(); }
  [[nodiscard]] bool wants_write() noexcept override {
    return main_.published_write.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool pending() noexcept override;
  [[nodiscard]] bool asks() const noexcept override { return main_.asks(); }
  [[nodiscard]] TimePoint next_timeout() noexcept override;
  /// A link without a descriptor may be meant by it, too; then both are looked at.
  void service(TimePoint at) override { service_lanes(at, main_.asks() ? kMainLane | kBulkLane : kMainLane); }

  // For the keeper.
  /// Called about once a millisecond, by the clock on the wall, while the connection is on the keeper's list:
  /// true if it may leave the list (a thread has been driving it for long, the keeper's reactor watches it
  /// now, or it is over).
  bool keeper_tick(TimePoint at);

 private:
  static constexpr Duration kInterruptSlice = std::chrono::milliseconds(50);

  class BulkSource;
  /// Which lanes have something to read, as bits.
  using Lanes = unsigned;
  static constexpr Lanes kMainLane = 1;
  static constexpr Lanes kBulkLane = 2;

  Status wait_for(Lock& lock, CallState& state, const std::function<bool()>& satisfied, TimePoint until);
  /// A thread that polls links and reads them.
  struct Driver {
    explicit Driver(Lanes own) noexcept : lane(own) {}
    const Lanes lane;
    CallState* waits = nullptr;  // for what; nobody drives here while there is none
    bool parked = false;         // polls at this moment, and until when
    TimePoint until = kNever;
    Lanes watches = 0;    // what it polls
    Lanes for_write = 0;  // of these, for room to write, too
    TimePoint since;
    TimePoint left;
    std::optional<Wakeup> wakeup;  // there from the first time on
    void ring() noexcept {
      if (parked) wakeup->ring();
    }
  };
  [[nodiscard]] bool driven() const noexcept {
    return main_driver_.waits != nullptr || bulk_driver_.waits != nullptr;
  }
  [[nodiscard]] bool two_lanes() const noexcept { return bulk_ && !bulk_->closed(); }
  /// Where a thread that waits for this may drive; nullptr: somebody does already.
  [[nodiscard]] Driver* free_driver(const CallState& state) noexcept;
  void ring_drivers() noexcept;
  Status drive(Lock& lock, Driver& driver, CallState& state, const std::function<bool()>& satisfied,
               TimePoint give_up);
  /// Waits until there is something to do; which lanes may have something to read.
  Lanes park(Lock& lock, Driver& driver, TimePoint give_up, Status& status);
  void leave(Driver& driver);
  /// Somebody who waits takes over, if anybody does and there is what to take. False: nobody.
  bool pass_on() noexcept;
  void attend();
  void send_held_back();
  [[nodiscard]] bool asked_to_stop(Lock& lock) const;
  void service_lanes(TimePoint at, Lanes readable);
  void pump(TimePoint at, Lanes readable);
  [[nodiscard]] std::size_t bulk_turn(std::size_t beside) const noexcept {
    return calls_.session().calls_active(now_) ? beside : options_.bulk_turn;
  }
  void receive(LaneEnd& lane, std::size_t limit, TimePoint at);
  void send_queued(TimePoint at);
  void send_lane(LaneEnd& lane, std::size_t limit, TimePoint at);
  [[nodiscard]] Reactor* watching() const noexcept;
  void register_with(Reactor& reactor);
  void unregister(LaneEnd& lane);
  void take_from_keeper();
  /// A thread finds here what it came for. If that goes on it can read by itself what it needs, which saves a
  /// wake-up of this thread for each: the keeper stops watching, unless somebody counts on it.
  void take_back();
  bool take_yield() noexcept;
  void handle_events(TimePoint at);
  void handle(session::Event& event, TimePoint at);
  void tell_handler(bool open);
  void answer_health(const session::Event& event);
  void lost(LaneEnd& lane, Status status);
  void close_links();
  [[nodiscard]] bool has_unreported();
  void publish_interest();
  void run_tasks(Lock& lock);

  ConnectionOptions options_;
  ForkGuard process_;
  const std::string scheme_;
  const std::string remote_;
  const Link* const link_key_;
  SharedLock mutex_;
  call::Calls calls_;
  LaneEnd main_;
  std::unique_ptr<LaneEnd> bulk_;     // once there, stays
  std::unique_ptr<Link> early_lane_;  // waits for the end of the handshake
  std::uint64_t bulk_moved_ = 0;
  TimePoint now_;
  IdMap<std::shared_ptr<CallState>> states_;
  std::vector<Task> tasks_;
  std::vector<Task> spare_tasks_;  // memory for the next ones
  TimePoint written_at_;
  std::uint64_t unflushed_ = 0;  // bytes left to flush_soon()'s others
  std::size_t armed_ = 0;        // watchers that wait for their moment

  std::atomic<bool> open_{false};
  std::atomic<bool> was_open_{false};
  Status closed_status_;
  bool over_ = false;
  bool handling_ = false;  // events
  bool links_closed_ = false;
  std::shared_ptr<CallState> readiness_;
  std::unordered_map<std::uint32_t, std::shared_ptr<HealthAsk>> health_asks_;

  // Who drives.
  Reactor* reactor_ = nullptr;
  std::shared_ptr<Keeper> keeper_;
  Driver main_driver_{kMainLane};
  Driver bulk_driver_{kBulkLane};
  TimePoint last_driven_;
  Spin spin_;
  bool on_keeper_list_ = false;
  bool adopted_ = false;     // the keeper's reactor watches
  unsigned uses_ = 0;        // by threads that found here what they came for, since the keeper's last tick
  unsigned found_here_ = 0;  // how often, since then, what a thread waited for was there
  std::deque<CallState*> followers_;
  std::thread::id corked_by_;

  // What the reactor reads without the lock.
  std::atomic<TimePoint::rep> timeout_{TimePoint::max().time_since_epoch().count()};

  std::atomic<std::uint64_t> calls_started_{0};
  std::atomic<std::uint64_t> calls_failed_{0};
};

}  // namespace leat::transport
