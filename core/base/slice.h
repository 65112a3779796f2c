#pragma once

#include <leat/bytes.h>

namespace leat {

/// A run of bytes to be sent. `owner` keeps large bodies alive beyond the call, for links that send later
/// (ZeroMQ); it is empty for small pieces in the caller's scratch memory, which a link that sends later must
/// copy.
struct Slice {
  Bytes bytes;
  Buffer owner;
};

}  // namespace leat
