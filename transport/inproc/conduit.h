// What lies between the two ends of an inproc link: a bounded queue of bytes each way.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <vector>

#include "transport/link/link.h"
#include "transport/link/socket.h"

namespace leat::transport {

/// An eventfd that is written only when it is not set yet. Guarded by its user's mutex.
class Signal {
 public:
  /// The errno of why not.
  static std::expected<Signal, int> make();

  [[nodiscard]] int descriptor() const noexcept { return event_.get(); }
  void raise() noexcept;
  void lower() noexcept;

 private:
  Descriptor event_;
  bool raised_ = false;
};

/// Two ends, 0 and 1. Thread-safe: each end may be used by a thread of its own.
///
/// Invariants:
///  1. An end's signal is raised whenever there is something to receive at it, or the other end has closed.
///  2. It is also raised once when there is room again after that end found none; receive() lowers it.
class Conduit {
 public:
  static std::expected<std::shared_ptr<Conduit>, int> make();

  [[nodiscard]] int descriptor(int end) const noexcept { return sides_.at(index(end)).signal.descriptor(); }
  [[nodiscard]] std::size_t room(int end);
  /// As Link::send, receive and close.
  Result<std::size_t> send(int end, std::span<const Slice> slices);
  Result<std::size_t> receive(int end, Receiver& receiver, std::size_t limit);
  void close(int end) noexcept;

 private:
  /// A run of bytes on its way: shared with the sender, or a block that small pieces are copied into.
  struct Piece {
    Bytes bytes;
    Buffer owner;
    std::vector<std::byte> block;  // not empty: the bytes are in here, and more may be added
  };
  struct Side {
    Signal signal;
    std::deque<Piece> inbound;
    std::size_t inbound_bytes = 0;
    bool wants_room = false;  // it was told that the other side's queue is full
    bool closed = false;
    bool lost = false;  // it was told that the other side is gone
  };

  static std::size_t index(int end) noexcept { return static_cast<std::size_t>(end); }
  Side& mine(int end) noexcept { return sides_.at(index(end)); }
  Side& other(int end) noexcept { return sides_.at(1 - index(end)); }
  static void append(Side& to, const Slice& slice, std::size_t offset, std::size_t size);
  static std::unexpected<Status> fail(Side& side);

  std::mutex mutex_;
  std::array<Side, 2> sides_;
};

}  // namespace leat::transport
