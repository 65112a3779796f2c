// Bytes and who owns them. `Bytes` looks, `Buffer` owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat {

/// A view of bytes that somebody else keeps alive.
using Bytes = std::span<const std::byte>;

[[nodiscard]] inline Bytes as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}
[[nodiscard]] inline std::string_view as_text(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Shared ownership of a run of bytes, or of part of one. Copying and slicing share and never copy the bytes.
///
/// Thread safety: different Buffer objects that share bytes may be used from different threads; the count is
/// atomic. The bytes are immutable once shared; whoever made a buffer with allocate() may write to it before
/// the first copy.
class Buffer {
 public:
  /// Data of allocate()d buffers starts at a multiple of this, so that arrays of any dtype can be viewed in
  /// place.
  static constexpr std::size_t kAlignment = 64;

  Buffer() noexcept = default;
  Buffer(const Buffer& other) noexcept : block_(other.block_), data_(other.data_), size_(other.size_) {
    retain();
  }
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { release(); }

  /// `size` bytes of uninitialised memory, aligned to kAlignment.
  static Buffer allocate(std::size_t size);
  static Buffer copy(Bytes bytes);
  static Buffer copy(std::string_view text) { return copy(as_bytes(text)); }
  /// Takes over the vector's or the string's memory; alignment is what the allocator gave.
  static Buffer own(std::vector<std::byte> bytes);
  static Buffer own(std::string text);
  /// Bytes that live as long as `owner` does.
  static Buffer wrap(Bytes bytes, std::shared_ptr<const void> owner);
  /// Bytes that outlive every buffer: literals and the like.
  static Buffer borrow_static(Bytes bytes) noexcept;

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] Bytes bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const noexcept { return as_text(bytes()); }
  /// A buffer is a view of itself.
  operator Bytes() const noexcept { return bytes(); }  // NOLINT(*-explicit-*)

  /// Writable view of a buffer made by allocate() that nobody else shares yet.
  [[nodiscard]] std::span<std::byte> writable() noexcept { return {const_cast<std::byte*>(data_), size_}; }

  /// The part [offset, offset + size), which must lie inside; shares ownership.
  [[nodiscard]] Buffer slice(std::size_t offset, std::size_t size) const;

  /// True if no other Buffer shares these bytes (so they may be reused).
  [[nodiscard]] bool unique() const noexcept;

  void swap(Buffer& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  /// A counted owner of memory, for code that brings its own (pools, leases, Python objects). Starts with one
  /// count, which adopt() takes over; `destroy` is called when the last count goes, on whichever thread that
  /// is.
  struct Block {
    void (*destroy)(Block*) noexcept = nullptr;
    mutable std::uint32_t references = 1;
  };
  static Buffer adopt(Block* block, Bytes bytes) noexcept;

 private:
  void retain() const noexcept;
  void release() noexcept;

  Block* block_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace leat
