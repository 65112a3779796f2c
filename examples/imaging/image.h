// The picture under the microscope, what the camera makes of it, and how a frame is cut into tiles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <leat/status.h>

namespace imaging {

inline constexpr std::uint32_t kFullScale = 65'535;
inline constexpr std::uint32_t kLongestExposureMs = 10'000;

/// An 8-bit grey picture, row by row.
struct Image {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::vector<std::uint8_t> pixels;
};

/// kInvalidArgument naming the file and the cause.
leat::Result<Image> read_png(const std::string& path);
leat::Status write_png(const std::string& path, const Image& image);

/// What the camera counts where the picture has that value: proportional to the exposure until it clips.
inline std::uint16_t count_photons(std::uint8_t value, std::uint32_t exposure_ms) noexcept {
  return static_cast<std::uint16_t>(std::min(value * exposure_ms, kFullScale));
}

struct Rectangle {
  std::uint32_t row = 0;
  std::uint32_t column = 0;
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
};

/// Tiles of tile x tile pixels, counted row by row; those at the right and lower edge are what is left.
class Grid {
 public:
  Grid(std::uint32_t rows, std::uint32_t columns, std::uint32_t tile) noexcept
      : rows_(rows), columns_(columns), tile_(tile) {}

  [[nodiscard]] std::uint32_t size() const noexcept { return across(rows_) * across(columns_); }
  [[nodiscard]] Rectangle operator[](std::uint32_t i) const noexcept {
    const std::uint32_t row = i / across(columns_) * tile_;
    const std::uint32_t column = i % across(columns_) * tile_;
    return {row, column, std::min(tile_, rows_ - row), std::min(tile_, columns_ - column)};
  }

 private:
  [[nodiscard]] std::uint32_t across(std::uint32_t length) const noexcept {
    return length / tile_ + static_cast<std::uint32_t>(length % tile_ != 0);
  }

  std::uint32_t rows_;
  std::uint32_t columns_;
  std::uint32_t tile_;
};

/// Exposes one rectangle of the picture; `to` takes rows x columns counts.
void expose(const Image& image, const Rectangle& part, std::uint32_t exposure_ms,
            std::span<std::uint16_t> to);

}  // namespace imaging
