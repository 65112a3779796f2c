#pragma once

#include <leat/status.h>

namespace leat::transport {

/// An eventfd: one thread waits for the descriptor to become readable, any thread rings. Rings between two
/// clear()s count once. Without a descriptor left in the process it is never readable: check valid().
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  void ring() noexcept;
  void clear() noexcept;

 private:
  int fd_;
};

/// For the life of this object the calling thread takes no signals, so that threads made meanwhile take none
/// either.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept;
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  alignas(8) unsigned char old_[128];
};

}  // namespace leat::transport
