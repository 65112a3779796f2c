// Takes frames as a stream of tiles, checks every pixel against the picture, measures, and writes a PNG.
// Prints JSON: one line now and then on how far it is, and a last one with the results.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <leat/peer.h>

#include "image.h"
#include "imaging.leat.h"
#include "stitch.h"

namespace imaging {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string url;
  std::string reference;
  std::string png;
  std::uint32_t frames = 1;
  std::uint32_t tile = 128;
  std::uint32_t calls = 1000;
  double timeout = 120;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

leat::Status check_info(Microscope& scope, const Image& reference, const leat::CallOptions& options) {
  const auto info = scope.info({}, options);
  if (!info) return info.error();
  if ((*info)->rows() == reference.rows && (*info)->columns() == reference.columns) return {};
  return {leat::Code::kDataLoss, fmt::format("Info says {} x {}, expected {} x {}", (*info)->rows(),
                                             (*info)->columns(), reference.rows, reference.columns)};
}

/// The whole frame in one message.
leat::Status check_snap(Microscope& scope, const Image& reference, const leat::CallOptions& options) {
  const auto frame = scope.snap({.exposure_ms = 1}, options);
  if (!frame) return frame.error();
  const leat::Tensor pixels = (*frame)->pixels();
  const auto counts = pixels.values<std::uint16_t>();
  if (!counts) return counts.error();
  if (std::ranges::equal(*counts, reference.pixels)) return {};
  return {leat::Code::kDataLoss, "Snap's frame is not the picture"};
}

leat::Status stream(Microscope& scope, const Options& options, Stitcher& stitcher,
                    const std::vector<std::uint32_t>& exposures_ms, const leat::CallOptions& call) {
  auto tiles = scope.frames({.exposures_ms = exposures_ms, .tile = options.tile}, call);
  auto reported = Clock::now();
  for (const auto& tile : tiles) {
    if (leat::Status status = stitcher.add(*tile); !status.ok()) return status;
    if (seconds_since(reported) < 0.1) continue;
    reported = Clock::now();
    fmt::print("{{\"bytes\": {}}}\n", stitcher.bytes());
    std::fflush(stdout);
  }
  if (leat::Status status = tiles.finish(); !status.ok()) return status;
  return stitcher.finish();
}

leat::Status run(const Options& options) {
  const leat::Result<Image> reference = read_png(options.reference);
  if (!reference) return reference.error();
  const leat::Result<leat::Peer> peer = leat::connect(options.url);
  if (!peer) return peer.error();
  auto scope = peer->service<Microscope>();
  const leat::CallOptions call{
      .timeout = std::chrono::duration_cast<leat::Duration>(std::chrono::duration<double>(options.timeout))};

  // Exposures from 1 ms on, so that no two frames in a row are alike.
  std::vector<std::uint32_t> exposures_ms;
  for (std::uint32_t i = 0; i < options.frames; ++i) exposures_ms.push_back(1 + i % 200);

  auto start = Clock::now();
  for (std::uint32_t i = 0; i < options.calls; ++i) {
    if (leat::Status status = check_info(scope, *reference, call); !status.ok()) return status;
  }
  const double call_seconds = seconds_since(start);

  Stitcher stitcher(*reference, exposures_ms, options.tile);
  start = Clock::now();
  if (leat::Status status = stream(scope, options, stitcher, exposures_ms, call); !status.ok()) return status;
  const double seconds = seconds_since(start);
  if (leat::Status status = check_snap(scope, *reference, call); !status.ok()) return status;

  const Measurement measured = measure(stitcher.frame());
  if (!options.png.empty()) {
    const Image picture = to_picture(stitcher.frame(), reference->rows, reference->columns);
    if (leat::Status status = write_png(options.png, picture); !status.ok()) return status;
  }
  fmt::print(
      "{{\"transport\": \"{}\", \"tiles\": {}, \"bytes\": {}, \"seconds\": {}, \"calls\": {}, "
      "\"call_seconds\": {}, "
      "\"exposure_ms\": {}, \"background\": {}, \"mean\": {}, \"histogram\": [{}]}}\n",
      peer->transport(), stitcher.tiles(), stitcher.bytes(), seconds, options.calls, call_seconds,
      exposures_ms.back(), measured.background, measured.mean, fmt::join(measured.histogram, ", "));
  return {};
}

}  // namespace
}  // namespace imaging

int main(int argc, char** argv) {
  CLI::App app("Takes frames from a microscope and checks every pixel");
  imaging::Options options;
  app.add_option("url", options.url, "where the microscope is")->required();
  app.add_option("reference", options.reference, "the picture under it, 8-bit grey PNG")->required();
  app.add_option("--png", options.png, "where to write the last frame");
  app.add_option("--frames", options.frames, "how many frames to take")->check(CLI::PositiveNumber);
  app.add_option("--tile", options.tile, "rows and columns of a tile")->check(CLI::PositiveNumber);
  app.add_option("--calls", options.calls, "how many small calls to time");
  app.add_option("--timeout", options.timeout, "seconds that a call may take")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const leat::Status status = imaging::run(options);
  if (status.ok()) return 0;
  fmt::print(stderr, "client: {}\n", status.to_string());
  return 1;
}
