// Ten thousand calls and a thousand streams at a time on one connection. What it proves above all it proves
// under ThreadSanitizer.
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>

#include "transport/endpoint/own_url.h"

namespace leat {
namespace {

constexpr std::size_t kCalls = 10'000;
constexpr std::size_t kStreams = 1'000;
constexpr std::size_t kTalks = 3;  // items that each stream carries there and back

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }
Payload number(std::size_t value) { return text(std::to_string(value)); }

/// Counted up by many threads, waited for by one.
class Counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  [[nodiscard]] std::size_t count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

/// Sends back what it receives, without a thread that waits.
class Echoing : public std::enable_shared_from_this<Echoing> {
 public:
  explicit Echoing(std::shared_ptr<ServerCall> call) : call_(std::move(call)) {}
  void go_on() {
    while (true) {
      if (!unsent_) {
        Result<Polled> polled = call_->try_read();
        if (!polled) return call_->finish(polled.error());
        if (polled->pending) return call_->when(Moment::kReadable, later());
        if (!polled->message) return call_->finish({});
        unsent_ = std::move(polled->message);
      }
      const Result<bool> sent = call_->try_write(*unsent_);
      if (!sent) return call_->finish(sent.error());
      if (!*sent) return call_->when(Moment::kWritable, later());
      unsent_.reset();
    }
  }

 private:
  std::function<void()> later() {
    return [self = shared_from_this()] { self->go_on(); };
  }
  std::shared_ptr<ServerCall> call_;
  std::optional<Payload> unsent_;
};

/// Hold answers when it is told to; Chat sends back; Echo answers at once; Count counts.
class Square final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 4> kMethods = {
        {{.name = "Hold"},
         {.name = "Chat", .kind = CallKind::kBidi},
         {.name = "Echo"},
         {.name = "Count", .kind = CallKind::kServerStream}}};
    static const ServiceInfo kInfo{"square", kMethods, {}};
    return kInfo;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    if (method == 1) {
      std::make_shared<Echoing>(call.detach())->go_on();
      return {};
    }
    Payload request = std::move(**call.read());
    if (method == 2) return call.write(std::move(request));
    if (method == 3) {
      const std::size_t count = std::stoul(std::string(request.head.text()));
      for (std::size_t i = 0; i < count; ++i) {
        if (Status sent = call.write(number(i)); !sent.ok()) return sent;
      }
      return {};
    }
    {
      const std::lock_guard lock(mutex_);
      held_.push_back({call.detach(), std::move(request)});
    }
    holding.add();
    return {};
  }
  /// Answers what is held, from several threads at once.
  void let_go() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 4; ++i) {
      threads.emplace_back([this] {
        for (std::optional<Held> held = take(); held; held = take()) {
          EXPECT_TRUE(held->call->write_last(std::move(held->request)).ok());
          held->call->finish({});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  /// Lets go of what is held without answering. Who holds calls of its own holds itself through them.
  void forget() {
    std::vector<Held> forgotten;
    {
      const std::lock_guard lock(mutex_);
      forgotten.swap(held_);
    }
  }
  Counter holding;

 private:
  struct Held {
    std::shared_ptr<ServerCall> call;
    Payload request;
  };
  std::optional<Held> take() {
    const std::lock_guard lock(mutex_);
    if (held_.empty()) return std::nullopt;
    Held held = std::move(held_.back());
    held_.pop_back();
    return held;
  }
  std::mutex mutex_;
  std::vector<Held> held_;
};

class Crowd : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.add(square_).ok());
    const Result<std::string> url = server_.listen(own_url(GetParam()));
    ASSERT_TRUE(url) << url.error().to_string();
    Result<Peer> connected = connect(*url);
    ASSERT_TRUE(connected) << connected.error().to_string();
    peer_.emplace(std::move(*connected));
  }
  std::unique_ptr<ClientCall> start(std::string_view method, CallKind kind, std::optional<Payload> request) {
    auto call = peer_->caller()->start({"square", method, kind}, std::move(request), {});
    EXPECT_TRUE(call) << call.error().to_string();
    return call ? std::move(*call) : nullptr;
  }

  std::shared_ptr<Square> square_ = std::make_shared<Square>();
  Server server_;
  std::optional<Peer> peer_;
};

TEST_P(Crowd, KeepsTenThousandCallsAndAThousandStreamsInFlight) {
  Counter ended;
  std::vector<std::unique_ptr<ClientCall>> streams;
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (std::size_t i = 0; i < kStreams; ++i) streams.push_back(start("Chat", CallKind::kBidi, std::nullopt));
  for (std::size_t i = 0; i < kCalls; ++i) {
    calls.push_back(start("Hold", CallKind::kUnary, number(i)));
    calls.back()->when(Moment::kEnded, [&] { ended.add(); });
  }
  square_->holding.wait_for(kCalls);
  EXPECT_EQ(peer_->stats().calls_in_flight, kCalls + kStreams);
  EXPECT_EQ(ended.count(), 0U);

  // All streams are alive beside them.
  for (std::size_t talk = 0; talk < kTalks; ++talk) {
    for (std::size_t i = 0; i < kStreams; ++i)
      ASSERT_TRUE(streams[i]->write(number(talk * kStreams + i)).ok());
    for (std::size_t i = 0; i < kStreams; ++i) {
      const std::optional<Payload> item = streams[i]->read();
      ASSERT_TRUE(item) << streams[i]->finish().to_string();
      ASSERT_EQ(item->head.text(), std::to_string(talk * kStreams + i));
    }
  }

  square_->let_go();
  ended.wait_for(kCalls);
  for (std::size_t i = 0; i < kCalls; ++i) {
    const Polled reply = calls[i]->try_read();
    ASSERT_TRUE(reply.message);
    ASSERT_EQ(reply.message->head.text(), std::to_string(i));
    ASSERT_TRUE(calls[i]->finish().ok());
  }
  for (const auto& stream : streams) ASSERT_TRUE(stream->half_close().ok());
  for (const auto& stream : streams) {
    ASSERT_FALSE(stream->read());
    const Status status = stream->finish();
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  EXPECT_EQ(ended.count(), kCalls);
  EXPECT_EQ(peer_->stats().calls_in_flight, 0U);
}

TEST_P(Crowd, CancelsAllOfThemAtOnce) {
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (std::size_t i = 0; i < kStreams; ++i) {
    calls.push_back(start("Hold", CallKind::kUnary, number(i)));
    calls.push_back(start("Chat", CallKind::kBidi, number(i)));
  }
  square_->holding.wait_for(kStreams);
  std::vector<std::thread> threads;
  for (std::size_t first = 0; first < 4; ++first) {
    threads.emplace_back([&, first] {
      for (std::size_t i = first; i < calls.size(); i += 4) calls[i]->cancel();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& call : calls) EXPECT_EQ(call->finish().code(), Code::kCancelled);
  EXPECT_EQ(peer_->stats().calls_in_flight, 0U);
  square_->forget();
}

TEST_P(Crowd, SharesAConnectionAmongThreadsThatWait) {
  constexpr std::size_t kCallers = 8;
  constexpr std::size_t kReaders = 4;
  std::vector<std::thread> threads;
  for (std::size_t caller = 0; caller < kCallers; ++caller) {
    threads.emplace_back([&, caller] {
      for (std::size_t i = caller; i < kCalls; i += kCallers) {
        const Result<Payload> reply = peer_->caller()->call({"square", "Echo"}, number(i), {});
        ASSERT_TRUE(reply) << reply.error().to_string();
        ASSERT_EQ(reply->head.text(), std::to_string(i));
      }
    });
  }
  for (std::size_t reader = 0; reader < kReaders; ++reader) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < kStreams / kReaders / 10; ++i) {
        const auto stream = start("Count", CallKind::kServerStream, number(50));
        for (std::size_t next = 0; next < 50; ++next) {
          const std::optional<Payload> item = stream->read();
          ASSERT_TRUE(item);
          ASSERT_EQ(item->head.text(), std::to_string(next));
        }
        EXPECT_FALSE(stream->read());
        EXPECT_TRUE(stream->finish().ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Transports, Crowd,
                         ::testing::Values("tcp://127.0.0.1:0", "ipc:///tmp/leat-crowd-%.sock",
                                           "zmq+tcp://127.0.0.1:0"),
                         [](const auto& test) {
                           std::string name(test.param);
                           name.resize(name.find(':'));
                           std::erase(name, '+');
                           return name;
                         });

}  // namespace
}  // namespace leat
