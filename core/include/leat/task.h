// A coroutine to await Leat's calls in, since C++20 brings none. Any other library's does as well.
//
//   leat::Task<leat::Status> show(imaging::Microscope scope) {
//     auto later = scope.snap_async({.exposure = 0.1});
//     auto frame = co_await later;
//     if (!frame) co_return frame.error();
//     ...
//   }
//   leat::Status status = show(scope).get();
//
// With GCC up to 12 keep braced requests out of the co_await expression, as above: it destroys their members
// twice.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace leat {

template <class T = void>
class Task;

namespace detail {

/// Who goes on when a task ends; and whether it has ended.
class TaskPromise {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }
  auto final_suspend() noexcept {
    struct End {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) noexcept {
        // From the exchange on, whoever waits for the end may destroy the coroutine.
        void* const next = promise.next_.exchange(&ended_mark, std::memory_order_acq_rel);
        if (next == &let_go_mark) self.destroy();
        if (next == nullptr || next == &let_go_mark) return std::noop_coroutine();
        return std::coroutine_handle<>::from_address(next);
      }
      void await_resume() noexcept {}
      TaskPromise& promise;
    };
    return End{*this};
  }
  void unhandled_exception() noexcept { thrown_ = std::current_exception(); }

  [[nodiscard]] bool ended() const noexcept { return next_.load(std::memory_order_acquire) == &ended_mark; }
  /// False if the task has ended already.
  bool set_next(std::coroutine_handle<> next) noexcept {
    void* nobody = nullptr;
    return next_.compare_exchange_strong(nobody, next.address(), std::memory_order_acq_rel);
  }
  /// True if it has not ended: it will destroy itself, and resume nobody.
  bool let_go() noexcept { return next_.exchange(&let_go_mark, std::memory_order_acq_rel) != &ended_mark; }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }
  bool started = false;

 private:
  // Told from coroutines by their addresses.
  static inline char ended_mark = 0;
  static inline char let_go_mark = 0;
  std::atomic<void*> next_{nullptr};
  std::exception_ptr thrown_;
};

template <class T>
class TaskResult : public TaskPromise {
 public:
  Task<T> get_return_object() noexcept;
  template <class U = T>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskResult<void> : public TaskPromise {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() const { rethrow(); }
};

/// Begins at once and belongs to nobody.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

}  // namespace detail

/// A coroutine that gives a T. It begins when it is awaited, by get() or by start(); it runs on the thread
/// that begins it until it waits for the first time, and from there on threads of Leat's. Letting go of a
/// task that has begun lets it run to its end by itself; one that has not begun is dropped. An exception that
/// leaves the coroutine comes out of get() and co_await. Move-only; one thread at a time.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskResult<T>;

  explicit Task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~Task() {
    if (!coroutine_) return;
    promise_type& promise = coroutine_.promise();
    if (!promise.started || !promise.let_go()) coroutine_.destroy();
  }

  /// Begins, and returns when the task waits for the first time or has ended.
  void start() {
    if (!std::exchange(coroutine_.promise().started, true)) coroutine_.resume();
  }
  /// True once the task has ended.
  [[nodiscard]] bool done() const noexcept { return coroutine_.promise().ended(); }
  /// Begins if need be, and blocks until the task has ended; once. This thread does not read from connections
  /// meanwhile, so a handler or a callback, which occupies a thread that the task may need, better awaits it.
  T get() {
    start();
    if (!done()) {
      const auto ended = std::make_shared<std::atomic<bool>>(false);
      notify(*this, ended);
      ended->wait(false, std::memory_order_acquire);
    }
    return coroutine_.promise().take();
  }

  /// Begins if need be; gives the task's result, once. The task must live until then, which a temporary does.
  [[nodiscard]] auto operator co_await() noexcept {
    struct Awaiter {
      bool await_ready() noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> next) {
        task.start();
        return task.coroutine_.promise().set_next(next);
      }
      T await_resume() { return task.coroutine_.promise().take(); }
      Task& task;
    };
    return Awaiter{*this};
  }

 private:
  struct End {
    bool await_ready() const noexcept { return task.done(); }
    bool await_suspend(std::coroutine_handle<> next) noexcept {
      return task.coroutine_.promise().set_next(next);
    }
    void await_resume() noexcept {}
    Task& task;
  };
  static detail::Detached notify(Task& task, std::shared_ptr<std::atomic<bool>> ended) {
    co_await End{task};
    ended->store(true, std::memory_order_release);
    ended->notify_one();
  }

  std::coroutine_handle<promise_type> coroutine_;
};

namespace detail {

template <class T>
Task<T> TaskResult<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskResult>::from_promise(*this));
}
inline Task<void> TaskResult<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskResult>::from_promise(*this));
}

}  // namespace detail
}  // namespace leat
