// Interceptors on the side that serves.
#pragma once

#include <functional>

#include <leat/interceptor.h>

namespace leat::transport {

/// How a handler's function ended.
struct Handled {
  Status status;
  bool raised = false;  ///< an exception, which `status` tells of
};

/// Runs a handler inside the interceptors, of which there is at least one and which outlive the call; returns
/// the call's final status. `handler` is given the call that it must use instead of `call`, and must not
/// throw. `metadata` is what call.context().metadata() shows. If the handler detaches, the call ends through
/// finish() as if there were no interceptors, and what this returns is ignored; if it raised, too, the call
/// ends with that unless whom it was given answers.
Status handle_intercepted(const Interceptors& interceptors, std::string_view service, Metadata& metadata,
                          ServerCall& call, const std::function<Handled(ServerCall&)>& handler);

}  // namespace leat::transport
