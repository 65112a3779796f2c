// Calls without a thread that waits, handlers that outlive their function, and calls made inside handlers:
// over every transport.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>

#include "transport/endpoint/own_url.h"

namespace leat {
namespace {

using std::chrono::milliseconds;

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

/// Notified from other threads; waited for by the test.
class Signal {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void wait(int count = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  [[nodiscard]] int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

class Lab final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 9> kMethods = {
        {{.name = "Echo"},
         {.name = "Count", .kind = CallKind::kServerStream},
         {.name = "Sum", .kind = CallKind::kClientStream},
         {.name = "Later"},
         {.name = "Forgotten"},
         {.name = "Forward"},
         {.name = "Stuck"},
         {.name = "Narrow", .max_inflight = 2},
         {.name = "Listen", .kind = CallKind::kClientStream}}};
    static const ServiceInfo kInfo{"lab", kMethods, {}};
    return kInfo;
  }

  Status handle_call(std::size_t method, ServerCall& call) override {
    switch (method) {
      case 0: return call.write(std::move(**call.read()));
      case 1: {
        const int count = std::stoi(std::string((*call.read())->head.text()));
        for (int i = 0; i < count; ++i) {
          if (Status sent = call.write(text(std::to_string(i))); !sent.ok()) return sent;
        }
        return {};
      }
      case 2: {
        long sum = 0;
        while (true) {
          const Result<std::optional<Payload>> request = call.read();
          if (!request) return request.error();
          if (!*request) return call.write(text(std::to_string(sum)));
          sum += std::stol(std::string((*request)->head.text()));
        }
      }
      case 3: {
        // Answers from another thread, after the handler has returned.
        const std::lock_guard lock(mutex_);
        threads_.emplace_back([later = call.detach(), reply = std::move(**call.read())]() mutable {
          (void)later->write_last(std::move(reply));
          later->finish({});
        });
        return {Code::kInternal, "ignored"};
      }
      case 4: (void)call.detach(); return {};
      case 5: {
        // Calls the caller's own server, or whatever `onward` is, and says what it saw of the deadline.
        deadline_seen = call.context().deadline();
        const std::shared_ptr<Caller> alive = onward();
        const Result<Payload> reply = alive->call({"lab", "Stuck"}, {}, {});
        if (!reply) return reply.error();
        return call.write(*reply);
      }
      case 6: {
        deadline_seen = call.context().deadline();
        std::stop_callback on_stop(call.context().stop_token(), [this] { stopped.set(); });
        stuck.set();
        while (!call.context().wait_for(milliseconds(10))) {
        }
        stopped.wait();  // the token tells too, a little later
        left.set();
        return {};
      }
      case 8: {
        const std::shared_ptr<ServerCall> listening = call.detach();
        listening->when(Moment::kReadable, [listening] {});
        return {};
      }
      default: {
        const int now_running = ++running_;
        int most = most_running.load();
        while (now_running > most && !most_running.compare_exchange_weak(most, now_running)) {
        }
        narrow.set();
        gate_.wait(false);
        --running_;
        return call.write({});
      }
    }
  }
  /// A thread of ours may be the last to hold the service, so it can't be joined in a destructor.
  void join() {
    const std::lock_guard lock(mutex_);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void open_gate() {
    gate_ = true;
    gate_.notify_all();
  }

  /// Whom Forward calls. Guarded, since TSan does not see that ZeroMQ orders what comes before a call and in
  /// it.
  void set_onward(std::shared_ptr<Caller> caller) {
    const std::lock_guard lock(mutex_);
    onward_ = std::move(caller);
  }
  std::shared_ptr<Caller> onward() {
    const std::lock_guard lock(mutex_);
    return onward_;
  }
  std::atomic<TimePoint> deadline_seen{};
  Signal stuck, left, stopped, narrow;
  std::atomic<int> most_running{0};

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
  std::shared_ptr<Caller> onward_;
  std::atomic<bool> gate_{false};
  std::atomic<int> running_{0};
};

class Async : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.add(lab_).ok());
    const Result<std::string> listening = server_.listen(own_url(GetParam()));
    ASSERT_TRUE(listening) << listening.error().to_string();
    url_ = *listening;
    Result<Peer> connected = connect(url_);
    ASSERT_TRUE(connected) << connected.error().to_string();
    peer_.emplace(std::move(*connected));
  }
  void TearDown() override { lab_->join(); }
  Caller& caller() { return *peer_->caller(); }
  std::unique_ptr<ClientCall> start(std::string_view method, CallKind kind, std::optional<Payload> request,
                                    const CallOptions& options = {}) {
    auto call = caller().start({"lab", method, kind}, std::move(request), options);
    EXPECT_TRUE(call) << call.error().to_string();
    return std::move(*call);
  }

  std::shared_ptr<Lab> lab_ = std::make_shared<Lab>();
  Server server_;
  std::string url_;
  std::optional<Peer> peer_;
};

TEST_P(Async, TellsOfTheEndOfACallThatNobodyWaitsFor) {
  for (int i = 0; i < 200; ++i) {
    const auto call = start("Echo", CallKind::kUnary, text("hi"));
    Signal ended;
    call->when(Moment::kEnded, [&] { ended.set(); });
    ended.wait();
    ASSERT_TRUE(call->ended());
    Polled reply = call->try_read();
    ASSERT_TRUE(reply.message);
    EXPECT_EQ(reply.message->head.text(), "hi");
    EXPECT_TRUE(call->finish().ok());
    EXPECT_EQ(ended.count(), 1);
  }
}

TEST_P(Async, WaitsForAMomentNoLongerThanItIsTold) {
  const auto stuck = start("Stuck", CallKind::kUnary, text("hi"));
  EXPECT_FALSE(stuck->wait(Moment::kEnded, milliseconds(1)));
  EXPECT_FALSE(stuck->ended());
  // Several threads may wait for one call.
  std::vector<std::thread> waiting;
  std::atomic<int> woken{0};
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back([&] { woken += stuck->wait(Moment::kEnded, Duration::max()) ? 1 : 0; });
  }
  lab_->stuck.wait();
  stuck->cancel();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(woken, 3);
  const auto echo = start("Echo", CallKind::kUnary, text("hi"));
  EXPECT_TRUE(echo->wait(Moment::kReadable, Duration::max()));
  EXPECT_TRUE(echo->try_read().message);
}

TEST_P(Async, ReadsAStreamItemByItemWithoutWaiting) {
  const auto call = start("Count", CallKind::kServerStream, text("5000"));
  int next = 0;
  bool done = false;
  while (!done) {
    Signal readable;
    call->when(Moment::kReadable, [&] { readable.set(); });
    readable.wait();
    while (true) {
      const Polled item = call->try_read();
      if (item.pending) break;
      if (!item.message) {
        done = true;
        break;
      }
      ASSERT_EQ(item.message->head.text(), std::to_string(next++));
    }
  }
  EXPECT_EQ(next, 5000);
  EXPECT_TRUE(call->finish().ok());
}

TEST_P(Async, WritesAStreamWithoutWaitingAndIsToldOfRoom) {
  const auto call = start("Sum", CallKind::kClientStream, std::nullopt);
  long expected = 0;
  for (int i = 0; i < 50'000; ++i) {
    Payload request = text(std::to_string(i));
    expected += i;
    while (true) {
      const Result<bool> sent = call->try_write(request);
      ASSERT_TRUE(sent) << sent.error().to_string();
      if (*sent) break;
      Signal writable;
      call->when(Moment::kWritable, [&] { writable.set(); });
      writable.wait();
    }
  }
  ASSERT_TRUE(call->half_close().ok());
  const std::optional<Payload> sum = call->read();
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->head.text(), std::to_string(expected));
}

TEST_P(Async, TellsTheWatcherOfACancelledCall) {
  const auto call = start("Stuck", CallKind::kUnary, text(""));
  Signal ended;
  call->when(Moment::kEnded, [&] { ended.set(); });
  lab_->stuck.wait();
  call->cancel();
  ended.wait();
  EXPECT_EQ(call->finish().code(), Code::kCancelled);
  lab_->left.wait();
}

TEST_P(Async, LetsAHandlerAnswerAfterItHasReturned) {
  for (int i = 0; i < 100; ++i) {
    const Result<Payload> reply = caller().call({"lab", "Later"}, text("later"), {});
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(reply->head.text(), "later");
  }
}

TEST_P(Async, EndsACallWhoseDetachedHandlerWasLetGo) {
  const Result<Payload> reply = caller().call({"lab", "Forgotten"}, text(""), {});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kInternal);
  EXPECT_EQ(reply.error().message(), "lab.Forgotten was let go of without an answer");
}

TEST_P(Async, EndsACallThatIsLetGoOfByItsOwnNotification) {
  for (int i = 0; i < 20; ++i) {
    // The handler keeps nothing but the notification, which holds the call.
    const auto call = start("Listen", CallKind::kClientStream, std::nullopt);
    if (i % 2 == 0) {
      ASSERT_TRUE(call->half_close().ok());
    } else {
      call->cancel();
    }
    EXPECT_EQ(call->finish().code(), i % 2 == 0 ? Code::kInternal : Code::kCancelled);
  }
  EXPECT_TRUE(caller().call({"lab", "Echo"}, text("alive"), {}));
}

TEST_P(Async, LetsGoOfTheNotificationThatAnotherOneReplaces) {
  const auto call = start("Stuck", CallKind::kUnary, text(""));
  {
    std::shared_ptr<ClientCall> other = start("Stuck", CallKind::kUnary, text(""));
    ClientCall& borrowed = *other;
    borrowed.when(Moment::kEnded, [&] {});
    call->when(Moment::kEnded, [other = std::move(other)] {});
  }
  lab_->stuck.wait(2);
  call->when(Moment::kEnded, [] {});  // the other call is cancelled by this
  lab_->left.wait();
  call->cancel();
  lab_->left.wait(2);
}

TEST_P(Async, BoundsCallsInsideAHandlerByItsDeadline) {
  Server second;
  auto stuck = std::make_shared<Lab>();
  ASSERT_TRUE(second.add(stuck).ok());
  const Result<std::string> url = second.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(url);
  const Result<Peer> onward = connect(*url);
  ASSERT_TRUE(onward);
  lab_->set_onward(onward->caller());
  CallOptions options;
  options.timeout = milliseconds(50);
  const Result<Payload> reply = caller().call({"lab", "Forward"}, text(""), options);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kDeadlineExceeded);
  stuck->left.wait();  // it noticed, though nobody but the first caller set a timeout
  EXPECT_NE(lab_->deadline_seen.load(), kNever);
  EXPECT_NE(stuck->deadline_seen.load(), kNever);
}

TEST_P(Async, CancelsCallsInsideAHandlerThatIsCancelled) {
  Server second;
  auto stuck = std::make_shared<Lab>();
  ASSERT_TRUE(second.add(stuck).ok());
  const Result<std::string> url = second.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(url);
  const Result<Peer> onward = connect(*url);
  ASSERT_TRUE(onward);
  lab_->set_onward(onward->caller());
  {
    const auto call = start("Forward", CallKind::kUnary, text(""));
    stuck->stuck.wait();
    call->cancel();
  }
  stuck->left.wait();
}

TEST_P(Async, RunsNoMoreCallsOfAMethodThanItsLimit) {
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(start("Narrow", CallKind::kUnary, text("")));
  lab_->narrow.wait(2);
  EXPECT_TRUE(caller().call({"lab", "Echo"}, text("free"), {}));  // others are not held up
  lab_->open_gate();
  for (const auto& call : calls) EXPECT_TRUE(call->finish().ok());
  EXPECT_EQ(lab_->most_running, 2);
}

INSTANTIATE_TEST_SUITE_P(Transports, Async,
                         ::testing::Values("inproc://async", "tcp://127.0.0.1:0",
                                           "ipc:///tmp/leat-async-%.sock", "zmq+tcp://127.0.0.1:0"),
                         [](const auto& test) {
                           std::string name(test.param);
                           name.resize(name.find(':'));
                           std::erase(name, '+');
                           return name;
                         });

TEST(Inflight, RefusesCallsBeyondThoseThatMayWait) {
  ServerOptions options;
  options.max_inflight = 1;
  options.max_waiting = 2;
  Server server(options);
  auto lab = std::make_shared<Lab>();
  ASSERT_TRUE(server.add(lab).ok());
  const Result<std::string> url = server.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(url);
  const Result<Peer> peer = connect(*url);
  ASSERT_TRUE(peer);
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (int i = 0; i < 4; ++i) {
    auto call = peer->caller()->start({"lab", "Narrow", CallKind::kUnary}, text(""), {});
    ASSERT_TRUE(call);
    calls.push_back(std::move(*call));
  }
  const Status refused = calls.back()->finish();
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.message(), "max_waiting (2) calls wait for their turn on this server already");
  EXPECT_TRUE(refused.not_started());
  lab->open_gate();
  calls.pop_back();
  for (const auto& call : calls) EXPECT_TRUE(call->finish().ok());
}

}  // namespace
}  // namespace leat
