// What a session hands down to be sent: frames as a list of slices, ready for one gathering write.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/base/slice.h"

namespace leat::session {

/// Headers and small bodies are copied into scratch memory one behind the other, so that many small frames
/// make one slice; large bodies are referred to. Reused: clear() keeps the memory.
class Batch {
 public:
  /// Enough for a coalesced write of 16 KiB and the headers of large frames beside it.
  static constexpr std::size_t kScratch = 32U << 10U;

  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
  /// Bytes not taken yet.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t scratch_left() const noexcept { return kScratch - used_; }

  /// `size` more bytes to be filled in at once; size <= scratch_left().
  std::span<std::byte> copy_space(std::size_t size);
  /// Bytes inside `owner`, sent without a copy.
  void refer(const Buffer& owner, Bytes bytes);

  /// The slices not taken yet, in order.
  [[nodiscard]] std::span<const Slice> slices() const noexcept { return std::span(slices_).subspan(first_); }
  /// The link took `size` bytes. Clears the batch when all is taken.
  void taken(std::size_t size);
  void clear() noexcept;

 private:
  std::unique_ptr<std::byte[]> scratch_;
  std::size_t used_ = 0;
  std::size_t bytes_ = 0;
  std::size_t first_ = 0;
  std::vector<Slice> slices_;
};

}  // namespace leat::session
