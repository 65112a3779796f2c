// Figures, as Python gets them.
#pragma once

#include <leat/peer.h>

#include "python.h"

namespace leat::python {

/// count, and in seconds: sum, p50, p90, p99, p999.
[[nodiscard]] py::dict from_latency(const LatencyStats& latency);

}  // namespace leat::python
