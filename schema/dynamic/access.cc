#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <leat/schema/access.h>

#include "schema/dynamic/tensor_table.h"

namespace leat::schema {
namespace {

/// A vtable of 4 bytes, then a table that points back at it and has no fields.
struct alignas(4) EmptyTable {
  std::uint16_t vtable_size = 4;
  std::uint16_t table_size = 4;
  std::int32_t to_vtable = 4;
};
constexpr EmptyTable kEmptyTable;

bool aligned_for(const std::byte* data, DType dtype) {
  const std::size_t alignment = dtype == DType::kComplex128 ? 8 : std::min<std::size_t>(dtype_size(dtype), 8);
  return reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
}

}  // namespace

const std::byte* empty_table() noexcept { return reinterpret_cast<const std::byte*>(&kEmptyTable.to_vtable); }

Tensor load_tensor(const std::byte* table, std::span<const Buffer> attachments, const Buffer* head) {
  const TensorParts parts = read_tensor(table);
  Buffer data;
  if (parts.attachment != 0) {
    data = attachments[parts.attachment - 1];
  } else if (head != nullptr && aligned_for(parts.data.data(), parts.dtype)) {
    data = head->slice(static_cast<std::size_t>(parts.data.data() - head->data()), parts.data.size());
  } else {
    data = Buffer::copy(parts.data);
  }
  // Verified before, so this can't fail; a default tensor is what a caller that skipped verify() gets.
  return Tensor::make(parts.dtype, parts.shape, std::move(data), parts.order).value_or(Tensor());
}

}  // namespace leat::schema
