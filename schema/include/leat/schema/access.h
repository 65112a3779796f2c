// Reading verified FlatBuffers bytes in place. Everything here trusts what it reads: run verify() first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include <leat/bytes.h>
#include <leat/message.h>
#include <leat/tensor.h>

namespace leat::schema {

template <class T>
[[nodiscard]] T load_scalar(const std::byte* at) noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return *at != std::byte{0};
  } else {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
}
/// What the offset at `at` points to.
[[nodiscard]] inline const std::byte* follow(const std::byte* at) noexcept {
  return at + load_scalar<std::uint32_t>(at);
}
/// The field of a table, or null if it is absent. `vtable_offset` is 4 + 2 * id.
[[nodiscard]] inline const std::byte* find_field(const std::byte* table,
                                                 std::uint16_t vtable_offset) noexcept {
  const std::byte* vtable = table - load_scalar<std::int32_t>(table);
  if (vtable_offset >= load_scalar<std::uint16_t>(vtable)) return nullptr;
  const auto offset = load_scalar<std::uint16_t>(vtable + vtable_offset);
  return offset == 0 ? nullptr : table + offset;
}
/// The string whose length stands at `at`.
[[nodiscard]] inline std::string_view load_text(const std::byte* at) noexcept {
  return {reinterpret_cast<const char*>(at + 4), load_scalar<std::uint32_t>(at)};
}
/// The elements of the vector of bytes-sized scalars whose length stands at `at`.
[[nodiscard]] inline Bytes load_packed(const std::byte* at, std::size_t element_size) noexcept {
  return {at + 4, std::size_t{load_scalar<std::uint32_t>(at)} * element_size};
}

/// The tensor in a verified leat.Tensor table. Shares the attachment's memory; inline data is shared too if
/// `head` (the buffer that the table lies in) is given and the data is aligned for its dtype, and copied
/// otherwise.
[[nodiscard]] Tensor load_tensor(const std::byte* table, std::span<const Buffer> attachments,
                                 const Buffer* head = nullptr);

/// A table without fields, which reads as all defaults.
[[nodiscard]] const std::byte* empty_table() noexcept;

/// A table in a verified message, as generated views hold it: where it lies and where its tensors are. A
/// value of two words and a half, valid as long as the payload is.
class TableView {
 public:
  /// An empty table: every field absent.
  TableView() noexcept : table_(empty_table()) {}
  TableView(const std::byte* table, std::span<const Buffer> attachments) noexcept
      : table_(table), attachments_(attachments) {}
  /// The root of a verified payload.
  [[nodiscard]] static TableView root(const Payload& payload) noexcept {
    return {follow(payload.head.data()), payload.attachments};
  }

  [[nodiscard]] bool has(std::uint16_t field) const noexcept { return find_field(table_, field) != nullptr; }
  template <class T>
  [[nodiscard]] T scalar(std::uint16_t field, T otherwise) const noexcept {
    const std::byte* at = find_field(table_, field);
    if (at == nullptr) return otherwise;
    if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(load_scalar<std::underlying_type_t<T>>(at));
    } else {
      return load_scalar<T>(at);
    }
  }
  [[nodiscard]] std::string_view text(std::uint16_t field) const noexcept {
    const std::byte* at = find_field(table_, field);
    return at == nullptr ? std::string_view() : load_text(follow(at));
  }
  [[nodiscard]] TableView table(std::uint16_t field) const noexcept {
    const std::byte* at = find_field(table_, field);
    return at == nullptr ? TableView() : TableView(follow(at), attachments_);
  }
  [[nodiscard]] Tensor tensor(std::uint16_t field) const {
    const std::byte* at = find_field(table_, field);
    return at == nullptr ? Tensor() : load_tensor(follow(at), attachments_);
  }
  /// Where a vector's length stands; null if the field is absent.
  [[nodiscard]] const std::byte* vector(std::uint16_t field) const noexcept {
    const std::byte* at = find_field(table_, field);
    return at == nullptr ? nullptr : follow(at);
  }
  [[nodiscard]] const std::byte* data() const noexcept { return table_; }
  [[nodiscard]] std::span<const Buffer> attachments() const noexcept { return attachments_; }

 private:
  const std::byte* table_;
  std::span<const Buffer> attachments_;
};

}  // namespace leat::schema
