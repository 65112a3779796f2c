// Calls that were started, not waited for, and that outlive their connection.
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/future.h>
#include <leat/peer.h>
#include <leat/server.h>

namespace leat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

/// Echo answers, Hold waits until nobody wants the answer or the gate is open; Through calls Hold of the
/// caller at `beyond`; Each sends every request back.
class Station final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 4> kMethods = {
        {{.name = "Echo"}, {.name = "Hold"}, {.name = "Through"}, {.name = "Each", .kind = CallKind::kBidi}}};
    static constexpr ServiceInfo kInfo = {"station", kMethods, {}};
    return kInfo;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    if (method == 3) {
      while (true) {
        Result<std::optional<Payload>> each = call.read();
        if (!each) return each.error();
        if (!*each) return {};
        if (Status sent = call.write(std::move(**each)); !sent.ok()) return sent;
      }
    }
    Payload request = std::move(**call.read());
    if (method == 1) {
      ++holding;
      while (!open && !call.context().cancelled()) std::this_thread::yield();
    }
    if (method == 2) {
      CallOptions options;
      options.idempotent = true;
      options.parent = &call.context();
      const Result<Payload> reply =
          call_async(beyond, {"station", "Hold"}, std::move(request), options).get();
      return reply ? call.write(*reply) : reply.error();
    }
    return call.write(std::move(request));
  }
  std::atomic<int> holding{0};
  std::atomic<bool> open{false};
  std::shared_ptr<Caller> beyond;
};

struct Site {
  explicit Site(std::string_view url = "tcp://127.0.0.1:0") {
    EXPECT_TRUE(server.add(station).ok());
    const Result<std::string> listening = server.listen(url);
    EXPECT_TRUE(listening) << listening.error().to_string();
    address = *listening;
  }
  ~Site() { station->open = true; }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
  std::shared_ptr<Station> station = std::make_shared<Station>();
  Server server;
  std::string address;
};

CallOptions twice() {
  CallOptions options;
  options.idempotent = true;
  options.timeout = seconds(60);
  return options;
}

ConnectOptions patient() {
  ConnectOptions options;
  options.retry.max_attempts = 50;
  options.retry.first_backoff = milliseconds(1);
  options.retry.max_backoff = milliseconds(20);
  options.reconnect.first_backoff = milliseconds(1);
  return options;
}

class Repeated : public ::testing::Test {
 protected:
  void SetUp() override { peer_ = std::make_unique<Peer>(connect(site_->address, patient()).value()); }
  void TearDown() override { peer_->close(); }

  Future<Payload> hold(const CallOptions& options) {
    Future<Payload> future = call_async(peer_->caller(), {"station", "Hold"}, text("again"), options);
    while (site_->station->holding == 0) std::this_thread::yield();
    return future;
  }
  /// The server is lost with the call in it, and another comes up.
  void restart() {
    const std::string address = site_->address;
    site_->server.close();
    site_.reset();
    site_ = std::make_unique<Site>(address);
    site_->station->open = true;
  }

  std::unique_ptr<Site> site_ = std::make_unique<Site>();
  std::unique_ptr<Peer> peer_;
};

TEST_F(Repeated, AFutureIsMadeAgainForWhoeverWaitsForIt) {
  Future<Payload> future = hold(twice());
  std::future<Result<Payload>> waiting = std::async(std::launch::async, [&] { return future.get(); });
  restart();
  const Result<Payload> reply = waiting.get();
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->head.text(), "again");
  EXPECT_EQ(peer_->epoch(), 2U);
}

TEST_F(Repeated, AFutureIsMadeAgainForItsCallback) {
  std::promise<Result<Payload>> told;
  hold(twice()).then([&](Result<Payload> reply) { told.set_value(std::move(reply)); });
  restart();
  const Result<Payload> reply = told.get_future().get();
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->head.text(), "again");
}

TEST_F(Repeated, AFutureIsMadeAgainForWhoeverAsks) {
  Future<Payload> future = hold(twice());
  restart();
  while (!future.ready()) std::this_thread::yield();
  EXPECT_TRUE(future.get());
}

TEST_F(Repeated, OneThatIsNotIdempotentFailsAtOnceWithItsOutcomeUnknown) {
  Future<Payload> future = hold({});
  restart();
  const Result<Payload> reply = future.get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnavailable);
  EXPECT_TRUE(reply.error().outcome_unknown());
  EXPECT_EQ(site_->station->holding, 0);
}

TEST_F(Repeated, AFailureAfterTheLastAttemptDoesNotClaimThatNothingHasStarted) {
  ConnectOptions options = patient();
  options.retry.max_attempts = 2;
  const Peer impatient = connect(site_->address, options).value();
  Future<Payload> future = call_async(impatient.caller(), {"station", "Hold"}, text(""), twice());
  while (site_->station->holding == 0) std::this_thread::yield();
  site_->server.close();
  const Result<Payload> reply = future.get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnavailable);
  EXPECT_FALSE(reply.error().not_started());
  EXPECT_TRUE(reply.error().outcome_unknown());
}

TEST_F(Repeated, ACancelledOneEndsBetweenItsAttempts) {
  Future<Payload> future = hold(twice());
  site_->server.close();
  while (peer_->connected()) std::this_thread::yield();
  std::promise<Result<Payload>> told;
  future.then([&](Result<Payload> reply) { told.set_value(std::move(reply)); });
  future.cancel();
  const Result<Payload> reply = told.get_future().get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kCancelled);
}

TEST_F(Repeated, ThoseThatWaitForAConnectionWaitWithoutAThread) {
  const std::string address = site_->address;
  site_.reset();
  while (peer_->connected()) std::this_thread::yield();
  CallOptions wait;
  wait.wait_for_ready = true;
  std::atomic<int> answered{0};
  std::vector<Future<Payload>> futures;
  for (int i = 0; i < 500; ++i) {
    futures.push_back(call_async(peer_->caller(), {"station", "Echo"}, text("hi"), wait));
    if (i % 2 == 0) futures.back().then([&](const Result<Payload>& reply) { answered += reply ? 1 : 0; });
  }
  EXPECT_EQ(answered, 0);
  site_ = std::make_unique<Site>(address);
  for (int i = 1; i < 500; i += 2) {
    const Result<Payload> reply = futures[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(reply) << reply.error().to_string();
  }
  while (answered < 250) std::this_thread::yield();
}

TEST_F(Repeated, StreamsThatWaitForAConnectionWaitWithoutAThreadToo) {
  const std::string address = site_->address;
  site_.reset();
  while (peer_->connected()) std::this_thread::yield();
  CallOptions wait;
  wait.wait_for_ready = true;
  const MethodRef each{.service = "station", .method = "Each", .kind = CallKind::kBidi};
  const std::shared_ptr<Caller> caller = peer_->caller();
  const std::unique_ptr<ClientCall> polled = caller->start(each, std::nullopt, wait).value();
  const std::unique_ptr<ClientCall> blocking = caller->start(each, std::nullopt, wait).value();
  const std::unique_ptr<ClientCall> closed = caller->start(each, std::nullopt, wait).value();
  const std::unique_ptr<ClientCall> cancelled = caller->start(each, std::nullopt, wait).value();
  Payload first = text("one");
  EXPECT_FALSE(polled->try_write(first).value());
  EXPECT_TRUE(polled->try_read().pending);
  EXPECT_FALSE(polled->ended());
  EXPECT_FALSE(polled->wait(Moment::kReadable, milliseconds(1)));
  std::promise<void> writable;
  polled->when(Moment::kWritable, [&] { writable.set_value(); });
  ASSERT_TRUE(closed->half_close().ok());
  cancelled->cancel();
  EXPECT_EQ(cancelled->finish().code(), Code::kCancelled);
  EXPECT_TRUE(cancelled->finish().not_started());

  site_ = std::make_unique<Site>(address);
  writable.get_future().wait();
  ASSERT_TRUE(polled->try_write(first).value());
  EXPECT_EQ(polled->read()->head.text(), "one");
  ASSERT_TRUE(polled->half_close().ok());
  EXPECT_EQ(polled->write(text("more")).code(), Code::kFailedPrecondition);
  EXPECT_EQ(polled->try_write(first).error().code(), Code::kFailedPrecondition);
  EXPECT_FALSE(polled->read());
  EXPECT_TRUE(polled->finish().ok());
  EXPECT_TRUE(polled->ended());
  ASSERT_TRUE(blocking->write(text("two")).ok());
  EXPECT_EQ(blocking->read()->head.text(), "two");
  blocking->cancel();
  EXPECT_EQ(blocking->finish().code(), Code::kCancelled);
  EXPECT_TRUE(closed->finish().ok());
}

TEST_F(Repeated, AWaitForAConnectionEndsAtItsDeadlineAsNotStarted) {
  site_.reset();
  while (peer_->connected()) std::this_thread::yield();
  CallOptions wait;
  wait.wait_for_ready = true;
  wait.timeout = milliseconds(20);
  Future<Payload> future = call_async(peer_->caller(), {"station", "Echo"}, text(""), wait);
  std::promise<Result<Payload>> told;
  call_async(peer_->caller(), {"station", "Echo"}, text(""), wait).then([&](Result<Payload> reply) {
    told.set_value(std::move(reply));
  });
  for (const Result<Payload>& reply : {future.get(), told.get_future().get()}) {
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), Code::kDeadlineExceeded);
    EXPECT_TRUE(reply.error().not_started());
    EXPECT_THAT(reply.error().message(), HasSubstr("not connected"));
  }
}

TEST_F(Repeated, ClosingThePeerEndsThem) {
  site_->server.close();
  while (peer_->connected()) std::this_thread::yield();
  CallOptions wait;
  wait.wait_for_ready = true;
  std::promise<Result<Payload>> told;
  Future<Payload> future = call_async(peer_->caller(), {"station", "Echo"}, text(""), wait);
  call_async(peer_->caller(), {"station", "Echo"}, text(""), wait).then([&](Result<Payload> reply) {
    told.set_value(std::move(reply));
  });
  peer_->close();
  EXPECT_EQ(future.get().error().code(), Code::kUnavailable);
  EXPECT_EQ(told.get_future().get().error().code(), Code::kUnavailable);
}

TEST_F(Repeated, TheHandlerThatMakesOneBoundsAndCancelsIt) {
  const Site middle;
  middle.station->beyond = peer_->caller();
  Peer top = connect(middle.address).value();
  CallOptions options;
  options.timeout = milliseconds(50);
  Result<Payload> reply = top.caller()->call({"station", "Through"}, text(""), options);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kDeadlineExceeded);

  const int before = site_->station->holding;  // the call above may have ended on its way
  Future<Payload> future = call_async(top.caller(), {"station", "Through"}, text(""));
  while (site_->station->holding == before) std::this_thread::yield();
  future.cancel();
  EXPECT_FALSE(future.get());
  top.close();
  middle.station->beyond.reset();
}

}  // namespace
}  // namespace leat
