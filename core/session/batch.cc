#include "core/session/batch.h"

#include <algorithm>

namespace leat::session {

std::span<std::byte> Batch::copy_space(std::size_t size) {
  if (!scratch_) scratch_ = std::make_unique_for_overwrite<std::byte[]>(kScratch);
  const std::span<std::byte> space(scratch_.get() + used_, size);
  used_ += size;
  bytes_ += size;
  // Right behind the previous scratch piece: lengthen that slice instead of adding one.
  if (slices_.size() > first_) {
    Slice& last = slices_.back();
    if (last.owner.data() == nullptr && last.bytes.data() + last.bytes.size() == space.data()) {
      last.bytes = {last.bytes.data(), last.bytes.size() + size};
      return space;
    }
  }
  slices_.push_back({space, {}});
  return space;
}

void Batch::refer(const Buffer& owner, Bytes bytes) {
  if (bytes.empty()) return;
  slices_.push_back({bytes, owner});
  bytes_ += bytes.size();
}

void Batch::taken(std::size_t size) {
  bytes_ -= size;
  if (bytes_ == 0) {
    clear();
    return;
  }
  while (size > 0) {
    Slice& slice = slices_[first_];
    const std::size_t part = std::min(size, slice.bytes.size());
    slice.bytes = slice.bytes.subspan(part);
    size -= part;
    if (slice.bytes.empty()) {
      slice.owner = {};
      ++first_;
    }
  }
}

void Batch::clear() noexcept {
  slices_.clear();
  used_ = 0;
  bytes_ = 0;
  first_ = 0;
}

}  // namespace leat::session
