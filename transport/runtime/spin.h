// Whether a thread that waits should look again and again for a while before it sleeps. To be woken on
// another core costs 9 to 22 us on a virtual machine, which is as long as a call takes; but looking takes a
// processor from somebody, so it is done only where answers are known to come that soon, and there is a
// second processor.
#pragma once

#include <algorithm>
#include <chrono>

#include <leat/context.h>

namespace leat::transport {

/// Not thread-safe.
class Spin {
 public:
  /// `most`: how long to look at most; zero: never.
  Spin(Duration most, unsigned processors) noexcept : most_(processors > 1 ? most : Duration::zero()) {}

  /// How long to look now; zero: not at all.
  [[nodiscard]] Duration budget() const noexcept { return mean_ < most_ / 2 ? most_ : Duration::zero(); }
  /// It has taken so long until there was something, whether the thread looked or slept.
  void waited(Duration took) noexcept {
    // A long wait counts as four times the limit, so that it takes several short ones to begin anew.
    mean_ += (std::min(took, 4 * most_) - mean_) / 8;
  }

 private:
  const Duration most_;
  Duration mean_ = most_;  // running
};

}  // namespace leat::transport
