// One epoll instance and what it watches: connections, listeners.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <leat/context.h>

#include "transport/runtime/wakeup.h"

namespace leat::transport {

/// Something that waits for a descriptor or for a time. All methods may be called from any thread.
class Source {
 public:
  virtual ~Source() = default;
  /// -1: only timeouts.
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
  [[nodiscard]] virtual bool wants_write() noexcept = 0;
  /// True if there is work that the descriptor won't report (Link::pending()).
  [[nodiscard]] virtual bool pending() noexcept = 0;
  /// True if pending() must be asked before every wait.
  [[nodiscard]] virtual bool asks() const noexcept = 0;
  [[nodiscard]] virtual TimePoint next_timeout() noexcept = 0;
  /// Does what there is to do; does not block.
  virtual void service(TimePoint now) = 0;
};

/// Thread-safe. turn() may be run by one thread at a time or by several; sources guard themselves.
class Reactor {
 public:
  using SourceId = std::uint64_t;

  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// 0 if the process is out of descriptors.
  SourceId add(std::shared_ptr<Source> source);
  /// After this returns no new service() begins, though one may be running.
  void remove(SourceId id);
  /// The source's interest or timeout has changed: looks again, waking a waiting turn() if need be.
  void update(SourceId id);
  /// Ends a waiting turn().
  void wake() noexcept { wakeup_.ring(); }

  /// Waits for events until `until` at most and serves them.
  void turn(TimePoint until);

  /// Readable when turn() has something to do, for nesting in another epoll instance.
  [[nodiscard]] int descriptor() const noexcept { return epoll_; }

 private:
  struct Entry {
    std::shared_ptr<Source> source;
    int fd = -1;
    std::uint32_t events = 0;
    TimePoint timeout = kNever;
  };
  void refresh(SourceId id, Entry& entry);
  std::shared_ptr<Source> find(SourceId id);
  void serve(SourceId id, TimePoint at);
  bool serve_pending();
  void pass_ring_on(bool blocking);

  int epoll_;
  Wakeup wakeup_;
  std::mutex mutex_;
  std::unordered_map<SourceId, Entry> entries_;
  std::map<SourceId, std::shared_ptr<Source>> asking_;
  std::multimap<TimePoint, SourceId> timeouts_;
  SourceId next_id_ = 1;
  int waiting_ = 0;  // threads inside a turn() that may block
  bool swallowed_ =
      false;  // a ring was cleared by a turn() that does not block; the next one that would must not
};

}  // namespace leat::transport
