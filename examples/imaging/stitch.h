// What the client does with the tiles: puts them together, compares them with the picture, and measures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <leat/status.h>

#include "image.h"
#include "imaging.leat.h"

namespace imaging {

/// Takes tiles in the order they come in and checks each frame when it is complete, pixel by pixel.
class Stitcher {
 public:
  Stitcher(const Image& reference, std::vector<std::uint32_t> exposures_ms, std::uint32_t tile);

  /// kDataLoss naming the tile and the first pixel that differs.
  leat::Status add(const TileView& tile);
  /// kDataLoss if tiles are missing.
  [[nodiscard]] leat::Status finish() const;

  [[nodiscard]] std::uint64_t tiles() const noexcept { return tiles_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// The frame that was completed last.
  [[nodiscard]] const std::vector<std::uint16_t>& frame() const noexcept { return frame_; }

 private:
  [[nodiscard]] leat::Status compare() const;

  const Image& reference_;
  std::vector<std::uint32_t> exposures_ms_;
  Grid grid_;
  std::vector<std::uint16_t> frame_;
  std::uint32_t frame_number_ = 0;
  std::uint32_t next_tile_ = 0;
  std::uint64_t tiles_ = 0;
  std::uint64_t bytes_ = 0;
};

/// What a microscopist wants to know of a frame.
struct Measurement {
  std::uint16_t background = 0;          ///< the median: most of the field is empty
  double mean = 0;                       ///< of the counts above the background, negative ones included
  std::vector<std::uint64_t> histogram;  ///< 256 bins of 256 counts
};
Measurement measure(const std::vector<std::uint16_t>& frame);

/// For looking at: the brightest pixel becomes white.
Image to_picture(const std::vector<std::uint16_t>& frame, std::uint32_t rows, std::uint32_t columns);

}  // namespace imaging
