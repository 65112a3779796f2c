// Preloaded into a contestant (LD_PRELOAD), counts what it allocates and what it copies. The counts lie in a
// file that it maps, so that they are there however the process ends: four 64-bit numbers, in the order of
// Counts.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

// The names are glibc's and POSIX's.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming,readability-inconsistent-declaration-*)
extern "C" {
// glibc's own, which a replacement may call without ever meeting itself.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t align, std::size_t size);
}

namespace {

// A copy counts from a small request's size on; below, it is bookkeeping, and mostly done without a call.
constexpr std::size_t kCopy = 64;

struct Counts {
  std::atomic<std::uint64_t> allocations;
  std::atomic<std::uint64_t> allocated_bytes;
  std::atomic<std::uint64_t> copies;
  std::atomic<std::uint64_t> copied_bytes;
};
Counts nowhere;
std::atomic<Counts*> counts{&nowhere};

using Copy = void* (*)(void*, const void*, std::size_t);
std::atomic<Copy> real_copy{nullptr};  // memmove: right for both

void count(std::size_t size) noexcept {
  Counts& here = *counts.load(std::memory_order_relaxed);
  here.allocations.fetch_add(1, std::memory_order_relaxed);
  here.allocated_bytes.fetch_add(size, std::memory_order_relaxed);
}

void* copy(void* to, const void* from, std::size_t size) noexcept {
  if (size >= kCopy) {
    Counts& here = *counts.load(std::memory_order_relaxed);
    here.copies.fetch_add(1, std::memory_order_relaxed);
    here.copied_bytes.fetch_add(size, std::memory_order_relaxed);
  }
  if (const Copy real = real_copy.load(std::memory_order_relaxed); real != nullptr)
    return real(to, from, size);
  // Before the constructor below has run. `volatile` keeps the compiler from making this a call of memcpy.
  auto* out = static_cast<volatile unsigned char*>(to);
  const auto* in = static_cast<const volatile unsigned char*>(from);
  if (in < out) {
    for (std::size_t i = size; i > 0; --i) out[i - 1] = in[i - 1];
  } else {
    for (std::size_t i = 0; i < size; ++i) out[i] = in[i];
  }
  return to;
}

__attribute__((constructor)) void open_counts() {
  real_copy = reinterpret_cast<Copy>(dlsym(RTLD_NEXT, "memmove"));
  const char* path = std::getenv("LEAT_BENCH_COUNTS");
  const int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, sizeof(Counts)) != 0) return;
  void* at = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) counts = static_cast<Counts*>(at);
  close(fd);
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {
void* malloc(std::size_t size) {
  count(size);
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count(number * size);
  return __libc_calloc(number, size);
}
void* realloc(void* old, std::size_t size) {
  count(size);
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t align, std::size_t size) {
  count(size);
  return __libc_memalign(align, size);
}
int posix_memalign(void** result, std::size_t align, std::size_t size) {
  count(size);
  *result = __libc_memalign(align, size);
  return *result == nullptr ? ENOMEM : 0;
}
void* memcpy(void* to, const void* from, std::size_t size) { return copy(to, from, size); }
void* memmove(void* to, const void* from, std::size_t size) { return copy(to, from, size); }
}
#pragma GCC visibility pop
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming,readability-inconsistent-declaration-*)
