#pragma once

#include <leat/peer.h>

namespace leat::transport {

/// Makes `context` the thread's current one for the life of this object.
class HandlerScope {
 public:
  explicit HandlerScope(Context& context) noexcept;
  ~HandlerScope();
  HandlerScope(const HandlerScope&) = delete;
  HandlerScope& operator=(const HandlerScope&) = delete;

 private:
  Context* outer_;
};

}  // namespace leat::transport
