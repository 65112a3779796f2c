#include <cstring>
#include <new>

#include <leat/bytes.h>

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

// The block header takes the first kAlignment bytes, so that the data behind it keeps the alignment.
struct HeapBlock : Buffer::Block {};
static_assert(sizeof(HeapBlock) <= Buffer::kAlignment);

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
  constexpr std::align_val_t kAlign{kAlignment};
  void* memory = ::operator new(size + kAlignment, kAlign);
  auto* block = new (memory) HeapBlock;
  block->destroy = [](Block* dying) noexcept { ::operator delete(static_cast<void*>(dying), kAlign); };
  return adopt(block, {static_cast<const std::byte*>(memory) + kAlignment, size});
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
