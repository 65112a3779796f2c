#include "stats.h"

#include "options.h"

namespace leat::python {

py::dict from_latency(const LatencyStats& latency) {
  py::dict result;
  result["count"] = latency.count;
  result["sum"] = to_seconds(latency.sum);
  result["p50"] = to_seconds(latency.p50);
  result["p90"] = to_seconds(latency.p90);
  result["p99"] = to_seconds(latency.p99);
  result["p999"] = to_seconds(latency.p999);
  return result;
}

}  // namespace leat::python
