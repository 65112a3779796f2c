// Small calls: one after another, many under way, from many threads; and a connection made for each.
#include <leat/future.h>
#include <leat/peer.h>

#include "leat_service.h"

namespace bench {
namespace {

/// Empty, which is no right answer, if the call failed.
leat::Buffer answer_of(leat::Result<leat::Payload> answer) {
  if (answer) return std::move(answer->head);
  fail(answer.error());
  return {};
}

int unary(const Options& options, leat::Caller& caller) {
  Pattern pattern(options.size);
  return measure(options, [&](std::uint64_t number) {
    return pattern.matches(answer_of(caller.call(work("Echo"), small(pattern.request(number)), {})));
  });
}

int outstanding(const Options& options, const std::shared_ptr<leat::Caller>& caller) {
  std::vector<leat::Future<leat::Payload>> calls(options.outstanding);
  return measure_window(
      options,
      [&](std::size_t slot, std::span<const std::byte> request) {
        calls[slot] = leat::call_async(caller, work("Echo"), small(request));
      },
      [&](std::size_t slot) { return answer_of(calls[slot].get()); });
}

int threads(const Options& options, leat::Caller& caller) {
  return measure_threads(options, [&caller](std::size_t /*thread*/) {
    return [&caller](std::span<const std::byte> request) {
      return answer_of(caller.call(work("Echo"), small(request), {}));
    };
  });
}

/// Until the first answer is here.
int connect(const Options& options) {
  Pattern pattern(options.size);
  return measure(options, [&](std::uint64_t number) {
    const leat::Result<leat::Peer> peer = leat::connect(options.address);
    if (!peer) return fail(peer.error());
    return pattern.matches(answer_of(peer->caller()->call(work("Echo"), small(pattern.request(number)), {})));
  });
}

}  // namespace

int run_calls(const Options& options) {
  if (options.work == "connect") return connect(options);
  const leat::Result<leat::Peer> peer = leat::connect(options.address);
  if (!peer) return fail(peer.error()) ? 0 : 1;
  if (options.work == "unary") return unary(options, *peer->caller());
  if (options.work == "calls") return outstanding(options, peer->caller());
  return threads(options, *peer->caller());
}

}  // namespace bench
