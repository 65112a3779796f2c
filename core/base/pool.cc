#include "core/base/pool.h"

#include <array>
#include <atomic>

namespace leat {
namespace {

#ifdef NDEBUG
std::atomic<std::size_t> most_kept{512};  // blocks of a size, for each thread

struct Free {
  Free* next;
};

struct Line {
  Free* first = nullptr;
  std::size_t count = 0;
};

constexpr std::size_t kLines = Pool::kMost / Pool::kStep;

// Trivial, so that it outlives the thread's other objects, which may free blocks when they end.
thread_local std::array<Line, kLines> lines;
thread_local bool ended = false;

#ifndef __wasm__
/// Gives everything back when the thread ends.
struct Sweeper {
  Sweeper() = default;
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;
  ~Sweeper() {
    ended = true;
    for (Line& line : lines) {
      while (line.first != nullptr) {
        Free* const block = line.first;
        line.first = block->next;
        ::operator delete(static_cast<void*>(block));
      }
      line.count = 0;
    }
  }
};
#endif

constexpr std::size_t line_of(std::size_t size) noexcept { return (size - 1) / Pool::kStep; }
#endif

}  // namespace

#ifdef NDEBUG
void* Pool::allocate(std::size_t size) {
  if (size == 0 || size > kMost) return ::operator new(size);
  Line& line = lines[line_of(size)];
  if (line.first == nullptr) return ::operator new((line_of(size) + 1) * kStep);
  Free* const block = line.first;
  line.first = block->next;
  --line.count;
  return block;
}

void Pool::free(void* block, std::size_t size) noexcept {
  if (size == 0 || size > kMost) {
    ::operator delete(block);
    return;
  }
  Line& line = lines[line_of(size)];
  if (line.count >= most_kept.load(std::memory_order_relaxed) || ended) {
    ::operator delete(block);
    return;
  }
#ifndef __wasm__  // where no thread ends
  static thread_local Sweeper sweeper;
  static_cast<void>(sweeper);
#endif
  line.first = new (block) Free{line.first};
  ++line.count;
}

void Pool::turn_off() noexcept { most_kept.store(0, std::memory_order_relaxed); }
#else
void Pool::turn_off() noexcept {}
void* Pool::allocate(std::size_t size) { return ::operator new(size); }
void Pool::free(void* block, std::size_t /*size*/) noexcept { ::operator delete(block); }
#endif

}  // namespace leat
