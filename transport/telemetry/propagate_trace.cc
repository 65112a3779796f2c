#include <array>
#include <cstdlib>
#include <string>
#include <sys/random.h>
#include <utility>

#include <leat/peer.h>
#include <leat/trace.h>

namespace leat {
namespace {

std::uint64_t system_random() {
  std::uint64_t value = 0;
  // Never short for so few bytes, and can't fail once the system is up.
  while (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
  }
  return value;
}

void append_hex(std::string& text, std::uint64_t value) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  for (unsigned shift = 64; shift != 0; shift -= 4) text += kHex[(value >> (shift - 4)) & 15U];
}

class PropagateTrace final : public Interceptor {
 public:
  explicit PropagateTrace(PropagateTraceOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "propagate_trace"; }

  /// All there is to do is done before the call starts.
  [[nodiscard]] std::unique_ptr<CallHooks> begin(CallDetails& call) override {
    std::optional<TraceContext> trace = trace_context(call.metadata);
    if (!trace && call.side == Side::kClient) {
      const Context* const handler = call.context != nullptr ? call.context : current_context();
      if (handler != nullptr) trace = trace_context(handler->metadata());
    }
    if (trace) {
      if (call.side == Side::kClient) trace->span_id = span_id();
    } else if (options_.create) {
      trace = begin_trace(call);
    }
    call.metadata.remove("traceparent");
    call.metadata.remove("tracestate");
    if (trace) {
      call.metadata.add("traceparent", trace->traceparent());
      if (!trace->state.empty()) call.metadata.add("tracestate", std::move(trace->state));
    }
    return nullptr;
  }

 private:
  std::uint64_t random() const { return options_.random ? options_.random() : system_random(); }
  std::string span_id() const {
    std::uint64_t value = 0;
    while (value == 0) value = random();
    std::string text;
    append_hex(text, value);
    return text;
  }
  TraceContext begin_trace(const CallDetails& call) const {
    TraceContext trace;
    append_hex(trace.trace_id, random());
    trace.trace_id += span_id();  // so not all zero
    trace.span_id = span_id();
    trace.sampled = options_.sample && options_.sample(call);
    return trace;
  }

  const PropagateTraceOptions options_;
};

}  // namespace

std::shared_ptr<Interceptor> propagate_trace(PropagateTraceOptions options) {
  return std::make_shared<PropagateTrace>(std::move(options));
}

}  // namespace leat
