// What a link has handed to ZeroMQ and the kernel has not taken yet. ZeroMQ has no bound of its own here (its
// marks are off, since at them it drops), so this is what keeps the queue below the scheduler short: the free
// callback of each message says when its bytes are gone.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include <zmq.hpp>

#include "transport/link/link.h"
#include "transport/link/socket.h"

namespace leat::transport {

/// An eventfd that any thread may write.
class Bell {
 public:
  /// The errno of why not.
  static std::expected<std::shared_ptr<Bell>, int> make();
  [[nodiscard]] int descriptor() const noexcept { return event_.get(); }
  void ring() const noexcept;
  void clear() const noexcept;

 private:
  Descriptor event_;
};

/// Thread-safe: the callbacks come from ZeroMQ's threads.
class Flight : public std::enable_shared_from_this<Flight> {
 public:
  /// `bell` is rung when there is room again after budget() or cut() found none.
  explicit Flight(std::shared_ptr<Bell> bell) noexcept : bell_(std::move(bell)) {}

  /// Room for this many bytes; 0 asks for the bell.
  [[nodiscard]] std::size_t budget() noexcept;
  /// True once after the bell was rung for this link.
  [[nodiscard]] bool take_room() noexcept { return has_room_.exchange(false); }

  /// Cuts slices into messages: small ones copied together, large ones by reference, as long as there is
  /// room. `emit` sends one and returns false if it can't. Returns how many bytes were emitted.
  std::size_t cut(std::span<const Slice> slices, const std::function<bool(zmq::message_t)>& emit);

  /// A message that carries nothing, to be sent behind an empty first part. `gone` runs when the kernel has
  /// taken all that was sent before it, on whichever thread that is.
  ///
  /// ZeroMQ frees a small message when it is copied into an 8 KiB buffer, and forgets that buffer if the
  /// socket is closed while the kernel is full. Behind this padding, only padding can be forgotten.
  static zmq::message_t padding(std::function<void()> gone);

 private:
  struct Parcel;
  static void release(void* data, void* hint);
  void landed(std::size_t size) noexcept;

  std::shared_ptr<Bell> bell_;
  std::atomic<std::size_t> bytes_ = 0;
  std::atomic<bool> starved_ = false;
  std::atomic<bool> has_room_ = false;
};

}  // namespace leat::transport
