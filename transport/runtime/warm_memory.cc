#include "transport/runtime/warm_memory.h"

#include <bit>
#include <cstdint>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <vector>

namespace leat::transport {
namespace {

constexpr std::size_t kHuge = 2U << 20U;
constexpr std::size_t kFrom = 1U << 20U;
constexpr std::size_t kKeepAtMost = 256U << 20U;
constexpr std::size_t kLargestKept = 128U << 20U;

struct WarmBlock : Buffer::Block {
  void* memory = nullptr;
  std::size_t capacity = 0;
};

class WarmPool {
 public:
  WarmBlock* take(std::size_t capacity) {
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = free_.size(); i-- > 0;) {
        if (free_[i]->capacity != capacity) continue;
        WarmBlock* block = free_[i];
        free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
        kept_ -= capacity;
        block->references = 1;
        return block;
      }
    }
    void* memory = ::operator new(capacity, std::align_val_t{kHuge});
    ::madvise(memory, capacity, MADV_HUGEPAGE);  // a wish: without it the pages are just small
    auto* block = new WarmBlock;
    block->memory = memory;
    block->capacity = capacity;
    return block;
  }

  void give(WarmBlock* block) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (block->capacity <= kLargestKept && kept_ + block->capacity <= kKeepAtMost) {
        free_.push_back(block);
        kept_ += block->capacity;
        return;
      }
    }
    ::operator delete(block->memory, std::align_val_t{kHuge});
    delete block;
  }

  [[nodiscard]] std::size_t kept() noexcept {
    const std::lock_guard lock(mutex_);
    return kept_;
  }

 private:
  std::mutex mutex_;
  std::vector<WarmBlock*> free_;
  std::size_t kept_ = 0;
};

// Never destroyed: arrays may outlive everything else in the process.
WarmPool& pool() {
  static auto* const kPool = new WarmPool;
  return *kPool;
}

}  // namespace

Buffer allocate_warm(std::size_t size) {
  if (size < kFrom) return Buffer::allocate(size);
  // Classes of a quarter of a power of two, so that arrays of about one size share them and little is wasted.
  const std::size_t step = std::max(std::bit_floor(size) / 4, kHuge);
  const std::size_t capacity = (size + step - 1) / step * step;
  WarmBlock* block = pool().take(capacity);
  block->destroy = [](Buffer::Block* dying) noexcept { pool().give(static_cast<WarmBlock*>(dying)); };
  return Buffer::adopt(block, {static_cast<const std::byte*>(block->memory), size});
}

std::size_t warm_memory_kept() noexcept { return pool().kept(); }

}  // namespace leat::transport
