// One log line for every call. The library itself is silent without a logger, and with one says only what is
// out of the ordinary.
#pragma once

#include <functional>
#include <memory>

#include <leat/interceptor.h>
#include <leat/peer.h>

namespace leat {

struct LogCallsOptions {
  LogLevel ok = LogLevel::kInfo;
  LogLevel failed = LogLevel::kWarning;
  /// Calls that end well and sooner than this are not logged.
  Duration slower_than{};
  /// Where the time comes from; empty: Leat's own clock.
  std::function<TimePoint()> clock{};
};

/// When a call ends, one line of key=value fields, in this order:
///
///   call side=server service=imaging.Microscope method=Snap kind=unary peer=tcp://127.0.0.1:40312 status=ok
///   duration_ms=1.284 sent=1 sent_bytes=131104 received=1 received_bytes=24
///   trace_id=4bf92f3577b34da6a3ce929d0e0e4736 message="why it failed"
///
/// (in one line). sent and received count messages as this side sees them. trace_id stands there if the call
/// carries a valid one (put propagate_trace() before this in the list), message if it failed. A value with
/// other than letters, digits and "-_.:/+@[]%*" is in quotes, with \", \\, \n and \xNN inside. The logger is
/// called on the thread that runs the hooks (leat/interceptor.h).
[[nodiscard]] std::shared_ptr<Interceptor> log_calls(Logger logger, LogCallsOptions options = {});

}  // namespace leat
