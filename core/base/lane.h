#pragma once

#include <cstddef>
#include <cstdint>

namespace leat {

/// An ordered pipe of bytes under a session, a link of its own. Lane 0 carries a session alone; lane 1, where
/// both sides want it, is for bulk. Nothing is promised about the order of bytes on different lanes.
enum class Lane : std::uint8_t { kMain = 0, kBulk = 1 };
inline constexpr std::size_t kLaneCount = 2;

}  // namespace leat
