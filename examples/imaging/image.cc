#include "image.h"

#include <png.h>

#include <fmt/format.h>

namespace imaging {

leat::Result<Image> read_png(const std::string& path) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const auto fail = [&] {
    const std::string why = fmt::format("{}: {}", path, png.message);
    png_image_free(&png);
    return leat::failure(leat::Code::kInvalidArgument, why);
  };
  if (png_image_begin_read_from_file(&png, path.c_str()) == 0) return fail();
  if (png.format != PNG_FORMAT_GRAY) {  // anything else would be converted, and pixels would change
    png_image_free(&png);
    return leat::failure(leat::Code::kInvalidArgument,
                         fmt::format("{}: must be an 8-bit grey picture", path));
  }
  Image image{png.height, png.width, std::vector<std::uint8_t>(PNG_IMAGE_SIZE(png))};
  if (png_image_finish_read(&png, nullptr, image.pixels.data(), 0, nullptr) == 0) return fail();
  return image;
}

leat::Status write_png(const std::string& path, const Image& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = image.columns;
  png.height = image.rows;
  png.format = PNG_FORMAT_GRAY;
  if (png_image_write_to_file(&png, path.c_str(), 0, image.pixels.data(), 0, nullptr) == 0) {
    return {leat::Code::kUnavailable, fmt::format("{}: {}", path, png.message)};
  }
  return {};
}

void expose(const Image& image, const Rectangle& part, std::uint32_t exposure_ms,
            std::span<std::uint16_t> to) {
  for (std::uint32_t row = 0; row < part.rows; ++row) {
    const std::size_t start = std::size_t{part.row + row} * image.columns + part.column;
    const auto from = std::span(image.pixels).subspan(start, part.columns);
    std::ranges::transform(from, to.subspan(std::size_t{row} * part.columns).begin(),
                           [=](std::uint8_t value) { return count_photons(value, exposure_ms); });
  }
}

}  // namespace imaging
