// A queue for things that come and go one at a time.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "core/base/pool.h"

namespace leat {

/// First in, first out, in memory that is reused. Unlike a deque it allocates nothing when it is made and, in
/// steady state, nothing for an element.
template <class T>
class Queue {
 public:
  /// From the pool, since a call has queues of its own, for one message mostly.
  using Items = std::vector<T, PoolAllocator<T>>;

  [[nodiscard]] bool empty() const noexcept { return first_ == items_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return items_.size() - first_; }
  [[nodiscard]] T& front() noexcept { return items_[first_]; }
  /// The new element at the end; references to others end.
  T& push(T item = {}) {
    if (first_ >= kSpare && first_ >= size()) {
      // As many are gone as are left: close the gap, which costs each element one move at most.
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    return items_.emplace_back(std::move(item));
  }
  /// Takes the first element out.
  T pop() {
    T item = std::move(items_[first_]);
    if (++first_ == items_.size()) {
      clear();
    } else {
      items_[first_ - 1] = T();  // what a move left behind
    }
    return item;
  }
  void clear() noexcept {
    items_.clear();
    first_ = 0;
  }
  /// All of them, in order; `memory`, which is empty, is used from now on.
  Items take_all(Items memory) noexcept {
    items_.swap(memory);
    if (first_ > 0) memory.erase(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
    return memory;
  }
  /// Elements that there is memory for.
  [[nodiscard]] std::size_t capacity() const noexcept { return items_.capacity(); }

 private:
  static constexpr std::size_t kSpare = 16;
  Items items_;
  std::size_t first_ = 0;
};

}  // namespace leat
