// Small calls while a second thread saturates bulk on the same connection, towards the server or from it.
#include <array>
#include <memory>

#include <leat/peer.h>
#include <leat/server.h>

#include "priority.h"

namespace {

using bench::Options;

class Store final : public leat::Service {
 public:
  explicit Store(std::int64_t wrong) : wrong_(wrong) {}

  [[nodiscard]] const leat::ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<leat::MethodInfo, 3> kMethods = {
        {{.name = "Echo"},
         {.name = "Put", .kind = leat::CallKind::kClientStream, .channel = leat::Channel::kBulk},
         {.name = "Get", .kind = leat::CallKind::kServerStream, .channel = leat::Channel::kBulk}}};
    static const leat::ServiceInfo kInfo{"bench.Store", kMethods, {}};
    return kInfo;
  }

  leat::Status handle_call(std::size_t method, leat::ServerCall& call) override {
    if (method == 1) return put(call);
    if (method == 2) return get(call);
    leat::Result<std::optional<leat::Payload>> request = call.read();
    if (!request) return request.error();
    leat::Payload answer = std::move(**request);
    if (answers_.fetch_add(1, std::memory_order_relaxed) == wrong_) {
      answer.head = leat::Buffer::copy(answer.head);
      answer.head.writable().back() ^= std::byte{1};
    }
    return call.write(std::move(answer));
  }

 private:
  static leat::Status put(leat::ServerCall& call) {
    for (std::uint64_t number = 0;; ++number) {
      const leat::Result<std::optional<leat::Payload>> item = call.read();
      if (!item) return item.error();
      if (!*item) return call.write({leat::Codec::kRaw, leat::Buffer::copy(std::to_string(number)), {}});
      if ((*item)->attachments.size() != 1 || !bench::whole_item((*item)->attachments[0], number)) {
        return {leat::Code::kDataLoss, "item " + std::to_string(number)};
      }
    }
  }
  static leat::Status get(leat::ServerCall& call) {
    (void)call.read();
    for (std::uint64_t number = 0;; ++number) {
      leat::Buffer item = leat::Buffer::allocate(bench::kBulkItem);
      bench::stamp(item.writable(), number);
      leat::Payload payload;
      payload.attachments.push_back(std::move(item));
      if (leat::Status sent = call.write(std::move(payload)); !sent.ok()) return sent;
    }
  }

  const std::int64_t wrong_;
  std::atomic<std::int64_t> answers_{0};
};

int fail(const leat::Status& status) {
  fmt::print(stderr, "{}\n", status.to_string());
  return 1;
}

int serve(const Options& options) {
  leat::Server server;
  if (leat::Status added = server.add(std::make_shared<Store>(options.wrong)); !added.ok())
    return fail(added);
  const leat::Result<std::string> url = server.listen(options.address);
  if (!url) return fail(url.error());
  bench::announce(*url);
  server.wait();
  return 0;
}

leat::MethodRef method(std::string_view name, leat::CallKind kind) {
  leat::MethodRef reference{"bench.Store", name, kind};
  if (kind != leat::CallKind::kUnary) reference.channel = leat::Channel::kBulk;
  return reference;
}

bool put(leat::Caller& caller, std::atomic<bool>& stop, std::atomic<std::uint64_t>& bytes) {
  auto call = caller.start(method("Put", leat::CallKind::kClientStream), std::nullopt, {});
  if (!call) return fail(call.error()) == 0;
  std::uint64_t number = 0;
  for (; !stop; ++number) {
    leat::Buffer item = leat::Buffer::allocate(bench::kBulkItem);
    bench::stamp(item.writable(), number);
    leat::Payload payload;
    payload.attachments.push_back(std::move(item));
    if (leat::Status sent = (*call)->write(std::move(payload)); !sent.ok()) return fail(sent) == 0;
    bytes += bench::kBulkItem;
  }
  (void)(*call)->half_close();
  const std::optional<leat::Payload> count = (*call)->read();
  if (leat::Status ended = (*call)->finish(); !ended.ok()) return fail(ended) == 0;
  return count && count->head.text() == std::to_string(number);
}

bool get(leat::Caller& caller, std::atomic<bool>& stop, std::atomic<std::uint64_t>& bytes) {
  auto call = caller.start(method("Get", leat::CallKind::kServerStream), leat::Payload(), {});
  if (!call) return fail(call.error()) == 0;
  for (std::uint64_t number = 0; !stop; ++number) {
    const std::optional<leat::Payload> item = (*call)->read();
    if (!item) return fail((*call)->finish()) == 0;
    if (item->attachments.size() != 1 || !bench::whole_item(item->attachments[0], number)) return false;
    bytes += bench::kBulkItem;
  }
  return true;
}

int run_client(const Options& options) {
  const leat::Result<leat::Peer> peer = leat::connect(options.address);
  if (!peer) return fail(peer.error());
  leat::Caller& caller = *peer->caller();
  bench::Pattern pattern(options.size);
  return bench::measure_priority(
      options,
      [&](std::uint64_t number) {
        const leat::Result<leat::Payload> answer =
            caller.call(method("Echo", leat::CallKind::kUnary),
                        {leat::Codec::kRaw, leat::Buffer::copy(pattern.request(number)), {}}, {});
        if (!answer) return fail(answer.error()) == 0;
        return pattern.matches(answer->head);
      },
      [&](std::atomic<bool>& stop, std::atomic<std::uint64_t>& bytes) {
        return options.down ? get(caller, stop, bytes) : put(caller, stop, bytes);
      });
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Calls beside bulk over Leat", "tcp://127.0.0.1:0");
  return options.server ? serve(options) : run_client(options);
}
