#pragma once

#include <string_view>

#include <leat/peer.h>

#include "core/session/event.h"

namespace leat::transport {

/// The user's limits as a session over that kind of link takes them, with memory for attachments that is
/// aligned for huge pages where that pays, and the budget that the process's sessions share.
[[nodiscard]] session::Options session_options(const ConnectionLimits& limits, std::string_view scheme);

/// See leat::set_process_assembly_bytes().
Status set_process_assembly_bytes(std::uint64_t bytes);

/// Unpredictable bytes from the operating system.
[[nodiscard]] wire::Token make_token();

}  // namespace leat::transport
