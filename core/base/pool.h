// Memory for small things that come and go with every call. malloc keeps seven of a size at hand for each
// thread; with a few dozen calls under way each of a call's five allocations goes through its slow path.
#pragma once

#include <cstddef>
#include <new>

namespace leat {

/// Free blocks by size, of each thread its own; a block may be freed on another thread than it was made on.
/// What is larger than kMost, or more than a thread keeps, is malloc's. So is everything in builds without
/// NDEBUG, so that sanitizers see it.
class Pool {
 public:
  static constexpr std::size_t kMost = 1024;
  static constexpr std::size_t kStep = 64;  ///< sizes are rounded up to multiples of this

  /// Throws std::bad_alloc as operator new does.
  [[nodiscard]] static void* allocate(std::size_t size);
  /// `size` as it was asked for.
  static void free(void* block, std::size_t size) noexcept;
  /// Keeps nothing from now on, for programs that count whose memory is whose.
  static void turn_off() noexcept;
};

/// For std::allocate_shared.
template <class T>
struct PoolAllocator {
  using value_type = T;
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

  PoolAllocator() noexcept = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>& /*other*/) noexcept {}  // NOLINT(*-explicit-*)
  [[nodiscard]] T* allocate(std::size_t count) { return static_cast<T*>(Pool::allocate(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { Pool::free(block, count * sizeof(T)); }
  template <class U>
  friend bool operator==(const PoolAllocator& /*a*/, const PoolAllocator<U>& /*b*/) noexcept {
    return true;
  }
};

}  // namespace leat
