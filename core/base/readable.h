// Lengths of time as error messages tell them.
#pragma once

#include <chrono>
#include <string>

#include <leat/context.h>

namespace leat {

/// "30 s", "1.5 s", "200 ms", "0.5 ms".
[[nodiscard]] inline std::string readable(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  const bool seconds = us >= 1'000'000;
  const auto tenths = us / (seconds ? 100'000 : 100);
  const std::string tail = tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10);
  return std::to_string(tenths / 10) + tail + (seconds ? " s" : " ms");
}

}  // namespace leat
