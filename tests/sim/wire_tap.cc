#include "tests/sim/wire_tap.h"

#include <algorithm>

#include "core/wire/call_frames.h"

namespace leat::sim {
namespace {

constexpr std::size_t kHeader = wire::FrameHeader::kSize;
constexpr std::size_t kLongestPrologue = wire::Prologue::kFixedSize + 8 * wire::kMaxAttachments;

}  // namespace

void WireTap::pass(Bytes bytes) {
  while (!bytes.empty()) {
    if (kept_.size() < kHeader) {
      const std::size_t part = std::min(bytes.size(), kHeader - kept_.size());
      kept_.insert(kept_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
      bytes = bytes.subspan(part);
      if (kept_.size() < kHeader) return;
      frame_.header = wire::FrameHeader::decode(Bytes(kept_).first<kHeader>());
      body_left_ = frame_.header.length;
      const bool message = frame_.header.kind == wire::Kind::kMessage;
      const bool first = (frame_.header.flags & wire::kFirst) != 0;
      body_keep_ = !message ? body_left_ : first ? std::min(body_left_, kLongestPrologue) : 0;
      if (body_left_ == 0) finish();
      continue;
    }
    const std::size_t part = std::min(bytes.size(), body_left_);
    const std::size_t keep = std::min(part, body_keep_);
    kept_.insert(kept_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(keep));
    body_keep_ -= keep;
    body_left_ -= part;
    bytes = bytes.subspan(part);
    if (body_left_ == 0) finish();
  }
}

void WireTap::finish() {
  frame_.body = Bytes(kept_).subspan(kHeader);
  observers_->tell(told_, frame_);
  kept_.clear();
}

}  // namespace leat::sim
