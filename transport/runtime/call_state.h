// One end of a call as the connection knows it: told of events, waited for by threads, watched by those that
// have no thread to wait with.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <utility>

#include <leat/service.h>

#include "core/session/event.h"
#include "transport/runtime/signal.h"

namespace leat::transport {

/// Everything here is guarded by the connection's lock. Held by the connection until the call has ended.
class CallState : public std::enable_shared_from_this<CallState> {
 public:
  CallState() = default;
  CallState(const CallState&) = delete;
  CallState& operator=(const CallState&) = delete;
  virtual ~CallState() = default;

  /// Note it; nothing else.
  virtual void on_event(session::Event& event) = 0;
  /// Whether the moment has come. For kWritable it must hold that an event follows when it comes later.
  [[nodiscard]] virtual bool has_come(Moment moment) = 0;

  [[nodiscard]] std::function<void()>& watcher(Moment moment) noexcept {
    return watchers_[static_cast<std::size_t>(moment)];
  }
  /// The watchers of moments that have come, each taken out once.
  template <class Take>
  void take_watchers(Take take) {
    for (const Moment moment : {Moment::kReadable, Moment::kWritable, Moment::kEnded}) {
      if (watcher(moment) && has_come(moment)) take(std::exchange(watcher(moment), nullptr));
    }
  }
  [[nodiscard]] bool watched() const noexcept { return watchers_[0] || watchers_[1] || watchers_[2]; }

  /// What this call waits for comes on the bulk lane, if there is one.
  bool bulk = false;
  /// Notified when something this call may wait for has happened.
  Signal changed;

 private:
  std::array<std::function<void()>, 3> watchers_;
};

}  // namespace leat::transport
