#include "tests/sim/trace.h"

#include <cstdio>

namespace leat::sim {
namespace {

constexpr std::size_t kKept = 80;

}  // namespace

void Trace::add(std::string text) {
  const double seconds = std::chrono::duration<double>(timeline_->elapsed()).count();
  std::string line = fmt::format("{:12.6f} {}", seconds, text);
  if (mode_ == TraceMode::kPrint) {
    fmt::print("{}\n", line);
    return;
  }
  lines_.push_back(std::move(line));
  if (lines_.size() > kKept) lines_.pop_front();
}

}  // namespace leat::sim
