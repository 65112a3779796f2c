#include <array>

#include <leat/context.h>

namespace leat {

std::string_view channel_name(Channel channel) noexcept {
  static constexpr std::array<std::string_view, kChannelCount> kNames = {"control", "stream", "rpc", "bulk"};
  const auto index = static_cast<std::size_t>(channel);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace leat
