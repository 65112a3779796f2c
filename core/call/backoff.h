// How long to wait before the next try: exponential, with jitter, so that many who lost the same peer do not
// come back all at once.
#pragma once

#include <leat/context.h>

namespace leat::call {

/// As gRPC's connection-backoff.md, which begins at 1 s and ends at 120 s: between processes on a bench or in
/// a rack a restarted peer is back sooner, and one attempt to connect is cheap.
struct BackoffPolicy {
  Duration initial = std::chrono::milliseconds(50);
  double multiplier = 1.6;
  Duration max = std::chrono::seconds(10);  ///< before jitter
  double jitter = 0.2;                      ///< of the delay, to both sides
};

/// The delay after `failures` tries in a row have failed (1: the first). `random` is uniform in [0, 1): the
/// caller's, so that what happens can be made to happen again.
[[nodiscard]] Duration backoff_delay(const BackoffPolicy& policy, unsigned failures, double random) noexcept;

/// The delays of one thing that is tried until it succeeds. Not thread-safe.
class Backoff {
 public:
  explicit Backoff(const BackoffPolicy& policy = {}) : policy_(policy) {}

  /// Another try has failed: how long to wait.
  [[nodiscard]] Duration next(double random) noexcept { return backoff_delay(policy_, ++failures_, random); }
  /// It has succeeded: the next failure begins anew. For connections: when the handshake is done, not when
  /// the socket is open, or a server that accepts and closes would be asked without a pause.
  void reset() noexcept { failures_ = 0; }
  [[nodiscard]] unsigned failures() const noexcept { return failures_; }

 private:
  BackoffPolicy policy_;
  unsigned failures_ = 0;
};

}  // namespace leat::call
