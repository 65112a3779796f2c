// A peer as Python holds it.
#pragma once

#include <optional>
#include <utility>

#include <leat/peer.h>

#include "gil.h"

namespace leat::python {

/// Lets go of the connection without the GIL, since the last handle closes it.
class PeerHandle {
 public:
  explicit PeerHandle(Peer peer) : peer_(std::move(peer)) {}
  PeerHandle(PeerHandle&& other) noexcept : peer_(std::exchange(other.peer_, std::nullopt)) {}
  PeerHandle& operator=(PeerHandle&&) = delete;
  ~PeerHandle() {
    if (!peer_) return;
    const ReleaseGil released;
    peer_.reset();
  }
  [[nodiscard]] const Peer& peer() const noexcept { return *peer_; }

 private:
  std::optional<Peer> peer_;
};

}  // namespace leat::python
