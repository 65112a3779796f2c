// The hooks of one call, in order.
#pragma once

#include <string_view>
#include <vector>

#include <leat/interceptor.h>

namespace leat::transport {

/// Used by one thread at a time. end() must be called once start() has been.
class HookChain {
 public:
  HookChain(const Interceptors& interceptors, Side side) : interceptors_(interceptors), side_(side) {}

  /// Begins one interceptor after the other, from the outside, until one does not let the call proceed. Those
  /// further in have no part in the call then.
  [[nodiscard]] Decision start(CallDetails& details);

  /// On their way through all of them; the first failure stops them. Replies that an interceptor gives in the
  /// callee's stead pass those outside of it.
  Status send(Payload& message);
  Status receive(Payload& message);
  Status headers(Metadata& headers);
  /// From the inside; afterwards there are no hooks any more.
  Status end(Status status, Metadata& trailing);

 private:
  struct Link {
    Interceptor* by;
    std::unique_ptr<CallHooks> hooks;
  };
  template <class Hook>
  Status pass(bool inwards, std::string_view hook_name, Hook hook);

  const Interceptors& interceptors_;  // outlives the call
  const Side side_;
  std::vector<Link> links_;    // from the outside
  std::size_t answering_ = 0;  // 1: the innermost answers, and its own hooks don't see its messages
};

}  // namespace leat::transport
