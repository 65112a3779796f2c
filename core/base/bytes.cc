#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>

#include <leat/bytes.h>

#include "core/base/pool.h"

namespace leat {
namespace {

// The count lives in a plain integer so that Block stays an aggregate that pools can embed; all access is
// through the builtins, which GCC and Clang share and ThreadSanitizer understands.
void add_reference(const Buffer::Block& block) noexcept {
  __atomic_fetch_add(&block.references, 1U, __ATOMIC_RELAXED);
}
bool drop_reference(const Buffer::Block& block) noexcept {
  return __atomic_fetch_sub(&block.references, 1U, __ATOMIC_ACQ_REL) == 1;
}

struct HeapBlock : Buffer::Block {};

// Memory for a block with data behind it, wherever it begins. An aligned allocation would cost several times
// an ordinary one: glibc's goes round the cache of each thread.
constexpr std::size_t kBesideData =
    sizeof(HeapBlock) + Buffer::kAlignment -
    std::gcd(sizeof(HeapBlock), std::size_t{__STDCPP_DEFAULT_NEW_ALIGNMENT__});

std::byte* aligned_behind(HeapBlock* block) noexcept {
  const auto behind = reinterpret_cast<std::uintptr_t>(block + 1);
  const std::uintptr_t gap = (Buffer::kAlignment - behind % Buffer::kAlignment) % Buffer::kAlignment;
  return reinterpret_cast<std::byte*>(block + 1) + gap;
}

template <std::size_t Size>
void give_back(Buffer::Block* block) noexcept {
  Pool::free(block, Size);
}

/// How a block of this size is freed. A block does not know its size; a function for each of the pool's does.
auto destroyer(std::size_t size) noexcept {
  static constexpr auto kDestroyers = []<std::size_t... Index>(std::index_sequence<Index...>) {
    return std::array{&give_back<(Index + 1) * Pool::kStep>...};
  }(std::make_index_sequence<Pool::kMost / Pool::kStep>());
  return size > Pool::kMost ? &give_back<Pool::kMost + 1> : kDestroyers[(size - 1) / Pool::kStep];
}

template <class Owner>
struct OwnerBlock : Buffer::Block {
  explicit OwnerBlock(Owner value) : owner(std::move(value)) {
    destroy = [](Buffer::Block* block) noexcept { delete static_cast<OwnerBlock*>(block); };
  }
  Owner owner;
};

template <class Owner>
Buffer own_container(Owner container) {
  if (container.empty()) return {};
  auto* block = new OwnerBlock<Owner>(std::move(container));
  const Bytes bytes = std::as_bytes(std::span(block->owner.data(), block->owner.size()));
  return Buffer::adopt(block, bytes);
}

}  // namespace

Buffer Buffer::allocate(std::size_t size) {
  if (size == 0) return {};
  auto* block = new (Pool::allocate(size + kBesideData)) HeapBlock;
  block->destroy = destroyer(size + kBesideData);
  return adopt(block, {aligned_behind(block), size});
}

Buffer Buffer::copy(Bytes bytes) {
  Buffer buffer = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.writable().data(), bytes.data(), bytes.size());
  return buffer;
}

Buffer Buffer::own(std::vector<std::byte> bytes) { return own_container(std::move(bytes)); }
Buffer Buffer::own(std::string text) { return own_container(std::move(text)); }

Buffer Buffer::wrap(Bytes bytes, std::shared_ptr<const void> owner) {
  return adopt(new OwnerBlock<std::shared_ptr<const void>>(std::move(owner)), bytes);
}

Buffer Buffer::borrow_static(Bytes bytes) noexcept { return adopt(nullptr, bytes); }

Buffer Buffer::adopt(Block* block, Bytes bytes) noexcept {
  Buffer buffer;
  buffer.block_ = block;
  buffer.data_ = bytes.data();
  buffer.size_ = bytes.size();
  return buffer;
}

Buffer Buffer::slice(std::size_t offset, std::size_t size) const {
  Buffer part(*this);
  part.data_ += offset;
  part.size_ = size;
  return part;
}

bool Buffer::unique() const noexcept {
  return block_ != nullptr && __atomic_load_n(&block_->references, __ATOMIC_ACQUIRE) == 1;
}

void Buffer::retain() const noexcept {
  if (block_ != nullptr) add_reference(*block_);
}

void Buffer::release() noexcept {
  if (block_ != nullptr && drop_reference(*block_)) block_->destroy(block_);
}

}  // namespace leat
