// Arrays one way, and there and back. The sender keeps its array and sends it again, as an application with a
// buffer of its own does.
#include <leat/peer.h>

#include "leat_service.h"

namespace bench {
namespace {

/// The array to send: the one sent before if nobody looks at it any more.
leat::Buffer next_array(leat::Buffer& kept, std::size_t size, std::uint64_t number) {
  if (!kept.unique() || kept.empty()) kept = leat::Buffer::allocate(size);
  stamp(kept.writable(), number);
  return kept;
}

}  // namespace

int run_arrays(const Options& options) {
  const leat::Result<leat::Peer> peer = leat::connect(options.address);
  if (!peer) return fail(peer.error()) ? 0 : 1;
  const bool back = options.work == "echo";
  leat::Buffer kept;
  return measure(
      options,
      [&](std::uint64_t number) {
        leat::Payload request;
        request.attachments.push_back(next_array(kept, options.size, number));
        const leat::Result<leat::Payload> answer =
            peer->caller()->call(work(back ? "Echo" : "Put"), std::move(request), {});
        if (!answer) return fail(answer.error());
        if (back) {
          return answer->attachments.size() == 1 && answer->attachments[0].size() == options.size &&
                 stamped(answer->attachments[0], number);
        }
        const Receipt right{.number = number, .size = options.size};
        return answer->head.size() == sizeof right &&
               std::memcmp(answer->head.data(), &right, sizeof right) == 0;
      },
      options.size * (back ? 2 : 1));
}

}  // namespace bench
