// Whether all of a client's or a server's options can be; kInvalidArgument naming the first that can't.
#pragma once

#include <leat/peer.h>
#include <leat/server.h>

namespace leat::transport {

[[nodiscard]] Status check_options(const ConnectOptions& options);
[[nodiscard]] Status check_options(const ServerOptions& options);

}  // namespace leat::transport
