#pragma once

#include <unistd.h>

namespace leat::transport {

/// Remembers the process that made it. A forked child has copies of our objects but none of our threads, and
/// shares our sockets: whatever it would send or close there is the parent's.
class ForkGuard {
 public:
  [[nodiscard]] bool forked() const noexcept { return ::getpid() != pid_; }

 private:
  pid_t pid_ = ::getpid();
};

}  // namespace leat::transport
