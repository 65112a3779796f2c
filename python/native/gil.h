// Who holds the GIL when. The rules (DESIGN, "Threads"): nobody waits, or blocks on a mutex of Leat's, while
// holding the GIL, and nobody takes the GIL while holding such a mutex.
#pragma once

#include <cstdint>
#include <utility>

#include <leat/blocking.h>
#include <leat/bytes.h>

#include "python.h"

namespace leat::python {

/// Takes the GIL on a thread of Leat's, for the life of the object. The thread keeps its Python state from
/// one time to the next, so that taking the GIL again costs no more than the lock. Check held(): at
/// interpreter exit it is false, and no Python may be touched.
class TakeGil {
 public:
  TakeGil() noexcept;
  ~TakeGil();
  TakeGil(const TakeGil&) = delete;
  TakeGil& operator=(const TakeGil&) = delete;
  [[nodiscard]] bool held() const noexcept { return held_; }

 private:
  PyGILState_STATE state_ = PyGILState_UNLOCKED;
  bool held_ = false;
};

/// Keeps the GIL, and lets it go only if a lock of Leat's is taken: for what waits for nothing else
/// (leat/blocking.h). Messages of that many bytes or more take their time all the same, and let it go at
/// once.
class ReleaseGilIfTaken final : BeforeBlocking {
 public:
  explicit ReleaseGilIfTaken(std::uint64_t bytes = 0) noexcept {
    if (bytes >= kLarge) about_to_block();
  }
  ~ReleaseGilIfTaken();

 private:
  static constexpr std::uint64_t kLarge = 64U << 10U;
  void about_to_block() noexcept override;
  PyThreadState* saved_ = nullptr;
};

/// Lets the GIL go for the life of the object, if this thread has it.
class ReleaseGil {
 public:
  ReleaseGil() noexcept : saved_(PyGILState_Check() != 0 ? PyEval_SaveThread() : nullptr) {}
  ~ReleaseGil() {
    if (saved_ != nullptr) restore(saved_);
  }
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;

 private:
  static void restore(PyThreadState* state) noexcept;
  PyThreadState* saved_;
};

/// What `body` returns, without the GIL.
template <class F>
auto without_gil(F&& body) {
  const ReleaseGil released;
  return std::forward<F>(body)();
}

/// After this no thread of Leat's takes the GIL any more. Called once, at interpreter exit, with the GIL.
void forbid_python() noexcept;
[[nodiscard]] bool python_forbidden() noexcept;

/// A buffer over memory that a Python object owns; the GIL is held. The last buffer may go on any thread,
/// with any lock held: the reference is then put aside and dropped by the next thread that comes by with the
/// GIL.
[[nodiscard]] Buffer wrap_object(py::object owner, Bytes bytes);
/// A reference that may go on any thread, in the same way.
class SharedObject {
 public:
  explicit SharedObject(py::object object) noexcept : object_(object.release().ptr()) {}
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;
  ~SharedObject();
  [[nodiscard]] PyObject* get() const noexcept { return object_; }

 private:
  PyObject* object_;
};
/// Drops the references put aside. The GIL is held.
void drop_put_aside() noexcept;

/// To be called once, while the module is loaded.
void learn_main_thread();
/// True if the user has pressed Ctrl-C (the Python error is then set), or another signal handler raised. Only
/// ever true on Python's main thread, which must not hold the GIL.
[[nodiscard]] bool interrupted();

}  // namespace leat::python
