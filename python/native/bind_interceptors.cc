// The interceptors that come with Leat, for leat.interceptors.
#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/stl.h>

#include <leat/log_calls.h>
#include <leat/metrics.h>
#include <leat/trace.h>

#include "bindings.h"
#include "interceptor.h"
#include "logger.h"
#include "options.h"
#include "stats.h"

namespace leat::python {
namespace {

InterceptorHandle make_log_calls(const py::object& logger, int level, int failed_level,
                                 const py::object& slower_than) {
  LogCallsOptions options;
  options.slower_than = to_duration(slower_than, "slower_than").value_or(Duration::max());
  return {log_calls(
      [write = make_logger_to(logger), level, failed_level](LogLevel severity, std::string_view line) {
        write(severity == LogLevel::kInfo ? level : failed_level, line);
      },
      options)};
}

InterceptorHandle make_propagate_trace(bool create, double sample) {
  if (std::isnan(sample) || sample < 0 || sample > 1)
    throw py::value_error("sample is a share of the new traces, from 0 to 1");
  PropagateTraceOptions options;
  options.create = create;
  options.sample = [sample](const CallDetails& /*call*/) {
    thread_local std::mt19937_64 random{std::random_device()()};
    return std::uniform_real_distribution<double>()(random) < sample;
  };
  return {propagate_trace(std::move(options))};
}

/// trace id, span id, sampled, state; or None.
py::object find_trace(const py::object& metadata) {
  const std::optional<TraceContext> trace = trace_context(to_metadata(metadata));
  if (!trace) return py::none();
  return py::make_tuple(trace->trace_id, trace->span_id, trace->sampled, trace->state);
}

struct MetricsHandle : InterceptorHandle {
  explicit MetricsHandle(const std::shared_ptr<Metrics>& made) : InterceptorHandle{made}, metrics(made) {}
  std::shared_ptr<Metrics> metrics;
};

std::unique_ptr<MetricsHandle> make_metrics(std::vector<double> buckets, std::size_t max_methods) {
  constexpr std::size_t kMostBuckets = 32;  // metrics.h
  if (buckets.size() > kMostBuckets || !std::ranges::is_sorted(buckets, std::ranges::less_equal()))
    throw py::value_error("buckets are at most 32 bounds in seconds, each above the one before");
  MetricsOptions options;
  options.buckets = std::move(buckets);
  options.max_methods = max_methods;
  return std::make_unique<MetricsHandle>(std::make_shared<Metrics>(std::move(options)));
}

py::dict to_dict(const MethodMetrics& method) {
  py::dict ended;
  for (std::size_t code = 0; code < method.ended.size(); ++code) {
    if (method.ended.at(code) != 0)
      ended[py::str(std::string(code_name(static_cast<Code>(code))))] = method.ended.at(code);
  }
  py::dict result;
  result["side"] = std::string(side_name(method.side));
  result["service"] = method.service;
  result["method"] = method.method;
  result["started"] = method.started;
  result["ended"] = ended;
  result["in_flight"] = method.in_flight;
  result["messages_sent"] = method.messages_sent;
  result["messages_received"] = method.messages_received;
  result["bytes_sent"] = method.bytes_sent;
  result["bytes_received"] = method.bytes_received;
  result["latency"] = from_latency(method.latency);
  return result;
}

}  // namespace

void bind_interceptors(py::module_& module) {
  py::class_<InterceptorHandle>(module, "NativeInterceptor");
  py::class_<MetricsHandle, InterceptorHandle>(module, "Metrics")
      .def(py::init(&make_metrics), py::arg("buckets"), py::arg("max_methods"))
      .def("methods",
           [](const MetricsHandle& self) {
             py::list methods;
             for (const MethodMetrics& method : self.metrics->methods()) methods.append(to_dict(method));
             return methods;
           })
      .def("prometheus", [](const MetricsHandle& self) { return self.metrics->prometheus(); });
  module.attr("METRICS_CONTENT_TYPE") = std::string(Metrics::kContentType);
  module.def("log_calls", &make_log_calls, py::arg("logger"), py::arg("level"), py::arg("failed_level"),
             py::arg("slower_than"));
  module.def("propagate_trace", &make_propagate_trace, py::arg("create"), py::arg("sample"));
  module.def("trace_context", &find_trace, py::arg("metadata"), py::pos_only());
}

}  // namespace leat::python
