#include "tests/sim/memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "core/base/pool.h"

// ThreadSanitizer's runtime has an operator new of its own that can't be replaced: nothing is counted under
// it.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAT_SIM_COUNTS_NOTHING
#endif
#endif

namespace leat::sim {
namespace {

thread_local Account* current = nullptr;
// What one side's thread frees must not be the next one's.
[[maybe_unused]] const bool kUnpooled = (Pool::turn_off(), true);

#ifndef LEAT_SIM_COUNTS_NOTHING

/// Stands before every block.
struct Label {
  Account* account;
  std::size_t size;
};
static_assert(sizeof(Label) <= alignof(std::max_align_t));

void* allocate(std::size_t size, std::size_t alignment) {
  const std::size_t before = std::max(alignment, alignof(std::max_align_t));
  // aligned_alloc wants a multiple of the alignment.
  const std::size_t all = (before + size + before - 1) / before * before;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(before, all));
  if (memory == nullptr) std::abort();
  Account* account = current;
  if (account != nullptr) {
    account->bytes += static_cast<std::int64_t>(size);
    account->most = std::max(account->most, account->bytes);
  }
  ::new (memory + before - sizeof(Label)) Label{account, size};
  return memory + before;
}

void release(void* block, std::size_t alignment) noexcept {
  if (block == nullptr) return;
  auto* data = static_cast<std::byte*>(block);
  const auto* label = std::launder(reinterpret_cast<Label*>(data - sizeof(Label)));
  if (label->account != nullptr) label->account->bytes -= static_cast<std::int64_t>(label->size);
  std::free(data - std::max(alignment, alignof(std::max_align_t)));
}

#endif

}  // namespace

bool counts_memory() noexcept {
#ifdef LEAT_SIM_COUNTS_NOTHING
  return false;
#else
  return true;
#endif
}

Charge::Charge(Account& account) noexcept : previous_(current) { current = &account; }
Charge::~Charge() { current = previous_; }

}  // namespace leat::sim

#ifndef LEAT_SIM_COUNTS_NOTHING

void* operator new(std::size_t size) { return leat::sim::allocate(size, 1); }
void* operator new[](std::size_t size) { return leat::sim::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return leat::sim::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return leat::sim::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { leat::sim::release(block, 1); }
void operator delete[](void* block) noexcept { leat::sim::release(block, 1); }
void operator delete(void* block, std::size_t /*size*/) noexcept { leat::sim::release(block, 1); }
void operator delete[](void* block, std::size_t /*size*/) noexcept { leat::sim::release(block, 1); }
void operator delete(void* block, std::align_val_t alignment) noexcept {
  leat::sim::release(block, static_cast<std::size_t>(alignment));
}
void operator delete[](void* block, std::align_val_t alignment) noexcept {
  leat::sim::release(block, static_cast<std::size_t>(alignment));
}
void operator delete(void* block, std::size_t /*size*/, std::align_val_t alignment) noexcept {
  leat::sim::release(block, static_cast<std::size_t>(alignment));
}
void operator delete[](void* block, std::size_t /*size*/, std::align_val_t alignment) noexcept {
  leat::sim::release(block, static_cast<std::size_t>(alignment));
}

#endif
