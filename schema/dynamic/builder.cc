#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include <leat/schema/builder.h>

namespace leat::schema {
namespace {

// Offsets to vtables are signed 32-bit numbers.
constexpr std::size_t kLargestMessage = std::numeric_limits<std::int32_t>::max();
// Comparing a new vtable with all others would be quadratic in the number of distinct layouts; recent ones
// are enough.
constexpr std::size_t kVtablesCompared = 16;
constexpr std::array<std::uint8_t, 4> kFieldSizes = {8, 4, 2, 1};

}  // namespace

Builder::Builder(EncodeOptions options, std::size_t size_hint)
    : options_(options), buffer_(Buffer::allocate(std::max<std::size_t>(size_hint, 64))) {
  data_ = buffer_.writable().data();
  reserve(4, 4, 0);  // the root's offset
}

std::uint32_t Builder::reserve(std::size_t size, std::size_t alignment, std::size_t offset) {
  if (overflow_) return 0;
  const std::size_t start = (size_ + offset + alignment - 1) / alignment * alignment - offset;
  if (size > kLargestMessage || start + size > kLargestMessage) {
    overflow_ = true;
    return 0;
  }
  const std::size_t end = start + size;
  if (end > buffer_.size()) {
    Buffer larger = Buffer::allocate(std::max(end, std::min(2 * buffer_.size(), kLargestMessage)));
    std::byte* const data = larger.writable().data();
    std::memcpy(data, data_, size_);
    buffer_ = std::move(larger);
    data_ = data;
  }
  std::memset(data_ + size_, 0, end - size_);
  size_ = end;
  return static_cast<std::uint32_t>(start);
}

std::uint32_t Builder::vtable(std::span<const std::uint16_t> entries) {
  const std::size_t bytes = entries.size_bytes();
  const std::size_t compared = std::min(vtables_.size(), kVtablesCompared);
  for (std::size_t i = 0; i < compared; ++i) {
    const std::uint32_t known = vtables_[vtables_.size() - 1 - i];
    std::uint16_t known_bytes = 0;
    std::memcpy(&known_bytes, data_ + known, 2);
    if (known_bytes == bytes && std::memcmp(data_ + known, entries.data(), bytes) == 0) return known;
  }
  const std::uint32_t at = reserve(bytes, 2, 0);
  if (overflow_) return 0;
  std::memcpy(data_ + at, entries.data(), bytes);
  vtables_.push_back(at);
  return at;
}

std::uint32_t Builder::table(std::span<Slot> slots) {
  if (overflow_) return 0;
  while (!slots.empty() && slots.back().size == 0) slots = slots.first(slots.size() - 1);
  // Largest first behind the 4 bytes that name the vtable, so that no field needs padding before it.
  entries_.assign(2 + slots.size(), 0);
  std::uint16_t end = 4;
  std::size_t alignment = 4;
  for (const std::uint8_t size : kFieldSizes) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].size != size) continue;
      entries_[2 + i] = end;
      end = static_cast<std::uint16_t>(end + size);
      alignment = std::max<std::size_t>(alignment, size);
    }
  }
  entries_[0] = static_cast<std::uint16_t>(entries_.size() * 2);
  entries_[1] = end;
  const std::uint32_t layout = vtable(entries_);
  const std::uint32_t at = reserve(end, alignment, 4);
  if (overflow_) return 0;
  const std::int32_t distance = static_cast<std::int32_t>(at) - static_cast<std::int32_t>(layout);
  std::memcpy(data_ + at, &distance, 4);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].size == 0) continue;
    slots[i].at = at + entries_[2 + i];
    std::memcpy(data_ + slots[i].at, &slots[i].bits, slots[i].size);
  }
  return at;
}

std::uint32_t Builder::vector(std::size_t element_size, std::size_t count, std::size_t alignment) {
  if (count > kLargestMessage / element_size) overflow_ = true;
  const std::uint32_t at = reserve(4 + count * element_size, std::max<std::size_t>(alignment, 4), 4);
  if (overflow_) return 0;
  const auto length = static_cast<std::uint32_t>(count);
  std::memcpy(data_ + at, &length, 4);
  return at;
}

std::uint32_t Builder::scalars(std::size_t element_size, Bytes packed) {
  const std::uint32_t at = vector(element_size, packed.size() / element_size, element_size);
  if (!overflow_ && !packed.empty()) std::memcpy(elements(at), packed.data(), packed.size());
  return at;
}

std::uint32_t Builder::string(std::string_view text) {
  const std::uint32_t at = reserve(4 + text.size() + 1, 4, 0);
  if (overflow_) return 0;
  const auto length = static_cast<std::uint32_t>(text.size());
  std::memcpy(data_ + at, &length, 4);
  if (!text.empty()) std::memcpy(data_ + at + 4, text.data(), text.size());
  return at;
}

std::uint32_t Builder::tensor(const Tensor& tensor) {
  // The fields of leat/leat.fbs: dtype, shape, order, strides (never sent), data, attachment.
  const bool attach = !options_.inline_tensors && tensor.data().size() > options_.inline_tensor_bytes;
  std::array<Slot, 6> slots{};
  if (tensor.dtype() != DType::kBool)
    slots[0] = {.bits = static_cast<std::uint8_t>(tensor.dtype()), .size = 1};
  if (tensor.rank() != 0) slots[1].size = 4;
  if (tensor.order() != Order::kRowMajor)
    slots[2] = {.bits = static_cast<std::uint8_t>(tensor.order()), .size = 1};
  if (attach) {
    attachments_.push_back(tensor.data());
    slots[5] = {.bits = attachments_.size(), .size = 4};
  } else if (!tensor.data().empty()) {
    slots[4].size = 4;
  }
  const std::uint32_t at = table(slots);
  if (tensor.rank() != 0) point(slots[1].at, scalars(8, std::as_bytes(tensor.shape())));
  if (slots[4].size != 0) {
    // Aligned for complex128, so that a reader can look at the elements in place.
    const std::uint32_t data = vector(1, tensor.data().size(), 16);
    if (!overflow_) std::memcpy(elements(data), tensor.data().data(), tensor.data().size());
    point(slots[4].at, data);
  }
  return at;
}

Result<Payload> Builder::finish(std::uint32_t root) {
  if (overflow_) {
    return failure(
        Code::kResourceExhausted,
        "the message is larger than 2 GiB, FlatBuffers' limit; send large arrays as leat.Tensor, which "
        "has no such limit");
  }
  std::memcpy(data_, &root, 4);
  Payload payload;
  payload.codec = Codec::kFlatBuffers;
  payload.head = buffer_.slice(0, size_);
  payload.attachments = std::move(attachments_);
  buffer_ = Buffer();
  return payload;
}

}  // namespace leat::schema
