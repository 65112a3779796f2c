// Serves a picture as a microscope would. Prints the URL it can be reached at, and runs until it is killed.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <leat/server.h>

#include "image.h"
#include "imaging.leat.h"

namespace imaging {
namespace {

leat::Status check_exposure(std::uint32_t exposure_ms) {
  if (exposure_ms >= 1 && exposure_ms <= kLongestExposureMs) return {};
  return {leat::Code::kInvalidArgument,
          fmt::format("exposure_ms must be 1 to {}, got {}", kLongestExposureMs, exposure_ms)};
}

class Scope final : public MicroscopeService {
 public:
  explicit Scope(Image image) : image_(std::move(image)) {}

  leat::Result<InfoReply> info(leat::Context& /*context*/, InfoRequestView /*request*/) override {
    return InfoReply{.rows = image_.rows, .columns = image_.columns, .full_scale = kFullScale};
  }

  leat::Result<Frame> snap(leat::Context& /*context*/, SnapRequestView request) override {
    if (leat::Status status = check_exposure(request.exposure_ms()); !status.ok())
      return leat::failure(status);
    const Rectangle whole{0, 0, image_.rows, image_.columns};
    return Frame{.exposure_ms = request.exposure_ms(), .pixels = take(whole, request.exposure_ms())};
  }

  leat::Status frames(leat::Context& /*context*/, FramesRequestView request,
                      leat::Writer<Tile>& out) override {
    if (request.tile() == 0) return {leat::Code::kInvalidArgument, "tile must be at least 1"};
    const Grid grid(image_.rows, image_.columns, request.tile());
    std::uint32_t frame = 0;
    for (const std::uint32_t exposure_ms : request.exposures_ms()) {
      if (leat::Status status = check_exposure(exposure_ms); !status.ok()) return status;
      for (std::uint32_t i = 0; i < grid.size(); ++i) {
        const Rectangle part = grid[i];
        const leat::Status sent = out.write({.frame = frame,
                                             .index = i,
                                             .row = part.row,
                                             .column = part.column,
                                             .pixels = take(part, exposure_ms)});
        if (!sent.ok()) return sent;  // nobody listens any more
      }
      ++frame;
    }
    return {};
  }

 private:
  [[nodiscard]] leat::Tensor take(const Rectangle& part, std::uint32_t exposure_ms) const {
    leat::Tensor pixels = leat::Tensor::allocate(leat::DType::kUInt16, {part.rows, part.columns});
    expose(image_, part, exposure_ms, *pixels.mutable_values<std::uint16_t>());
    return pixels;
  }

  Image image_;
};

int run(const std::string& path, const std::string& url) {
  leat::Result<Image> image = read_png(path);
  if (!image) {
    fmt::print(stderr, "server: {}\n", image.error().message());
    return 1;
  }
  leat::Server server;
  if (const leat::Status added = server.add(std::make_shared<Scope>(std::move(*image))); !added.ok()) {
    fmt::print(stderr, "server: {}\n", added.to_string());
    return 1;
  }
  const leat::Result<std::string> listening = server.listen(url);
  if (!listening) {
    fmt::print(stderr, "server: {}\n", listening.error().to_string());
    return 1;
  }
  fmt::print("{}\n", *listening);
  std::fflush(stdout);
  server.wait();
  return 0;
}

}  // namespace
}  // namespace imaging

int main(int argc, char** argv) {
  CLI::App app("Serves a picture as a microscope would");
  std::string image;
  std::string url = "tcp://127.0.0.1:0";
  app.add_option("image", image, "8-bit grey PNG")->required()->check(CLI::ExistingFile);
  app.add_option("--listen", url, "where to listen; port 0: any that is free")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return imaging::run(image, url);
}
