// A second lane for bulk, as users meet it: it comes by itself, and nothing is lost, mixed up or held up by
// it.
#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>

#include "transport/endpoint/own_url.h"

namespace leat {
namespace {

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

Payload pattern(std::size_t size, std::uint32_t seed) {
  Payload payload = text(std::to_string(seed));
  Buffer data = Buffer::allocate(size);
  for (std::size_t i = 0; i < size; ++i) data.writable()[i] = static_cast<std::byte>(i * 31 + seed);
  payload.attachments.push_back(std::move(data));
  return payload;
}

bool matches(const Payload& payload, std::size_t size, std::uint32_t seed) {
  if (payload.head.text() != std::to_string(seed) || payload.attachments.size() != 1) return false;
  const Bytes data = payload.attachments[0].bytes();
  if (data.size() != size) return false;
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] != static_cast<std::byte>(i * 31 + seed)) return false;
  }
  return true;
}

class Store final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 3> kMethods = {
        {{.name = "Echo"},
         {.name = "Fetch", .kind = CallKind::kServerStream},
         {.name = "Put", .kind = CallKind::kClientStream}}};
    static const ServiceInfo kInfo{"store", kMethods, {}};
    return kInfo;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    if (method == 0) return call.write(std::move(**call.read()));
    if (method == 1) {
      (void)call.read();
      for (std::uint32_t i = 0; i < 40; ++i) {
        if (Status sent = call.write(pattern(kItem, i)); !sent.ok()) return sent;
      }
      return {};
    }
    std::uint32_t count = 0;
    while (true) {
      const Result<std::optional<Payload>> item = call.read();
      if (!item) return item.error();
      if (!*item) return call.write(text(std::to_string(count)));
      if (!matches(**item, kItem, count)) return {Code::kDataLoss, "item " + std::to_string(count)};
      ++count;
    }
  }
  static constexpr std::size_t kItem = 300'000;
};

class Lanes : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.add(std::make_shared<Store>()).ok());
    const Result<std::string> listening = server_.listen(own_url(GetParam()));
    ASSERT_TRUE(listening) << listening.error().to_string();
    Result<Peer> connected = connect(*listening);
    ASSERT_TRUE(connected) << connected.error().to_string();
    peer_.emplace(std::move(*connected));
  }
  Caller& caller() { return *peer_->caller(); }
  void echo(std::size_t size, std::uint32_t seed) {
    const Result<Payload> reply = caller().call({"store", "Echo"}, pattern(size, seed), {});
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_TRUE(matches(*reply, size, seed));
  }
  /// Bulk brings the second lane; it may take a moment.
  void wait_for_lane() {
    for (int tries = 0; peer_->stats().lanes < 2; ++tries) {
      ASSERT_LT(tries, 1000);
      echo(600'000, 7);
    }
  }

  Server server_;
  std::optional<Peer> peer_;
};

TEST_P(Lanes, ComeWithTheFirstBulkAndNotBefore) {
  for (std::uint32_t i = 0; i < 10; ++i) echo(1000, i);
  EXPECT_EQ(peer_->stats().lanes, 1U);
  wait_for_lane();
  EXPECT_EQ(peer_->stats().lanes, 2U);
  EXPECT_EQ(server_.stats().connections, 1U);
  echo(3'000'000, 1);
}

TEST_P(Lanes, CarryStreamsOfLargeItemsBothWays) {
  CallOptions bulk;
  bulk.channel = Channel::kBulk;
  for (int round = 0; round < 3; ++round) {
    auto fetch = caller().start({"store", "Fetch", CallKind::kServerStream}, text(""), bulk);
    ASSERT_TRUE(fetch);
    auto put = caller().start({"store", "Put", CallKind::kClientStream}, std::nullopt, bulk);
    ASSERT_TRUE(put);
    for (std::uint32_t i = 0; i < 40; ++i) {
      ASSERT_TRUE((*put)->write(pattern(Store::kItem, i)).ok());
      const std::optional<Payload> item = (*fetch)->read();
      ASSERT_TRUE(item) << (*fetch)->finish().to_string();
      ASSERT_TRUE(matches(*item, Store::kItem, i));
    }
    ASSERT_TRUE((*put)->half_close().ok());
    const std::optional<Payload> count = (*put)->read();
    ASSERT_TRUE(count) << (*put)->finish().to_string();
    EXPECT_EQ(count->head.text(), "40");
    EXPECT_TRUE((*fetch)->finish().ok());
  }
}

TEST_P(Lanes, ServeManyThreadsOfCallsBesideBulk) {
  wait_for_lane();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 60; ++i) {
        const std::size_t size = t < 2 ? 1'000'000 : 64;
        const Result<Payload> reply = caller().call({"store", "Echo"}, pattern(size, i), {});
        if (!reply || !matches(*reply, size, i)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Lanes, AreHandedOnBetweenThreadsThatPauseAndComeBack) {
  // Each of the two drives its own lane, and both for a while when the other one pauses for longer than a
  // driver is waited for.
  wait_for_lane();
  CallOptions bulk;
  bulk.channel = Channel::kBulk;
  std::thread reader([&] {
    auto fetch = caller().start({"store", "Fetch", CallKind::kServerStream}, text(""), bulk);
    ASSERT_TRUE(fetch);
    for (std::uint32_t i = 0; i < 40; ++i) {
      if (i % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      const std::optional<Payload> item = (*fetch)->read();
      ASSERT_TRUE(item) << (*fetch)->finish().to_string();
      ASSERT_TRUE(matches(*item, Store::kItem, i));
    }
    EXPECT_TRUE((*fetch)->finish().ok());
  });
  for (std::uint32_t i = 0; i < 40; ++i) {
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(4));
    echo(64, i);
  }
  reader.join();
}

TEST_P(Lanes, LetABulkCallBeCancelledInItsMiddle) {
  wait_for_lane();
  for (int i = 0; i < 20; ++i) {
    CallOptions bulk;
    bulk.channel = Channel::kBulk;
    auto fetch = caller().start({"store", "Fetch", CallKind::kServerStream}, text(""), bulk);
    ASSERT_TRUE(fetch);
    if (i % 2 == 0) (void)(*fetch)->read();
    (*fetch)->cancel();
    EXPECT_EQ((*fetch)->finish().code(), Code::kCancelled);
    echo(64, 3);
  }
  echo(2'000'000, 5);
}

TEST_P(Lanes, EndWithTheirConnection) {
  wait_for_lane();
  peer_->close();
  while (server_.stats().connections != 0) std::this_thread::yield();
  EXPECT_EQ(server_.stats().connections_refused, 0U);
}

INSTANTIATE_TEST_SUITE_P(Transports, Lanes,
                         ::testing::Values("tcp://127.0.0.1:0", "ipc:///tmp/leat-lanes-%.sock",
                                           "zmq+tcp://127.0.0.1:0", "zmq+ipc:///tmp/leat-zmq-lanes-%.sock"),
                         [](const auto& test) {
                           std::string name(test.param);
                           name.resize(name.find(':'));
                           std::erase(name, '+');
                           return name;
                         });

TEST(OneLane, IsEnoughWhereTheListenerIsGone) {
  Server server;
  ASSERT_TRUE(server.add(std::make_shared<Store>()).ok());
  const Result<std::string> url = server.listen(own_url("ipc:///tmp/leat-one-lane-%.sock"));
  ASSERT_TRUE(url);
  const Result<Peer> peer = connect(*url);
  ASSERT_TRUE(peer);
  ASSERT_EQ(::unlink(own_url("/tmp/leat-one-lane-%.sock").c_str()), 0);  // nobody can connect any more
  for (std::uint32_t i = 0; i < 5; ++i) {
    const Result<Payload> reply = peer->caller()->call({"store", "Echo"}, pattern(2'000'000, i), {});
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_TRUE(matches(*reply, 2'000'000, i));
  }
  EXPECT_EQ(peer->stats().lanes, 1U);
}

}  // namespace
}  // namespace leat
