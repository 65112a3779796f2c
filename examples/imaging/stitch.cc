#include "stitch.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <leat/tensor.h>

namespace imaging {
namespace {

leat::Status differs(std::string what) { return {leat::Code::kDataLoss, std::move(what)}; }

}  // namespace

Stitcher::Stitcher(const Image& reference, std::vector<std::uint32_t> exposures_ms, std::uint32_t tile)
    : reference_(reference),
      exposures_ms_(std::move(exposures_ms)),
      grid_(reference.rows, reference.columns, tile),
      frame_(reference.pixels.size()) {}

leat::Status Stitcher::add(const TileView& tile) {
  if (frame_number_ == exposures_ms_.size()) return differs("more tiles came than were asked for");
  if (tile.frame() != frame_number_ || tile.index() != next_tile_) {
    return differs(fmt::format("tile {} of frame {} came where tile {} of frame {} was due", tile.index(),
                               tile.frame(), next_tile_, frame_number_));
  }
  const Rectangle part = grid_[next_tile_];
  const leat::Tensor pixels = tile.pixels();
  const leat::Result<std::span<const std::uint16_t>> counts = pixels.values<std::uint16_t>();
  if (!counts) return counts.error();
  if (tile.row() != part.row || tile.column() != part.column || pixels.rank() != 2 ||
      pixels.shape()[0] != part.rows || pixels.shape()[1] != part.columns) {
    return differs(fmt::format("tile {} of frame {} is not {} x {} at row {}, column {}", next_tile_,
                               frame_number_, part.rows, part.columns, part.row, part.column));
  }
  for (std::uint32_t row = 0; row < part.rows; ++row) {
    std::memcpy(&frame_[std::size_t{part.row + row} * reference_.columns + part.column],
                &(*counts)[std::size_t{row} * part.columns], part.columns * sizeof(std::uint16_t));
  }
  ++tiles_;
  bytes_ += pixels.data().size();
  if (++next_tile_ < grid_.size()) return {};
  leat::Status status = compare();
  next_tile_ = 0;
  ++frame_number_;
  return status;
}

leat::Status Stitcher::finish() const {
  if (frame_number_ == exposures_ms_.size()) return {};
  return differs(fmt::format("the stream ended before tile {} of frame {}", next_tile_, frame_number_));
}

leat::Status Stitcher::compare() const {
  const std::uint32_t exposure_ms = exposures_ms_[frame_number_];
  const auto same = [=](std::uint8_t value, std::uint16_t got) {
    return count_photons(value, exposure_ms) == got;
  };
  if (std::ranges::equal(reference_.pixels, frame_, same)) return {};
  for (std::uint32_t i = 0; i < grid_.size(); ++i) {
    const Rectangle part = grid_[i];
    for (std::uint32_t row = part.row; row < part.row + part.rows; ++row) {
      for (std::uint32_t column = part.column; column < part.column + part.columns; ++column) {
        const std::size_t at = std::size_t{row} * reference_.columns + column;
        if (same(reference_.pixels[at], frame_[at])) continue;
        return differs(fmt::format("tile {} of frame {}: the pixel at row {}, column {} is {}, expected {}",
                                   i, frame_number_, row, column, frame_[at],
                                   count_photons(reference_.pixels[at], exposure_ms)));
      }
    }
  }
  return differs(fmt::format("frame {} differs", frame_number_));
}

Measurement measure(const std::vector<std::uint16_t>& frame) {
  Measurement result;
  std::vector<std::uint16_t> sorted = frame;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
  std::ranges::nth_element(sorted, middle);
  result.background = *middle;
  const auto size = static_cast<std::int64_t>(frame.size());
  const std::int64_t sum = std::accumulate(frame.begin(), frame.end(), std::int64_t{0});
  result.mean = static_cast<double>(sum - size * result.background) / static_cast<double>(size);
  result.histogram.resize(256);
  for (const std::uint16_t counts : frame) ++result.histogram[counts >> 8U];
  return result;
}

Image to_picture(const std::vector<std::uint16_t>& frame, std::uint32_t rows, std::uint32_t columns) {
  Image picture{rows, columns, std::vector<std::uint8_t>(frame.size())};
  const std::uint32_t brightest = std::max<std::uint32_t>(1, std::ranges::max(frame));
  std::ranges::transform(frame, picture.pixels.begin(), [=](std::uint32_t counts) {
    return static_cast<std::uint8_t>(counts * 255 / brightest);
  });
  return picture;
}

}  // namespace imaging
