#include <array>
#include <atomic>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>

#include "transport/endpoint/own_url.h"

namespace leat {
namespace {

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

/// Unary Echo, Fail and Slow; Count streams numbers; Sum adds up a client's stream.
class Echo final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 5> kMethods = {
        {{.name = "Echo"},
         {.name = "Fail"},
         {.name = "Count", .kind = CallKind::kServerStream},
         {.name = "Sum", .kind = CallKind::kClientStream},
         {.name = "Wait"}}};
    static const ServiceInfo kInfo{"test.Echo", kMethods, {}};
    return kInfo;
  }

  Status handle_call(std::size_t method, ServerCall& call) override {
    switch (method) {
      case 0: {
        Result<std::optional<Payload>> request = call.read();
        if (!request) return request.error();
        return call.write(std::move(**request));
      }
      case 1: throw std::runtime_error("the camera is off");
      case 2: {
        const int count = std::stoi(std::string((*call.read())->head.text()));
        for (int i = 0; i < count; ++i) {
          if (Status sent = call.write({Codec::kRaw, Buffer::copy(std::to_string(i)), {}}); !sent.ok()) {
            ++streams_stopped;
            return sent;
          }
        }
        return {};
      }
      case 3: {
        long sum = 0;
        while (true) {
          Result<std::optional<Payload>> request = call.read();
          if (!request) return request.error();
          if (!*request) break;
          sum += std::stol(std::string((*request)->head.text()));
        }
        return call.write({Codec::kRaw, Buffer::copy(std::to_string(sum)), {}});
      }
      default:
        while (!call.context().cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        ++waits_cancelled;
        return {};
    }
  }

  std::atomic<int> streams_stopped{0};
  std::atomic<int> waits_cancelled{0};
};

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }
MethodRef method(std::string_view name, CallKind kind = CallKind::kUnary) {
  return {"test.Echo", name, kind};
}

class Endpoint : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.add(echo_).ok());
    const Result<std::string> listening = server_.listen(own_url(GetParam()));
    ASSERT_TRUE(listening) << listening.error().to_string();
    url_ = *listening;
    Result<Peer> connected = connect(url_);
    ASSERT_TRUE(connected) << connected.error().to_string();
    peer_.emplace(std::move(*connected));
  }
  Caller& caller() { return *peer_->caller(); }

  std::shared_ptr<Echo> echo_ = std::make_shared<Echo>();
  Server server_;
  std::string url_;
  std::optional<Peer> peer_;
};

TEST_P(Endpoint, AnswersAUnaryCall) {
  for (int i = 0; i < 1000; ++i) {
    const Result<Payload> reply = caller().call(method("Echo"), text(std::to_string(i)), {});
    ASSERT_TRUE(reply) << reply.error().to_string();
    ASSERT_EQ(reply->head.text(), std::to_string(i));
  }
}

TEST_P(Endpoint, CarriesHeadsAndAttachmentsOfAllSizes) {
  for (const std::size_t size : {0UL, 1UL, 63UL, 4096UL, 65'536UL, 300'000UL, 20'000'000UL}) {
    Payload request = text(std::string(size / 2, 'h'));
    for (int i = 0; i < 3; ++i) {
      Buffer attachment = Buffer::allocate(size + static_cast<std::size_t>(i));
      for (std::size_t at = 0; at < attachment.size(); ++at) {
        attachment.writable()[at] = static_cast<std::byte>(at * 7 + static_cast<std::size_t>(i));
      }
      request.attachments.push_back(attachment);
    }
    const Result<Payload> reply = caller().call(method("Echo"), request, {});
    ASSERT_TRUE(reply) << reply.error().to_string();
    ASSERT_EQ(reply->head.text(), request.head.text());
    ASSERT_EQ(reply->attachments.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_EQ(reply->attachments[i].text(), request.attachments[i].text());
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(reply->attachments[i].data()) % Buffer::kAlignment, 0U);
    }
  }
}

TEST_P(Endpoint, StreamsItemsInOrderToTheEnd) {
  const auto call = caller().start(method("Count", CallKind::kServerStream), text("20000"), {});
  ASSERT_TRUE(call);
  for (int i = 0; i < 20000; ++i) {
    const std::optional<Payload> item = (*call)->read();
    ASSERT_TRUE(item) << (*call)->finish().to_string();
    ASSERT_EQ(item->head.text(), std::to_string(i));
  }
  ASSERT_FALSE((*call)->read());
  ASSERT_TRUE((*call)->finish().ok());
}

TEST_P(Endpoint, StreamsFromAHandlerThatRunsInlineUntilItsWindowIsFull) {
  // Short streams make the method quick, so that the long one begins on the server_'s own thread and waits
  // there.
  for (int i = 0; i < 20; ++i) {
    const auto call = caller().start(method("Count", CallKind::kServerStream), text("1"), {});
    ASSERT_TRUE(call);
    ASSERT_TRUE((*call)->read());
    ASSERT_TRUE((*call)->finish().ok());
  }
  const auto call = caller().start(method("Count", CallKind::kServerStream), text("200000"), {});
  ASSERT_TRUE(call);
  int count = 0;
  while ((*call)->read()) ++count;
  EXPECT_EQ(count, 200000);
  EXPECT_TRUE((*call)->finish().ok());
}

TEST_P(Endpoint, EndsAStreamThatNobodyReadsAnyMore) {
  {
    const auto call = caller().start(method("Count", CallKind::kServerStream), text("1000000000"), {});
    ASSERT_TRUE(call);
    ASSERT_TRUE((*call)->read());
  }
  while (echo_->streams_stopped == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_P(Endpoint, SumsAClientsStream) {
  const auto call = caller().start(method("Sum", CallKind::kClientStream), std::nullopt, {});
  ASSERT_TRUE(call);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE((*call)->write(text(std::to_string(i))).ok());
  ASSERT_TRUE((*call)->half_close().ok());
  const std::optional<Payload> sum = (*call)->read();
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->head.text(), "499500");
  EXPECT_TRUE((*call)->finish().ok());
}

TEST_P(Endpoint, SaysWhatAHandlerThrewAndServesOn) {
  const Result<Payload> reply = caller().call(method("Fail"), text(""), {});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnknown);
  EXPECT_EQ(reply.error().message(), "test.Echo.Fail raised: the camera is off");
  EXPECT_TRUE(caller().call(method("Echo"), text("still here"), {}));
}

TEST_P(Endpoint, NamesAnUnknownServiceOrMethod) {
  const Result<Payload> reply = caller().call(method("Ecko"), text(""), {});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnimplemented);
  EXPECT_EQ(reply.error().message(),
            "'test.Echo' has no method 'Ecko'; did you mean 'Echo'?; it has: Echo, Fail, Count, Sum, Wait");
  const Result<Payload> nobody = caller().call({"test.Ecko", "Echo"}, text(""), {});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code(), Code::kUnimplemented);
  EXPECT_EQ(nobody.error().message(),
            "nothing is offered here as 'test.Ecko'; did you mean 'test.Echo'?; offered: test.Echo");
}

TEST_P(Endpoint, EndsACallAtItsDeadlineAndTellsTheHandler) {
  CallOptions options;
  options.timeout = std::chrono::milliseconds(20);
  const Result<Payload> reply = caller().call(method("Wait"), text(""), options);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kDeadlineExceeded);
  while (echo_->waits_cancelled == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_P(Endpoint, SharesOneConnectionAmongManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string expected = std::to_string(t) + ":" + std::to_string(i);
        const Result<Payload> reply = caller().call(method("Echo"), text(expected), {});
        if (!reply || reply->head.text() != expected) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Endpoint, FailsPendingCallsWhenTheServerCloses) {
  std::thread closer([this] {
    while (server_.stats().calls == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    server_.close();
  });
  const Result<Payload> reply = caller().call(method("Wait"), text(""), {});
  closer.join();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnavailable);
  EXPECT_FALSE(caller().call(method("Echo"), text(""), {}));
  EXPECT_FALSE(peer_->connected());
}

TEST_P(Endpoint, LeavesTheParentsConnectionAloneInAForkedChild) {
  if (kThreadSanitizer) return;  // which does not survive a fork with threads
  const pid_t child = ::fork();
  if (child == 0) {
    peer_->close();
    server_.close();
    peer_.reset();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(caller().call(method("Echo"), text("still here"), {}));
}

TEST_P(Endpoint, ListsWhatTheServerOffers) {
  const std::vector<RemoteService> services = peer_->services();
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(services[0].name, "test.Echo");
}

TEST(ServerLimits, CloseWhoComesWhileTooManyShakeHands) {
  ServerOptions options;
  options.max_handshaking = 0;
  Server server(options);
  ASSERT_TRUE(server.add(std::make_shared<Echo>()).ok());
  const Result<std::string> url = server.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(url);
  const Result<Peer> refused = connect(*url);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  EXPECT_EQ(server.stats().connections_refused, 1U);
}

TEST(ServerLimits, RefuseAServiceTwiceAndAnUnknownScheme) {
  Server server;
  ASSERT_TRUE(server.add(std::make_shared<Echo>()).ok());
  EXPECT_EQ(server.add(std::make_shared<Echo>()).code(), Code::kAlreadyExists);
  const Result<std::string> listening = server.listen("http://127.0.0.1:0");
  ASSERT_FALSE(listening);
  EXPECT_EQ(
      listening.error().message(),
      "'http://127.0.0.1:0': 'http' is no scheme of Leat's; there are tcp://, ipc://, inproc://, zmq+tcp://, "
      "zmq+ipc://");
}

TEST(Servers, AreClosedByAHandlerOfTheirOwn) {
  class Closing final : public Service {
   public:
    explicit Closing(Server& server) : server_(server) {}
    [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
      static constexpr std::array<MethodInfo, 1> kMethods = {{{.name = "Close"}}};
      static const ServiceInfo kInfo{"closing", kMethods, {}};
      return kInfo;
    }
    Status handle_call(std::size_t /*method*/, ServerCall& /*call*/) override {
      server_.close();
      return {};
    }

   private:
    Server& server_;
  };
  Server server;
  ASSERT_TRUE(server.add(std::make_shared<Closing>(server)).ok());
  const Result<std::string> url = server.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(url);
  const Result<Peer> peer = connect(*url);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->caller()->call({"closing", "Close"}, {}, {}).error().code(), Code::kUnavailable);
  server.wait();
}

TEST(Servers, AnswerOthersWhileAQuickMethodOverruns) {
  // Quick so often that it runs on the server's own thread, then stuck there: the keeper must take the links
  // over.
  class Sticky final : public Service {
   public:
    [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
      static constexpr std::array<MethodInfo, 1> kMethods = {{{.name = "Do"}}};
      static const ServiceInfo kInfo{"sticky", kMethods, {}};
      return kInfo;
    }
    Status handle_call(std::size_t /*method*/, ServerCall& call) override {
      const std::string what((*call.read())->head.text());
      if (what == "stick") {
        stuck = true;
        stuck.notify_all();
        stuck.wait(true);
      }
      return call.write({Codec::kRaw, Buffer::copy(what), {}});
    }
    std::atomic<bool> stuck{false};
  };
  const auto sticky = std::make_shared<Sticky>();
  Server server;
  ASSERT_TRUE(server.add(sticky).ok());
  const Result<std::string> url = server.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(url);
  const Result<Peer> one = connect(*url);
  const Result<Peer> other = connect(*url);
  ASSERT_TRUE(one && other);
  const MethodRef go{"sticky", "Do"};
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(one->caller()->call(go, text("go"), {}));
  std::thread stuck([&] { EXPECT_TRUE(one->caller()->call(go, text("stick"), {})); });
  sticky->stuck.wait(false);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(other->caller()->call(go, text("go"), {}));
    ASSERT_TRUE(one->caller()->call(go, text("go"), {}));
  }
  sticky->stuck = false;
  sticky->stuck.notify_all();
  stuck.join();
}

INSTANTIATE_TEST_SUITE_P(Tcp, Endpoint, ::testing::Values("tcp://127.0.0.1:0"));
INSTANTIATE_TEST_SUITE_P(Ipc, Endpoint, ::testing::Values("ipc:///tmp/leat-endpoint-%.sock"));
INSTANTIATE_TEST_SUITE_P(Inproc, Endpoint, ::testing::Values("inproc://endpoint-test"));
INSTANTIATE_TEST_SUITE_P(ZmqTcp, Endpoint, ::testing::Values("zmq+tcp://127.0.0.1:0"));
INSTANTIATE_TEST_SUITE_P(ZmqIpc, Endpoint, ::testing::Values("zmq+ipc:///tmp/leat-endpoint-%.zmq"));

}  // namespace
}  // namespace leat
