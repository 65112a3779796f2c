#include <array>

#include <leat/context.h>
#include <leat/service.h>

namespace leat {

std::string_view channel_name(Channel channel) noexcept {
  static constexpr std::array<std::string_view, kChannelCount> kNames = {"control", "stream", "rpc", "bulk"};
  const auto index = static_cast<std::size_t>(channel);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::optional<std::size_t> Service::find_method(std::string_view method) const noexcept {
  const std::span<const MethodInfo> methods = service_info().methods;
  for (std::size_t i = 0; i < methods.size(); ++i) {
    if (methods[i].name == method) return i;
  }
  return std::nullopt;
}

std::string Service::known_methods() const {
  std::string names;
  for (const MethodInfo& method : service_info().methods) {
    if (!names.empty()) names += ", ";
    names += method.name;
  }
  return names;
}

}  // namespace leat
