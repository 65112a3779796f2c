// Vectors in a verified message, as generated views hand them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <vector>

#include <leat/schema/access.h>
#include <leat/tensor.h>

namespace leat::schema {

/// A vector in a message, without a copy: T is a scalar, an enum, std::string_view, leat::Tensor or a
/// generated view. A random-access range, valid as long as the message. Indices are not checked, as with
/// std::span.
template <class T>
class VectorView {
 public:
  using value_type = T;

  VectorView() = default;
  VectorView(const TableView& table, std::uint16_t field) noexcept
      : at_(table.vector(field)), attachments_(table.attachments()) {}

  [[nodiscard]] std::size_t size() const noexcept {
    return at_ == nullptr ? 0 : load_scalar<std::uint32_t>(at_);
  }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] T operator[](std::size_t i) const {
    const std::byte* element = at_ + 4 + i * kElementSize;
    if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(load_scalar<std::underlying_type_t<T>>(element));
    } else if constexpr (std::is_arithmetic_v<T>) {
      return load_scalar<T>(element);
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      return load_text(follow(element));
    } else if constexpr (std::is_same_v<T, Tensor>) {
      return load_tensor(follow(element), attachments_);
    } else {
      return T(TableView(follow(element), attachments_));
    }
  }

  /// The packed little-endian elements, in whatever alignment the message came with.
  [[nodiscard]] Bytes packed() const noexcept
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  {
    return at_ == nullptr ? Bytes() : load_packed(at_, kElementSize);
  }
  /// A copy of the elements that outlives the message (string_views and views in it do not).
  [[nodiscard]] std::vector<T> to_vector() const { return std::vector<T>(begin(), end()); }

  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = T;
    using pointer = void;
    using iterator_category = std::input_iterator_tag;  // elements are values, not references into memory
    using iterator_concept = std::random_access_iterator_tag;

    iterator() = default;
    iterator(const VectorView* vector, std::size_t i) noexcept : vector_(*vector), i_(i) {}
    [[nodiscard]] T operator*() const { return vector_[i_]; }
    [[nodiscard]] T operator[](difference_type n) const { return *(*this + n); }
    iterator& operator+=(difference_type n) noexcept {
      i_ = static_cast<std::size_t>(static_cast<difference_type>(i_) + n);
      return *this;
    }
    iterator& operator-=(difference_type n) noexcept { return *this += -n; }
    iterator& operator++() noexcept { return *this += 1; }
    iterator& operator--() noexcept { return *this -= 1; }
    iterator operator++(int) noexcept { return std::exchange(*this, *this + 1); }
    iterator operator--(int) noexcept { return std::exchange(*this, *this - 1); }
    friend iterator operator+(iterator it, difference_type n) noexcept { return it += n; }
    friend iterator operator+(difference_type n, iterator it) noexcept { return it += n; }
    friend iterator operator-(iterator it, difference_type n) noexcept { return it -= n; }
    friend difference_type operator-(const iterator& a, const iterator& b) noexcept {
      return static_cast<difference_type>(a.i_) - static_cast<difference_type>(b.i_);
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.i_ == b.i_; }
    friend auto operator<=>(const iterator& a, const iterator& b) noexcept { return a.i_ <=> b.i_; }

   private:
    VectorView vector_;
    std::size_t i_ = 0;
  };
  [[nodiscard]] iterator begin() const noexcept { return iterator(this, 0); }
  [[nodiscard]] iterator end() const noexcept { return iterator(this, size()); }

 private:
  static constexpr std::size_t kElementSize = [] {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      return sizeof(T);
    } else {
      return std::size_t{4};
    }
  }();

  const std::byte* at_ = nullptr;
  std::span<const Buffer> attachments_;
};

}  // namespace leat::schema
