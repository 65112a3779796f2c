// SIGTERM as something to wait for.
#pragma once

#include <leat/context.h>

#include "transport/runtime/wakeup.h"

namespace leat::transport {

/// While one lives, SIGTERM rings it instead of ending the process, unless the program has a handler of its
/// own or ignores the signal. Several may live at once: all are rung. The disposition is put back with the
/// last one.
class TerminationWatch {
 public:
  /// `sigterm` false: only wake() ends a wait.
  explicit TerminationWatch(bool sigterm = true);
  ~TerminationWatch();
  TerminationWatch(const TerminationWatch&) = delete;
  TerminationWatch& operator=(const TerminationWatch&) = delete;

  /// Waits for the signal, for wake(), or until `until`; true if SIGTERM has come.
  bool wait(TimePoint until);
  /// Ends a wait(). Any thread.
  void wake() noexcept { wakeup_.ring(); }

 private:
  const bool sigterm_;
  Wakeup wakeup_;
};

}  // namespace leat::transport
