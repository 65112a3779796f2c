// Arrays of plain numbers: what they are called on the wire, and how C++ looks at them.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <leat/bytes.h>
#include <leat/status.h>

namespace leat {

/// Element types. Numbers are the wire's (schema/leat/leat.fbs has the same list). On the wire all are
/// little-endian.
enum class DType : std::uint8_t {
  kBool = 0,
  kInt8 = 1,
  kInt16 = 2,
  kInt32 = 3,
  kInt64 = 4,
  kUInt8 = 5,
  kUInt16 = 6,
  kUInt32 = 7,
  kUInt64 = 8,
  kFloat16 = 9,
  kFloat32 = 10,
  kFloat64 = 11,
  kComplex64 = 12,
  kComplex128 = 13,
};
inline constexpr std::size_t kDTypeCount = 14;

/// "uint16" and so on; numpy's names.
[[nodiscard]] std::string_view dtype_name(DType dtype) noexcept;
/// Bytes of one element.
[[nodiscard]] std::size_t dtype_size(DType dtype) noexcept;

template <class T>
struct DTypeOf;
template <DType D>
struct DTypeConstant {
  static constexpr DType value = D;
};
template <>
struct DTypeOf<bool> : DTypeConstant<DType::kBool> {};
template <>
struct DTypeOf<std::int8_t> : DTypeConstant<DType::kInt8> {};
template <>
struct DTypeOf<std::int16_t> : DTypeConstant<DType::kInt16> {};
template <>
struct DTypeOf<std::int32_t> : DTypeConstant<DType::kInt32> {};
template <>
struct DTypeOf<std::int64_t> : DTypeConstant<DType::kInt64> {};
template <>
struct DTypeOf<std::uint8_t> : DTypeConstant<DType::kUInt8> {};
template <>
struct DTypeOf<std::uint16_t> : DTypeConstant<DType::kUInt16> {};
template <>
struct DTypeOf<std::uint32_t> : DTypeConstant<DType::kUInt32> {};
template <>
struct DTypeOf<std::uint64_t> : DTypeConstant<DType::kUInt64> {};
template <>
struct DTypeOf<float> : DTypeConstant<DType::kFloat32> {};
template <>
struct DTypeOf<double> : DTypeConstant<DType::kFloat64> {};
template <>
struct DTypeOf<std::complex<float>> : DTypeConstant<DType::kComplex64> {};
template <>
struct DTypeOf<std::complex<double>> : DTypeConstant<DType::kComplex128> {};

/// The order of the elements in a contiguous tensor.
enum class Order : std::uint8_t { kRowMajor = 0, kColumnMajor = 1 };

/// Number of bytes that `shape` elements take; nullopt if a dimension is negative or the product overflows
/// 2^62.
[[nodiscard]] std::optional<std::uint64_t> tensor_bytes(DType dtype,
                                                        std::span<const std::int64_t> shape) noexcept;

/// A contiguous n-dimensional array that shares its memory. Zero dimensions: a scalar with one element.
/// Sending a tensor shares `data` until the message has left; received tensors are immutable views of the
/// message.
class Tensor {
 public:
  Tensor() = default;
  /// kInvalidArgument if `data` does not hold exactly the elements of `shape`.
  static Result<Tensor> make(DType dtype, std::vector<std::int64_t> shape, Buffer data,
                             Order order = Order::kRowMajor);
  /// A row-major tensor of uninitialised elements, to be filled through mutable_data() before it is sent or
  /// copied.
  static Tensor allocate(DType dtype, std::vector<std::int64_t> shape);

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] std::span<const std::int64_t> shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t rank() const noexcept { return shape_.size(); }
  [[nodiscard]] Order order() const noexcept { return order_; }
  /// Number of elements.
  [[nodiscard]] std::size_t size() const noexcept { return data_.size() / dtype_size(dtype_); }
  [[nodiscard]] const Buffer& data() const noexcept { return data_; }
  [[nodiscard]] std::span<std::byte> mutable_data() noexcept { return data_.writable(); }
  /// The same as elements; kInvalidArgument as values().
  template <class T>
  [[nodiscard]] Result<std::span<T>> mutable_values() {
    if (DTypeOf<T>::value != dtype_) return failure(wrong_dtype(DTypeOf<T>::value));
    return std::span<T>(reinterpret_cast<T*>(mutable_data().data()), size());
  }

  /// The elements in memory order; kInvalidArgument naming both types if T is not the tensor's.
  template <class T>
  [[nodiscard]] Result<std::span<const T>> values() const {
    if (DTypeOf<T>::value != dtype_) return failure(wrong_dtype(DTypeOf<T>::value));
    return std::span<const T>(reinterpret_cast<const T*>(data_.data()), size());
  }

 private:
  [[nodiscard]] Status wrong_dtype(DType asked) const;

  DType dtype_ = DType::kUInt8;
  Order order_ = Order::kRowMajor;
  std::vector<std::int64_t> shape_{0};
  Buffer data_;
};

}  // namespace leat
