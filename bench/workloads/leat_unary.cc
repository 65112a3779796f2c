// Unary calls, one after another: bytes there and back, over whatever the URL names.
#include <array>
#include <atomic>
#include <memory>

#include <leat/peer.h>
#include <leat/server.h>

#include "round.h"

namespace {

using bench::Options;

class Echo final : public leat::Service {
 public:
  explicit Echo(std::int64_t wrong) : wrong_(wrong) {}

  [[nodiscard]] const leat::ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<leat::MethodInfo, 1> kMethods = {{{.name = "Echo"}}};
    static const leat::ServiceInfo kInfo{"bench.Echo", kMethods, {}};
    return kInfo;
  }

  leat::Status handle_call(std::size_t /*method*/, leat::ServerCall& call) override {
    leat::Result<std::optional<leat::Payload>> request = call.read();
    if (!request) return request.error();
    if (!*request) return {leat::Code::kInvalidArgument, "Echo needs a request"};
    leat::Payload answer = std::move(**request);
    if (answers_.fetch_add(1, std::memory_order_relaxed) == wrong_) {
      answer.head = leat::Buffer::copy(answer.head);
      answer.head.writable().back() ^= std::byte{1};
    }
    return call.write(std::move(answer));
  }

 private:
  const std::int64_t wrong_;
  std::atomic<std::int64_t> answers_{0};
};

int fail(const leat::Status& status) {
  fmt::print(stderr, "{}\n", status.to_string());
  return 1;
}

int serve(const Options& options) {
  leat::Server server;
  if (leat::Status added = server.add(std::make_shared<Echo>(options.wrong)); !added.ok()) return fail(added);
  const leat::Result<std::string> url = server.listen(options.address);
  if (!url) return fail(url.error());
  bench::announce(*url);
  server.wait();
  return 0;
}

int run_client(const Options& options) {
  const leat::Result<leat::Peer> peer = leat::connect(options.address);
  if (!peer) return fail(peer.error());
  leat::Caller& caller = *peer->caller();
  bench::Pattern pattern(options.size);
  return bench::measure(options, [&](std::uint64_t number) {
    const leat::Result<leat::Payload> answer = caller.call(
        {"bench.Echo", "Echo"}, {leat::Codec::kRaw, leat::Buffer::copy(pattern.request(number)), {}}, {});
    if (!answer) return fail(answer.error()) == 0;
    return pattern.matches(answer->head);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Unary calls over Leat", "tcp://127.0.0.1:0");
  return options.server ? serve(options) : run_client(options);
}
