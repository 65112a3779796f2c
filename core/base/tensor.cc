#include <array>
#include <string>

#include <leat/tensor.h>

namespace leat {
namespace {

struct DTypeRow {
  std::string_view name;
  std::size_t size;
};
constexpr std::array<DTypeRow, kDTypeCount> kDTypes = {{{"bool", 1},
                                                        {"int8", 1},
                                                        {"int16", 2},
                                                        {"int32", 4},
                                                        {"int64", 8},
                                                        {"uint8", 1},
                                                        {"uint16", 2},
                                                        {"uint32", 4},
                                                        {"uint64", 8},
                                                        {"float16", 2},
                                                        {"float32", 4},
                                                        {"float64", 8},
                                                        {"complex64", 8},
                                                        {"complex128", 16}}};
constexpr std::uint64_t kLargest = std::uint64_t{1} << 62U;

}  // namespace

std::string_view dtype_name(DType dtype) noexcept {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kDTypes.size() ? kDTypes[index].name : "unknown";
}

std::size_t dtype_size(DType dtype) noexcept {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kDTypes.size() ? kDTypes[index].size : 1;
}

std::optional<std::uint64_t> tensor_bytes(DType dtype, std::span<const std::int64_t> shape) noexcept {
  std::uint64_t bytes = dtype_size(dtype);
  bool empty = false;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    if (dimension == 0) {
      empty = true;
      continue;  // the other dimensions must still be sane
    }
    if (static_cast<std::uint64_t>(dimension) > kLargest / bytes) return std::nullopt;
    bytes *= static_cast<std::uint64_t>(dimension);
  }
  return empty ? 0 : bytes;
}

Result<Tensor> Tensor::make(DType dtype, std::vector<std::int64_t> shape, Buffer data, Order order) {
  if (static_cast<std::size_t>(dtype) >= kDTypeCount) {
    return failure(Code::kInvalidArgument,
                   "tensor: dtype number " + std::to_string(static_cast<unsigned>(dtype)) + " is unknown");
  }
  const std::optional<std::uint64_t> expected = tensor_bytes(dtype, shape);
  if (!expected || *expected != data.size()) {
    std::string text = "tensor: shape (";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    text += ") of " + std::string(dtype_name(dtype));
    text += expected ? " takes " + std::to_string(*expected) + " bytes" : " is negative or too large";
    return failure(Code::kInvalidArgument, text + ", the data has " + std::to_string(data.size()));
  }
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.order_ = order;
  tensor.shape_ = std::move(shape);
  tensor.data_ = std::move(data);
  return tensor;
}

Tensor Tensor::allocate(DType dtype, std::vector<std::int64_t> shape) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.data_ = Buffer::allocate(static_cast<std::size_t>(tensor_bytes(dtype, shape).value_or(0)));
  tensor.shape_ = std::move(shape);
  return tensor;
}

Status Tensor::wrong_dtype(DType asked) const {
  return {Code::kInvalidArgument, "tensor: asked for values of " + std::string(dtype_name(asked)) +
                                      ", but its dtype is " + std::string(dtype_name(dtype_))};
}

}  // namespace leat
