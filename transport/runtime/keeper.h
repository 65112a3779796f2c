// One thread per process that looks after connections nobody drives: it notices their loss and answers their
// heartbeats. It runs no user code. A server's reactor is handed to it while an inline handler overruns.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "transport/runtime/connection.h"
#include "transport/runtime/fork_guard.h"
#include "transport/runtime/reactor.h"

namespace leat::transport {

class Keeper : public std::enable_shared_from_this<Keeper> {
 public:
  /// The process's keeper; made when the first connection needs one, gone with the last.
  static std::shared_ptr<Keeper> shared();
  explicit Keeper() = default;
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Puts the connection on the list of those that are looked at every millisecond.
  void note(std::weak_ptr<Connection> connection);
  /// Starts the thread if need be, for what is about to be added to reactor(). May be called with a
  /// connection's lock held.
  void wake_up();
  /// Something with a tick of its own: asked every millisecond while it says so.
  class Ticked {
   public:
    virtual ~Ticked() = default;
    /// False: needs no more ticks until noted again.
    virtual bool keeper_tick(TimePoint now) = 0;  // by the clock on the wall
  };
  void note(std::weak_ptr<Ticked> ticked);

  [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }

 private:
  static void retire(Keeper* keeper) noexcept;
  void start_locked();
  void run();
  bool tick(TimePoint at);

  ForkGuard process_;
  Reactor reactor_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::vector<std::weak_ptr<Ticked>> ticked_;
  bool sleeping_ = false;
  std::atomic<bool> stopping_{false};
  bool orphaned_ = false;  // read and written on the keeper's own thread
  std::thread thread_;
};

}  // namespace leat::transport
