// What the interfaces of service.h do unless somebody knows better.
#include <leat/service.h>

namespace leat {

Result<Polled> ServerCall::try_read() {
  Result<std::optional<Payload>> message = read();
  if (!message) return failure(message.error());
  return Polled{false, std::move(*message)};
}

Result<bool> ServerCall::try_write(Payload& reply) {
  if (Status sent = write(std::move(reply)); !sent.ok()) return failure(std::move(sent));
  return true;
}

void ServerCall::when(Moment /*moment*/, std::function<void()> notify) { notify(); }

Result<std::optional<Payload>> ClientCall::only_reply() {
  std::optional<Payload> reply = read();
  const bool more = reply && read();
  if (Status ended = finish(); !ended.ok()) return failure(std::move(ended));
  if (more) return failure(Code::kInternal, "the call has one reply at most, and there was more than one");
  return reply;
}

Polled ClientCall::try_read() { return {false, read()}; }

Result<bool> ClientCall::try_write(Payload& request) {
  if (Status sent = write(std::move(request)); !sent.ok()) return failure(std::move(sent));
  return true;
}

void ClientCall::when(Moment /*moment*/, std::function<void()> notify) { notify(); }

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
