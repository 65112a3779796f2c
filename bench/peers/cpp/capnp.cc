// Cap'n Proto over TCP, as its two-party RPC is meant to be used: one event loop a process, streaming calls
// for client streams (it has no server streams of its own).
#include <optional>

#include <capnp/ez-rpc.h>
#include <capnp/message.h>

#include "bench.capnp.h"
#include "round.h"

namespace {

using bench::Options;

// Arrays are larger than what a reader believes by default.
constexpr capnp::ReaderOptions kAnySize{.traversalLimitInWords = ~std::uint64_t{0}, .nestingLimit = 64};

std::span<const std::byte> bytes_of(capnp::Data::Reader data) {
  return {reinterpret_cast<const std::byte*>(data.begin()), data.size()};
}
kj::ArrayPtr<const kj::byte> array_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

class WorkServer final : public Work::Server {
 public:
  explicit WorkServer(const Options& options) : wrong_(options.wrong) {}

  kj::Promise<void> echo(EchoContext context) override {
    context.getResults(capnp::MessageSize{context.getParams().getData().size() / 8 + 16, 0})
        .setData(context.getParams().getData());
    if (wrong_ >= 0 && answers_++ == wrong_) context.getResults().getData()[0] ^= 1;
    return kj::READY_NOW;
  }
  kj::Promise<void> put(PutContext context) override {
    const std::span<const std::byte> array = bytes_of(context.getParams().getData());
    std::uint64_t number = 0;
    std::memcpy(&number, array.data(), sizeof number);
    context.getResults().setNumber(number);
    context.getResults().setSize(bench::stamped(array, number) ? array.size() : 0);
    return kj::READY_NOW;
  }
  kj::Promise<void> item(ItemContext context) override {
    const std::span<const std::byte> item = bytes_of(context.getParams().getData());
    if (!pattern_) pattern_.emplace(item.size());
    // Each round is a client of its own, and begins anew.
    if (!pattern_->is(item, count_) && !pattern_->is(item, count_ = 0)) KJ_FAIL_REQUIRE("a wrong item");
    ++count_;
    return kj::READY_NOW;
  }
  kj::Promise<void> count(CountContext context) override {
    context.getResults().setCount(count_);
    return kj::READY_NOW;
  }

 private:
  const std::int64_t wrong_;
  std::int64_t answers_ = 0;
  std::optional<bench::Pattern> pattern_;
  std::uint64_t count_ = 0;
};

int serve(const Options& options) {
  capnp::EzRpcServer server(kj::heap<WorkServer>(options), options.address, 0, kAnySize);
  bench::announce("127.0.0.1:" + std::to_string(server.getPort().wait(server.getWaitScope())));
  kj::NEVER_DONE.wait(server.getWaitScope());
}

class Caller {
 public:
  explicit Caller(const Options& options)
      : client_(options.address, 0, kAnySize), work_(client_.getMain<Work>()) {}
  Work::Client& work() { return work_; }
  kj::WaitScope& scope() { return client_.getWaitScope(); }
  auto echo(std::span<const std::byte> request) {
    auto call = work_.echoRequest(capnp::MessageSize{request.size() / 8 + 16, 0});
    call.setData(array_of(request));
    return call.send();
  }

 private:
  capnp::EzRpcClient client_;
  Work::Client work_;
};

using Answer = capnp::RemotePromise<Work::EchoResults>;

int arrays(const Options& options, Caller& caller) {
  const bool back = options.work == "echo";
  std::vector<std::byte> array(options.size);
  return bench::measure(
      options,
      [&](std::uint64_t number) {
        bench::stamp(array, number);
        if (back) {
          auto answer = caller.echo(array).wait(caller.scope());
          return answer.getData().size() == options.size &&
                 bench::stamped(bytes_of(answer.getData()), number);
        }
        auto call = caller.work().putRequest(capnp::MessageSize{array.size() / 8 + 16, 0});
        call.setData(array_of(array));
        auto answer = call.send().wait(caller.scope());
        return answer.getNumber() == number && answer.getSize() == options.size;
      },
      options.size * (back ? 2 : 1));
}

int outstanding(const Options& options, Caller& caller) {
  std::vector<kj::Maybe<Answer>> calls(options.outstanding);
  // The answer's bytes live as long as the response does.
  struct Bytes {
    capnp::Response<Work::EchoResults> response;
    operator std::span<const std::byte>() const { return bytes_of(response.getData()); }
  };
  return bench::measure_window(
      options,
      [&](std::size_t slot, std::span<const std::byte> request) { calls[slot] = caller.echo(request); },
      [&](std::size_t slot) { return Bytes{kj::mv(KJ_ASSERT_NONNULL(calls[slot])).wait(caller.scope())}; });
}

int sink(const Options& options, Caller& caller) {
  bench::Pattern pattern(options.size);
  return bench::measure_items(
      options,
      [&](std::uint64_t number) {
        auto call = caller.work().itemRequest();
        call.setData(array_of(pattern.request(number)));
        call.send().wait(caller.scope());
        return true;
      },
      [&](std::uint64_t count) {
        return caller.work().countRequest().send().wait(caller.scope()).getCount() == count;
      });
}

int run_client(const Options& options) {
  bench::Pattern pattern(options.size);
  if (options.work == "connect") {
    return bench::measure(options, [&](std::uint64_t number) {
      Caller caller(options);
      return pattern.matches(bytes_of(caller.echo(pattern.request(number)).wait(caller.scope()).getData()));
    });
  }
  Caller caller(options);
  if (options.work == "unary") {
    return bench::measure(options, [&](std::uint64_t number) {
      auto answer = caller.echo(pattern.request(number)).wait(caller.scope());
      return pattern.matches(bytes_of(answer.getData()));
    });
  }
  if (options.work == "calls") return outstanding(options, caller);
  if (options.work == "put" || options.work == "echo") return arrays(options, caller);
  if (options.work == "sink") return sink(options, caller);
  return bench::no_such_work(options);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Work over Cap'n Proto", "127.0.0.1:0");
  return options.server ? serve(options) : run_client(options);
}
