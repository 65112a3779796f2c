#include "gil.h"

#include <atomic>
#include <cxxabi.h>
#include <new>
#include <pthread.h>
#include <unistd.h>
#include <utility>

namespace leat::python {
namespace {

std::atomic<bool> forbidden{false};

/// Up to 3.13, CPython ends a thread that asks for the GIL while the interpreter exits, by unwinding its
/// stack: through frames that hold Python objects and through noexcept ones, where the process would abort.
/// Such a thread sleeps here instead until the process is gone, as CPython itself lets it from 3.14 on.
template <class Taking>
void take_or_sleep(Taking&& taking) noexcept {
  try {
    std::forward<Taking>(taking)();
  } catch (abi::__forced_unwind&) {
    for (;;) ::pause();
  }
}

/// Holds one level of PyGILState for the thread's life, so that its Python state is not made anew each time.
class ThreadState {
 public:
  ThreadState() = default;
  ThreadState(const ThreadState&) = delete;
  ThreadState& operator=(const ThreadState&) = delete;
  ~ThreadState() {
    if (!made_ || forbidden.load()) return;
    take_or_sleep([] { PyGILState_Ensure(); });
    PyGILState_Release(PyGILState_LOCKED);    // one level down, the GIL kept
    PyGILState_Release(PyGILState_UNLOCKED);  // the last one: ends the state and lets the GIL go
  }
  void make() {
    if (made_ || PyGILState_GetThisThreadState() != nullptr) return;
    made_ = true;
    take_or_sleep([] { PyGILState_Ensure(); });
    PyEval_SaveThread();
  }

 private:
  bool made_ = false;
};
thread_local ThreadState thread_state;

/// References that nobody could drop at the time: a stack that threads push to without a lock.
struct ObjectBlock : Buffer::Block {
  PyObject* owner = nullptr;
  ObjectBlock* next = nullptr;
};
std::atomic<ObjectBlock*> put_aside{nullptr};

int drop_later(void* /*unused*/) {
  drop_put_aside();
  return 0;
}

void put_block_aside(Buffer::Block* block) noexcept {
  auto* dying = static_cast<ObjectBlock*>(block);
  ObjectBlock* head = put_aside.load();
  do {
    dying->next = head;
  } while (!put_aside.compare_exchange_weak(head, dying));
  // Asks the main thread to come by; it may decline (its list is full), then somebody else will.
  if (head == nullptr && !forbidden.load()) Py_AddPendingCall(&drop_later, nullptr);
}

pthread_t main_thread{};

}  // namespace

TakeGil::TakeGil() noexcept {
  if (forbidden.load()) return;
  thread_state.make();
  take_or_sleep([this] { state_ = PyGILState_Ensure(); });
  held_ = true;
  if (put_aside.load(std::memory_order_relaxed) != nullptr) drop_put_aside();
}

void ReleaseGil::restore(PyThreadState* state) noexcept {
  take_or_sleep([state] { PyEval_RestoreThread(state); });
}

ReleaseGilIfTaken::~ReleaseGilIfTaken() {
  if (saved_ != nullptr) take_or_sleep([this] { PyEval_RestoreThread(saved_); });
}
void ReleaseGilIfTaken::about_to_block() noexcept {
  if (saved_ == nullptr && PyGILState_Check() != 0) saved_ = PyEval_SaveThread();
}

TakeGil::~TakeGil() {
  if (held_) PyGILState_Release(state_);
}

void forbid_python() noexcept { forbidden.store(true); }
bool python_forbidden() noexcept { return forbidden.load(); }

Buffer wrap_object(py::object owner, Bytes bytes) {
  if (bytes.empty()) return {};
  auto* block = new ObjectBlock;
  block->destroy = &put_block_aside;
  block->owner = owner.release().ptr();
  return Buffer::adopt(block, bytes);
}

SharedObject::~SharedObject() {
  auto* block = new (std::nothrow) ObjectBlock;
  if (block == nullptr) return;  // out of memory: the object is never freed, which harms nobody any more
  block->owner = object_;
  put_block_aside(block);
}

void drop_put_aside() noexcept {
  ObjectBlock* block = put_aside.exchange(nullptr);
  if (block == nullptr) return;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);  // a destructor must not see, or lose, an error on its way
  while (block != nullptr) {
    ObjectBlock* next = block->next;
    Py_DECREF(block->owner);
    delete block;
    block = next;
  }
  PyErr_Restore(type, value, trace);
}

void learn_main_thread() {
  const py::object main = py::module_::import("threading").attr("main_thread")();
  main_thread = static_cast<pthread_t>(main.attr("ident").cast<unsigned long>());
}

bool interrupted() {
  if (forbidden.load()) return false;
  if (pthread_equal(pthread_self(), main_thread) == 0) return false;
  const PyGILState_STATE state = PyGILState_Ensure();
  const bool raised = PyErr_CheckSignals() != 0;
  PyGILState_Release(state);
  return raised;
}

}  // namespace leat::python
