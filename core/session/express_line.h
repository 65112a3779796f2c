// Small frames that wait for their channel's turn as bytes: no queue entry, no buffer and no turn of their
// own. Most calls are a few hundred bytes each way, and what each of them costs in the scheduler was a third
// of all its work (docs/decisions/0003-express-line.md).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/session/batch.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"

namespace leat::session {

class ExpressLine {
 public:
  /// More than this waits in the streams' own queues, which are bounded one by one.
  static constexpr std::size_t kMost = 64U << 10U;

  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
    return bytes_.size() - first_ + bytes <= kMost;
  }
  /// Whole frames are appended here.
  [[nodiscard]] std::vector<std::byte>& bytes() noexcept { return bytes_; }
  /// Positions count all bytes that ever stood here.
  [[nodiscard]] std::uint64_t end() const noexcept { return begin_ + bytes_.size(); }
  [[nodiscard]] std::uint64_t taken() const noexcept { return begin_ + first_; }
  /// Takes back what stands behind a position that is not taken yet.
  void cut(std::uint64_t position) noexcept {
    bytes_.resize(static_cast<std::size_t>(position - begin_));
    if (first_ == bytes_.size()) clear();
  }
  void clear() noexcept {
    begin_ += bytes_.size();
    bytes_.clear();
    first_ = 0;
  }

  /// Moves frames into the batch: one, and more while all of them are `most` bytes at most. The batch has
  /// room for as much. Returns the bytes.
  std::size_t take(Batch& batch, std::size_t most) {
    std::size_t size = bytes_.size() - first_;
    if (size > most) {
      size = frame_at(first_);
      for (std::size_t next = size; next <= most; next += frame_at(first_ + next)) size = next;
    }
    std::memcpy(batch.copy_space(size).data(), bytes_.data() + first_, size);
    first_ += size;
    if (first_ == bytes_.size()) clear();
    return size;
  }

 private:
  [[nodiscard]] std::size_t frame_at(std::size_t offset) const noexcept {
    return wire::FrameHeader::kSize + wire::load_le<std::uint32_t>(bytes_.data() + offset);
  }

  std::vector<std::byte> bytes_;
  std::size_t first_ = 0;  // what stands before it is taken
  std::uint64_t begin_ = 0;
};

}  // namespace leat::session
