// Distributed traces: the headers `traceparent` and `tracestate` of the W3C Recommendation "Trace Context"
// (https://www.w3.org/TR/trace-context-1/), as metadata of calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <leat/interceptor.h>
#include <leat/metadata.h>

namespace leat {

struct TraceContext {
  std::string trace_id;  ///< 32 lower-case hexadecimal digits, not all zero
  std::string span_id;   ///< 16 of them: who calls ("parent-id" in the Recommendation)
  bool sampled = false;  ///< the caller may have recorded its part
  std::string state;     ///< tracestate, vendors' own; empty: none

  /// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  [[nodiscard]] std::string traceparent() const;
};

/// What metadata says of a trace, for a handler's own logs: trace_context(context.metadata()). nullopt if
/// there is no traceparent, more than one, or an invalid one. An invalid tracestate is as none.
[[nodiscard]] std::optional<TraceContext> trace_context(const Metadata& metadata);

struct PropagateTraceOptions {
  /// A call that belongs to no trace begins one; else it stays without.
  bool create = true;
  /// Whether a new trace is marked as sampled; empty: never.
  std::function<bool(const CallDetails&)> sample{};
  /// 64 random bits, from many threads; empty: the system's.
  std::function<std::uint64_t()> random{};
};

/// Client: a call carries the trace that its metadata names, else the one of the handler it is made for, else
/// a new one; each call with a span id of its own. Server: invalid headers are dropped before the handler
/// sees them, several tracestate entries are joined, and a call that comes without a trace begins one. A
/// handler's trace is carried on by the calls that it makes if their peer propagates, too.
[[nodiscard]] std::shared_ptr<Interceptor> propagate_trace(PropagateTraceOptions options = {});

}  // namespace leat
