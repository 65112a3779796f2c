#include "transport/endpoint/session_options.h"

#include <cstdlib>
#include <sys/random.h>

#include "transport/runtime/warm_memory.h"

namespace leat::transport {

session::Options session_options(const ConnectionLimits& limits) {
  session::Options options;
  options.max_message = limits.max_message_bytes;
  options.assembly_bytes = limits.assembly_bytes;
  options.stream_window = limits.stream_window_bytes;
  options.max_streams = limits.max_streams;
  options.max_metadata = limits.max_metadata_bytes;
  options.allocate = allocate_warm;
  return options;
}

wire::Token make_token() {
  wire::Token token{};
  // Without random bytes no connection would be safe; the call can't fail on a kernel that Leat runs on.
  if (::getrandom(token.data(), token.size(), 0) != static_cast<ssize_t>(token.size())) std::abort();
  return token;
}

}  // namespace leat::transport
