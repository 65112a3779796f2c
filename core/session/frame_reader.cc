#include "core/session/frame_reader.h"

#include <algorithm>
#include <cstring>

namespace leat::session {
namespace {

// One read's worth of small frames.
constexpr std::size_t kScratch = 64U << 10U;
// Beside a direct destination, scratch takes only the next frame's header: what lands there has to be copied.
constexpr std::size_t kScratchBesideBody = 256;

}  // namespace

FrameReader::Space FrameReader::prepare() {
  if (!scratch_) scratch_ = std::make_unique_for_overwrite<std::byte[]>(kScratch);
  Space space{{}, {scratch_.get(), kScratch}};
  direct_offered_ = 0;
  if (in_body_ && mode_ == FrameSink::Body::kPieces) {
    const std::span<std::byte> to = sink_->destination();
    // A short tail is cheaper to copy than to read separately.
    if (std::min(to.size(), body_left_) > kScratchBesideBody) {
      space.body = to.first(std::min(to.size(), body_left_));
      space.scratch = space.scratch.first(kScratchBesideBody);
      direct_offered_ = space.body.size();
    }
  }
  return space;
}

void FrameReader::commit(std::size_t size) {
  const std::size_t direct = std::min(size, direct_offered_);
  if (direct > 0 && !stopped_) {
    body_left_ -= direct;
    const bool done = body_left_ == 0;
    if (done) in_body_ = false;
    if (!sink_->on_direct(header_, direct, done)) stopped_ = true;
  }
  consume({scratch_.get(), size - direct});
}

void FrameReader::consume(Bytes bytes) {
  while (!bytes.empty() && !stopped_) {
    if (in_body_) {
      bytes = take_body(bytes);
      continue;
    }
    if (header_have_ == 0 && bytes.size() >= wire::FrameHeader::kSize) {
      header_ = wire::FrameHeader::decode(bytes.first<wire::FrameHeader::kSize>());
      bytes = bytes.subspan(wire::FrameHeader::kSize);
      begin_frame();
      continue;
    }
    const std::size_t part = std::min(bytes.size(), header_bytes_.size() - header_have_);
    std::memcpy(header_bytes_.data() + header_have_, bytes.data(), part);
    header_have_ += part;
    bytes = bytes.subspan(part);
    if (header_have_ == header_bytes_.size()) {
      header_have_ = 0;
      header_ = wire::FrameHeader::decode(header_bytes_);
      begin_frame();
    }
  }
}

void FrameReader::begin_frame() {
  mode_ = sink_->on_header(header_);
  body_left_ = header_.length;
  body_.clear();
  if (mode_ == FrameSink::Body::kStop) {
    stopped_ = true;
    return;
  }
  in_body_ = body_left_ > 0;
  if (in_body_) return;
  const bool goes_on = mode_ == FrameSink::Body::kWhole    ? sink_->on_body(header_, {})
                       : mode_ == FrameSink::Body::kPieces ? sink_->on_piece(header_, {}, true)
                                                           : true;
  if (!goes_on) stopped_ = true;
}

Bytes FrameReader::take_body(Bytes bytes) {
  const std::size_t part = std::min(bytes.size(), body_left_);
  const Bytes mine = bytes.first(part);
  body_left_ -= part;
  const bool done = body_left_ == 0;
  if (done) in_body_ = false;
  bool goes_on = true;
  if (mode_ == FrameSink::Body::kPieces) {
    goes_on = sink_->on_piece(header_, mine, done);
  } else if (mode_ == FrameSink::Body::kWhole) {
    if (done && body_.empty()) {
      goes_on = sink_->on_body(header_, mine);
    } else {
      body_.insert(body_.end(), mine.begin(), mine.end());
      if (done) goes_on = sink_->on_body(header_, body_);
    }
  }
  if (!goes_on) stopped_ = true;
  return bytes.subspan(part);
}

}  // namespace leat::session
