// Cuts one lane's bytes into frames, however they arrive, and lets the bodies of large messages be read
// straight into the memory where the application will find them.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <leat/bytes.h>

#include "core/wire/frame.h"

namespace leat::session {

/// What the reader's owner does with frames.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  enum class Body {
    kWhole,   ///< hand me the body in one piece
    kPieces,  ///< hand me the body as it comes
    kDrop,    ///< skip it
    kStop,    ///< the session is over: read no more
  };
  /// A header has arrived: what to do with the body?
  virtual Body on_header(const wire::FrameHeader& header) = 0;
  /// The whole body of a kWhole frame. False: stop.
  virtual bool on_body(const wire::FrameHeader& header, Bytes body) = 0;
  /// Some bytes of a kPieces frame; `done`: the last ones. False: stop.
  virtual bool on_piece(const wire::FrameHeader& header, Bytes bytes, bool done) = 0;
  /// Where the next bytes of the current kPieces frame may be read to directly; empty if there is no such
  /// place.
  virtual std::span<std::byte> destination() = 0;
  /// `size` bytes of the current frame were put into destination().
  virtual bool on_direct(const wire::FrameHeader& header, std::size_t size, bool done) = 0;
};

class FrameReader {
 public:
  explicit FrameReader(FrameSink& sink) : sink_(&sink) {}

  struct Space {
    std::span<std::byte> body;
    std::span<std::byte> scratch;
  };
  /// Where to read to; see transport/link/link.h, Receiver.
  Space prepare();
  void commit(std::size_t size);
  void consume(Bytes bytes);

  /// Drops the rest of the current frame (its stream is gone).
  void abandon() noexcept {
    if (in_body_) mode_ = FrameSink::Body::kDrop;
  }
  /// What has arrived of the next header.
  [[nodiscard]] Bytes partial_header() const noexcept {
    return Bytes(header_bytes_).first(in_body_ ? 0 : header_have_);
  }
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }
  void stop() noexcept { stopped_ = true; }

 private:
  void begin_frame();
  Bytes take_body(Bytes bytes);

  FrameSink* sink_;
  bool stopped_ = false;
  bool in_body_ = false;
  FrameSink::Body mode_ = FrameSink::Body::kDrop;
  wire::FrameHeader header_;
  std::size_t body_left_ = 0;
  std::array<std::byte, wire::FrameHeader::kSize> header_bytes_{};
  std::size_t header_have_ = 0;
  std::vector<std::byte> body_;
  std::size_t direct_offered_ = 0;
  std::unique_ptr<std::byte[]> scratch_;
};

}  // namespace leat::session
