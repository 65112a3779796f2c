// The fields of a leat.Tensor table, read and checked in one place.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <leat/bytes.h>
#include <leat/status.h>
#include <leat/tensor.h>

namespace leat::schema {

struct TensorParts {
  DType dtype = DType::kBool;
  Order order = Order::kRowMajor;
  std::uint32_t attachment = 0;  ///< 0: the data is inline
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  ///< in bytes; empty: contiguous
  Bytes data;
};

/// Reads a table whose offsets have been verified. The values may still be nonsense.
[[nodiscard]] TensorParts read_tensor(const std::byte* table);

/// kInvalidArgument, beginning with the field that is wrong ("shape: ..."), unless the parts make a Tensor.
[[nodiscard]] Status check_tensor(const std::byte* table, std::span<const Buffer> attachments);

}  // namespace leat::schema
