// A call that was started, not waited for, and that outlives its connection: a unary one that may run twice
// is made again where that is safe, and one of any kind that waits for a connection does so without a thread.
//
//   attempt runs -> ended well, or for good: settled
//                -> failed, and worth another attempt: a delay -> the next attempt
//   no connection, but the call waits for one -> there is one -> an attempt
//
// It moves on when somebody waits for it, asks for it, or has asked to be told; a call that nobody looks at
// is not made again.
#pragma once

#include <memory>
#include <optional>

#include <leat/service.h>

#include "transport/endpoint/client.h"

namespace leat::transport {

/// `alive` is kept as long as the call is. Never blocks.
std::unique_ptr<ClientCall> start_repeated(std::shared_ptr<Client> client, std::shared_ptr<void> alive,
                                           const MethodRef& method, std::optional<Payload> request,
                                           const CallOptions& options);

}  // namespace leat::transport
