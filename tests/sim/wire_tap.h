// Reads along what the network carries, with nothing but the frame header's layout.
#pragma once

#include <vector>

#include "tests/sim/observer.h"

namespace leat::sim {

/// One lane in one direction, at one place: frames as their last byte passes.
class WireTap {
 public:
  using Told = void (Observer::*)(const Frame&);
  WireTap(const Observers& observers, Told told, EndKey from, Lane lane)
      : observers_(&observers), told_(told) {
    frame_.from = from;
    frame_.lane = lane;
  }
  void pass(Bytes bytes);

 private:
  void finish();

  const Observers* observers_;
  Told told_;
  Frame frame_;
  std::vector<std::byte> kept_;  // the header, then what is kept of the body
  std::size_t body_left_ = 0;
  std::size_t body_keep_ = 0;
};

}  // namespace leat::sim
