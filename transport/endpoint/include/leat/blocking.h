// For languages with a lock of their own, such as Python's GIL. To let go of such a lock before every use of
// Leat and to take it back after costs milliseconds where another thread is busy with it; so who does
// something that waits for nobody keeps it, and lets go only if one of Leat's own locks is taken.
#pragma once

namespace leat {

/// While one lives on a thread, it is told before the thread waits for a lock of Leat's, or closes a peer or
/// a server with its last handle. They nest; the innermost is told. Only for what does not wait otherwise:
/// Caller::start(), and of a ClientCall or ServerCall try_read(), try_write(), ended(), when(), half_close(),
/// cancel(), and finish() once ended().
class BeforeBlocking {
 public:
  BeforeBlocking(const BeforeBlocking&) = delete;
  BeforeBlocking& operator=(const BeforeBlocking&) = delete;

  /// Called by Leat, on the thread that is about to wait.
  static void tell() noexcept {
    if (innermost() != nullptr) innermost()->about_to_block();
  }

 protected:
  BeforeBlocking() noexcept : outer_(innermost()) { innermost() = this; }
  ~BeforeBlocking() { innermost() = outer_; }

 private:
  virtual void about_to_block() noexcept = 0;
  static BeforeBlocking*& innermost() noexcept {
    thread_local BeforeBlocking* innermost = nullptr;
    return innermost;
  }
  BeforeBlocking* outer_;
};

}  // namespace leat
