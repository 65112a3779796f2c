// How generated code writes its structs: one Fields per table, and one function that writes what a field
// points to.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <leat/schema/builder.h>
#include <leat/tensor.h>

namespace leat::schema {

/// An optional value on the heap, for tables that contain themselves. Copying copies the value. T may be
/// incomplete until a value is put in: what has to know T is reached through a pointer that comes with the
/// value.
template <class T>
class Box {
 public:
  Box() noexcept = default;
  // Both convert, as std::optional does, so that designated initialisers read the same.
  Box(std::nullopt_t /*empty*/) noexcept {}  // NOLINT(google-explicit-constructor)
  Box(T value)                               // NOLINT(google-explicit-constructor)
      : value_(new T(std::move(value))), copy_(&copy), drop_(&drop) {}
  Box(const Box& other)
      : value_(other.value_ != nullptr ? other.copy_(*other.value_) : nullptr),
        copy_(other.copy_),
        drop_(other.drop_) {}
  Box(Box&& other) noexcept
      : value_(std::exchange(other.value_, nullptr)), copy_(other.copy_), drop_(other.drop_) {}
  Box& operator=(Box other) noexcept {
    std::swap(value_, other.value_);
    std::swap(copy_, other.copy_);
    std::swap(drop_, other.drop_);
    return *this;
  }
  ~Box() {
    if (value_ != nullptr) drop_(value_);
  }

  [[nodiscard]] bool has_value() const noexcept { return value_ != nullptr; }
  explicit operator bool() const noexcept { return has_value(); }
  T& operator*() noexcept { return *value_; }
  const T& operator*() const noexcept { return *value_; }
  T* operator->() noexcept { return value_; }
  const T* operator->() const noexcept { return value_; }

 private:
  static T* copy(const T& value) { return new T(value); }
  static void drop(T* value) noexcept { delete value; }

  T* value_ = nullptr;
  T* (*copy_)(const T&) = nullptr;
  void (*drop_)(T*) noexcept = nullptr;
};

inline std::uint32_t build_value(Builder& out, const std::string& text) { return out.string(text); }
inline std::uint32_t build_value(Builder& out, const Tensor& tensor) { return out.tensor(tensor); }
/// A table: its generated build() is found by the struct's namespace.
template <class T>
std::uint32_t build_value(Builder& out, const T& table) {
  return build(out, table);
}
template <class T>
std::uint32_t build_value(Builder& out, const std::optional<T>& value) {
  return build_value(out, *value);
}
template <class T>
std::uint32_t build_value(Builder& out, const Box<T>& value) {
  return build_value(out, *value);
}
template <class T>
std::uint32_t build_value(Builder& out, const std::vector<T>& values) {
  if constexpr (std::is_same_v<T, bool>) {
    const std::uint32_t at = out.scalars(1, values.size());
    std::byte* to = out.elements(at);
    for (std::size_t i = 0; i < values.size() && to != nullptr; ++i)
      to[i] = values[i] ? std::byte{1} : std::byte{0};
    return at;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return out.scalars(sizeof(T), std::as_bytes(std::span(values)));
  } else {
    const std::uint32_t at = out.offsets(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      out.point(Builder::element(at, i), build_value(out, values[i]));
    return at;
  }
}

/// The fields of one table on their way into a Builder. N is the highest id + 1. First say what each field
/// holds, then write the table with slots(), then write() what its offsets point to.
template <std::size_t N>
class Fields {
 public:
  /// A scalar; left out if it has the bits of its default (so -0.0 and NaN survive).
  template <class T>
  void scalar(std::size_t id, T value, T otherwise) noexcept {
    const std::uint64_t bits = bits_of(value);
    if (bits != bits_of(otherwise)) slots_[id] = {.bits = bits, .size = sizeof(T)};
  }
  /// A string, vector, table or tensor; left out if it is empty and not required.
  template <class T>
  void content(std::size_t id, const T& value, bool required = false) noexcept {
    if (required || present(value)) slots_[id].size = 4;
  }
  [[nodiscard]] std::span<Slot> slots() noexcept { return slots_; }
  template <class T>
  void write(Builder& out, std::size_t id, const T& value) const {
    if (slots_[id].size != 0) out.point(slots_[id].at, build_value(out, value));
  }

 private:
  template <class T>
  static std::uint64_t bits_of(T value) noexcept {
    if constexpr (std::is_same_v<T, double>) {
      return std::bit_cast<std::uint64_t>(value);
    } else if constexpr (std::is_same_v<T, float>) {
      return std::bit_cast<std::uint32_t>(value);
    } else if constexpr (std::is_enum_v<T>) {
      return bits_of(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_same_v<T, bool>) {
      return value ? 1 : 0;
    } else {
      return static_cast<std::make_unsigned_t<T>>(value);
    }
  }
  template <class T>
  static bool present(const T& value) noexcept {
    if constexpr (requires { value.has_value(); }) {
      return value.has_value();
    } else if constexpr (requires { value.empty(); }) {
      return !value.empty();
    } else {
      return true;
    }
  }

  std::array<Slot, N> slots_{};
};
/// A table without fields.
template <>
class Fields<0> {
 public:
  [[nodiscard]] std::span<Slot> slots() noexcept { return {}; }
};

/// What generated encode() gives: the finished message. Past FlatBuffers' 2 GiB the head is empty, which
/// callers and receivers refuse; large arrays belong in tensors.
[[nodiscard]] Payload finish_message(Builder& out, std::uint32_t root);

}  // namespace leat::schema
