// Items of streams of the three kinds, as many a second as go through.
#include <leat/peer.h>

#include "leat_service.h"

namespace bench {
namespace {

int source(const Options& options, leat::Caller& caller) {
  auto call = caller.start(work("Source", leat::CallKind::kServerStream), small(bytes_of(options.size)), {});
  if (!call) return fail(call.error()) ? 0 : 1;
  Pattern pattern(options.size);
  return measure_items(
      options,
      [&](std::uint64_t number) {
        const std::optional<leat::Payload> item = (*call)->read();
        if (!item) return fail((*call)->finish());
        return pattern.is(item->head, number);
      },
      [&](std::uint64_t /*count*/) {
        (*call)->cancel();
        return true;
      });
}

int sink(const Options& options, leat::Caller& caller) {
  auto call = caller.start(work("Sink", leat::CallKind::kClientStream), std::nullopt, {});
  if (!call) return fail(call.error()) ? 0 : 1;
  Pattern pattern(options.size);
  return measure_items(
      options,
      [&](std::uint64_t number) {
        const leat::Status sent = (*call)->write(small(pattern.request(number)));
        return sent.ok() || fail((*call)->finish());
      },
      [&](std::uint64_t count) {
        (void)(*call)->half_close();
        const std::optional<leat::Payload> answer = (*call)->read();
        if (const leat::Status ended = (*call)->finish(); !ended.ok()) return fail(ended);
        return answer && answer->head.size() == sizeof count &&
               std::memcmp(answer->head.data(), &count, sizeof count) == 0;
      });
}

/// A thread writes, this one reads what comes back.
int chat(const Options& options, leat::Caller& caller) {
  auto call = caller.start(work("Chat", leat::CallKind::kBidi), std::nullopt, {});
  if (!call) return fail(call.error()) ? 0 : 1;
  std::thread writer([&call, &options] {
    Pattern pattern(options.size);
    for (std::uint64_t number = 0; (*call)->write(small(pattern.request(number))).ok();) ++number;
  });
  Pattern pattern(options.size);
  const int code = measure_items(
      options,
      [&](std::uint64_t number) {
        const std::optional<leat::Payload> item = (*call)->read();
        if (!item) return fail((*call)->finish());
        return pattern.is(item->head, number);
      },
      [](std::uint64_t /*count*/) { return true; });
  (*call)->cancel();
  writer.join();
  return code;
}

}  // namespace

int run_streams(const Options& options) {
  const leat::Result<leat::Peer> peer = leat::connect(options.address);
  if (!peer) return fail(peer.error()) ? 0 : 1;
  if (options.work == "source") return source(options, *peer->caller());
  if (options.work == "sink") return sink(options, *peer->caller());
  return chat(options, *peer->caller());
}

}  // namespace bench
