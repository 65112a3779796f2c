// What leatc writes, over real connections: futures, callbacks, coroutines, answers given later and calls
// back, over every transport.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>
#include <leat/task.h>

#include "imaging.leat.h"
#include "transport/endpoint/own_url.h"

namespace leat {
namespace {

using imaging::FrameView;
using std::chrono::milliseconds;

/// Counts; waited for by the test.
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

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// Answers unary calls from a thread of its own. An exposure of 0 is refused, of less never answered, of 1000
/// thrown away, of 2000 raises.
class Scope final : public imaging::MicroscopeAsyncService {
 public:
  Scope() : thread_([this] { work(); }) {}
  ~Scope() override { close(); }
  /// Lets go of what is owed, too: a responder keeps its service alive.
  void close() {
    std::vector<Responder<imaging::Frame>> owed;
    std::vector<Responder<imaging::Position>> owed_too;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      owed = std::exchange(stuck_, {});
      owed_too = std::exchange(parents_, {});
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void snap(Message<imaging::SnapRequestView> request, Responder<imaging::Frame> responder) override {
    if (request->exposure() == 1000) return;
    if (request->exposure() == 2000) throw std::runtime_error("no light");
    const std::lock_guard lock(mutex_);
    if (request->exposure() < 0) {
      stuck_.push_back(std::move(responder));
      stuck.set();
      return;
    }
    waiting_.emplace_back(std::move(request), std::move(responder));
    changed_.notify_all();
  }
  /// Asks the caller's own stage, if it has one.
  void where(Message<imaging::PositionView> request, Responder<imaging::Position> responder) override {
    const imaging::Microscope callers(responder.context().peer());
    if (request->y() == 1) {
      // Ends with this call, though it is made by nobody's thread.
      callers.snap_async({.exposure = -1}, {.parent = &responder.context()})
          .then([this](const Result<Message<FrameView>>& frame) {
            ended = frame.error();
            child_ended.set();
          });
      const std::lock_guard lock(mutex_);
      parents_.push_back(std::move(responder));
      return;
    }
    callers.where_async({.x = request->x()})
        .then([responder = std::move(responder)](Result<Message<imaging::PositionView>> position) mutable {
          if (position) {
            responder.finish(imaging::Position{.x = (*position)->x() + 1});
          } else {
            responder.finish(failure(position.error()));
          }
        });
  }
  Status frames(Context& context, imaging::FramesRequestView request, Writer<imaging::Frame>& out) override {
    for (std::uint32_t i = 0; i < request.count(); ++i) {
      if (Status sent = out.write({.index = i}); !sent.ok()) return sent;
    }
    while (request.count() == 0 && !context.wait_for(milliseconds(10))) {
    }
    return {Code::kAborted, "the shutter jammed"};
  }
  Result<imaging::UploadReply> upload(Context& /*context*/, RequestReader<FrameView>& requests) override {
    imaging::UploadReply reply;
    for (const auto& frame : requests) reply.frames += frame->index();
    if (!requests.status().ok()) return failure(requests.status());
    return reply;
  }
  Status track(Context& /*context*/, RequestReader<imaging::PositionView>& requests,
               Writer<imaging::Position>& out) override {
    for (const auto& position : requests) {
      if (Status sent = out.write({.x = position->x() + 1}); !sent.ok()) return sent;
    }
    return requests.status();
  }

  Signal stuck, child_ended;
  Status ended;  // of the child

 private:
  using Waiting = std::pair<Message<imaging::SnapRequestView>, Responder<imaging::Frame>>;
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      std::vector<Waiting> batch = std::exchange(waiting_, {});
      lock.unlock();
      for (auto& [request, responder] : batch) {
        if (request->exposure() == 0) {
          responder.finish(failure(Code::kInvalidArgument, "exposure must be positive"));
        } else {
          responder.finish(imaging::Frame{.captured = request->exposure()});
        }
      }
      batch.clear();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiting> waiting_;
  std::vector<Responder<imaging::Frame>> stuck_;
  std::vector<Responder<imaging::Position>> parents_;
  bool closed_ = false;
  std::thread thread_;
};

class Typed : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.add(service_).ok());
    const Result<std::string> url = server_.listen(own_url(GetParam()));
    ASSERT_TRUE(url) << url.error().to_string();
    ConnectOptions options;
    options.services = {stage_};
    Result<Peer> connected = connect(*url, options);
    ASSERT_TRUE(connected) << connected.error().to_string();
    peer_.emplace(std::move(*connected));
  }
  void TearDown() override {
    peer_.reset();
    server_.close();
    service_->close();
  }
  imaging::Microscope scope() { return peer_->service<imaging::Microscope>(); }

  /// What the client serves to the server.
  class Stage final : public imaging::MicroscopeService {
   public:
    Result<imaging::Frame> snap(Context& context, imaging::SnapRequestView /*request*/) override {
      stuck.set();
      while (!context.wait_for(milliseconds(10))) {
      }
      return failure(Code::kCancelled, "nobody waits");
    }
    Result<imaging::Position> where(Context& /*context*/, imaging::PositionView request) override {
      return imaging::Position{.x = request.x() * 2};
    }
    Status frames(Context& /*context*/, imaging::FramesRequestView /*request*/,
                  Writer<imaging::Frame>& /*out*/) override {
      return {};
    }
    Result<imaging::UploadReply> upload(Context& /*context*/,
                                        RequestReader<FrameView>& /*requests*/) override {
      return imaging::UploadReply{};
    }
    Status track(Context& /*context*/, RequestReader<imaging::PositionView>& /*requests*/,
                 Writer<imaging::Position>& /*out*/) override {
      return {};
    }
    Signal stuck;
  };

  std::shared_ptr<Stage> stage_ = std::make_shared<Stage>();
  std::shared_ptr<Scope> service_ = std::make_shared<Scope>();
  Server server_;
  std::optional<Peer> peer_;
};

TEST_P(Typed, FuturesOfManyCallsAtOnce) {
  std::vector<Future<Message<FrameView>>> futures;
  for (int i = 1; i <= 300; ++i) futures.push_back(scope().snap_async({.exposure = 1.0 / i}));
  for (int i = 1; i <= 300; ++i) {
    const auto frame = futures[static_cast<std::size_t>(i) - 1].get();
    ASSERT_TRUE(frame) << frame.error().to_string();
    EXPECT_EQ((*frame)->captured(), 1.0 / i);
  }
  EXPECT_EQ(scope().snap({.exposure = 0}).error().message(), "exposure must be positive");
}

TEST_P(Typed, CallbacksOfManyCallsAtOnce) {
  Signal told;
  std::atomic<int> right{0};
  for (int i = 1; i <= 300; ++i) {
    scope().snap_async({.exposure = 1.0 / i}).then([&, i](const Result<Message<FrameView>>& frame) {
      if (frame && (*frame)->captured() == 1.0 / i) ++right;
      told.set();
    });
  }
  told.wait(300);
  EXPECT_EQ(right, 300);
}

Task<int> snap_one_by_one(imaging::Microscope scope, int count) {
  int right = 0;
  for (int i = 1; i <= count; ++i) {
    auto later = scope.snap_async({.exposure = 1.0 / i});
    const auto frame = co_await later;
    if (frame && (*frame)->captured() == 1.0 / i) ++right;
  }
  co_return right;
}

TEST_P(Typed, CoroutinesSideBySide) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(snap_one_by_one(scope(), 30));
  for (Task<int>& task : tasks) task.start();
  for (Task<int>& task : tasks) EXPECT_EQ(task.get(), 30);
}

TEST_P(Typed, SaysWhyThereIsNoAnswer) {
  EXPECT_EQ(scope().snap_async({.exposure = 1000}).get().error().to_string(),
            "internal: imaging.Microscope.Snap was let go of without an answer");
  EXPECT_EQ(scope().snap_async({.exposure = 2000}).get().error().to_string(),
            "unknown: imaging.Microscope.Snap raised: no light");
  EXPECT_EQ(scope().snap_async({.exposure = -1}, {.timeout = milliseconds(20)}).get().error().code(),
            Code::kDeadlineExceeded);
  Status late;
  Signal told;
  scope().snap_async({.exposure = -1}, {.timeout = milliseconds(20)}).then([&](const auto& frame) {
    late = frame.error();
    told.set();
  });
  told.wait();
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded);
}

Task<Status> snap_for_ever(imaging::Microscope scope) {
  auto later = scope.snap_async({.exposure = -1});
  const auto frame = co_await later;
  co_return frame ? Status() : frame.error();
}

TEST_P(Typed, ClosingThePeerEndsWhatWaits) {
  auto task = snap_for_ever(scope());
  task.start();
  Signal told;
  scope().snap_async({.exposure = -1}).then([&](const auto& frame) {
    EXPECT_EQ(frame.error().code(), Code::kCancelled);
    told.set();
  });
  service_->stuck.wait(2);
  peer_->close();
  EXPECT_EQ(task.get().code(), Code::kCancelled);
  told.wait();
}

TEST_P(Typed, LosingTheServerEndsWhatWaits) {
  auto task = snap_for_ever(scope());
  task.start();
  service_->stuck.wait();
  server_.close();
  EXPECT_EQ(task.get().code(), Code::kUnavailable);
}

TEST_P(Typed, CancelledByAnotherThread) {
  auto future = scope().snap_async({.exposure = -1});
  std::thread other([&] {
    service_->stuck.wait();
    future.cancel();
  });
  EXPECT_EQ(future.get().error().code(), Code::kCancelled);
  other.join();
}

TEST_P(Typed, TheLastHandleMayGoInACallback) {
  Signal told;
  for (int i = 0; i < 20; ++i) {
    Result<Peer> peer = connect(server_.urls().front());
    ASSERT_TRUE(peer);
    auto caller = peer->service<imaging::Microscope>();
    peer = failure(Code::kUnknown, "");
    caller.snap_async({.exposure = 1}).then([&told](const auto& frame) {
      EXPECT_TRUE(frame) << frame.error().to_string();
      told.set();
    });
  }
  told.wait(20);
}

Task<Result<std::uint64_t>> copy(imaging::Microscope scope, std::uint32_t count) {
  auto frames = scope.frames({.count = count});
  auto upload = scope.upload();
  while (auto frame = co_await frames.next_async()) {
    const imaging::Frame same{.index = (*frame)->index()};
    if (Status sent = co_await upload.write_async(same); !sent.ok()) co_return failure(sent);
  }
  if (Status status = co_await frames.finish_async(); status.message() != "the shutter jammed")
    co_return failure(status);
  auto reply = co_await upload.finish_async();
  if (!reply) co_return failure(reply.error());
  co_return (*reply)->frames();
}

TEST_P(Typed, StreamsInACoroutine) {
  const Result<std::uint64_t> sum = copy(scope(), 5000).get();
  ASSERT_TRUE(sum) << sum.error().to_string();
  EXPECT_EQ(*sum, 5000U * 4999U / 2);
}

using Track = Exchange<imaging::Position, imaging::PositionView>;
Task<> send(Track& track, int count) {
  for (int i = 0; i < count; ++i) {
    const imaging::Position position{.x = static_cast<float>(i)};
    if (Status sent = co_await track.write_async(position); !sent.ok()) co_return;
  }
  (void)track.close();
}

TEST_P(Typed, OneCoroutineWritesWhileAnotherReads) {
  auto track = scope().track({.timeout = std::chrono::seconds(60)});
  auto sending = send(track, 3000);
  sending.start();
  int next = 0;
  while (auto position = track.next()) EXPECT_EQ((*position)->x(), static_cast<float>(++next));
  EXPECT_EQ(next, 3000);
  EXPECT_TRUE(track.finish().ok());
  sending.get();
}

TEST_P(Typed, AStreamThatNobodyWantsEndsForItsReaderToo) {
  Signal told;
  {
    auto frames = scope().frames({.count = 0});
    frames.next_async().then([&](const std::optional<Message<FrameView>>& frame) {
      EXPECT_FALSE(frame);
      told.set();
    });
  }
  told.wait();
}

TEST_P(Typed, AHandlerCallsItsCallerBack) {
  for (int i = 0; i < 50; ++i) {
    const auto position = scope().where({.x = 3});
    ASSERT_TRUE(position) << position.error().to_string();
    EXPECT_EQ((*position)->x(), 7);
  }
}

TEST_P(Typed, ACallMadeForAnAnswerEndsWithItsCaller) {
  {
    auto future = scope().where_async({.y = 1});
    stage_->stuck.wait();
  }
  service_->child_ended.wait();
  EXPECT_EQ(service_->ended.code(), Code::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(Transports, Typed,
                         ::testing::Values("inproc://typed", "tcp://127.0.0.1:0",
                                           "ipc:///tmp/leat-typed-%.sock", "zmq+tcp://127.0.0.1:0"),
                         [](const auto& test) {
                           std::string name(test.param);
                           name.resize(name.find(':'));
                           std::erase(name, '+');
                           return name;
                         });

}  // namespace
}  // namespace leat
