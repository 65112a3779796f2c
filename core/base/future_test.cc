// Futures, steps of streams and tasks, over a call whose events the test makes.
#include <array>
#include <deque>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/future.h>
#include <leat/stream.h>
#include <leat/task.h>

namespace leat {
namespace {

using testing::ElementsAre;

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

/// "bad" can't be decoded.
class TextView {
 public:
  explicit TextView(std::string_view value) : value_(value) {}
  static Result<Message<TextView>> decode(Payload payload) {
    const TextView view(payload.head.text());
    if (view.value() == "bad") return failure(Code::kInvalidArgument, "it is bad");
    return Message<TextView>(std::move(payload), view);
  }
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  std::string_view value_;
};

/// What the test sees of a call, also when the call is gone.
struct Script {
  std::deque<Payload> replies;
  std::vector<std::string> written;
  std::array<std::function<void()>, 3> watchers;
  int room = 1000;
  bool over = false;
  bool cancelled = false;
  bool gone = false;
  Status status;

  void notify() {
    for (std::function<void()>& watcher : watchers) {
      if (const auto told = std::exchange(watcher, nullptr)) told();
    }
  }
  void reply(std::string_view value) {
    replies.push_back(text(value));
    notify();
  }
  void end(Status with = {}) {
    if (std::exchange(over, true)) return;
    status = std::move(with);
    notify();
  }
};

class ScriptedCall final : public ClientCall {
 public:
  explicit ScriptedCall(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  ~ScriptedCall() override {
    cancel();
    script_->gone = true;
  }
  std::optional<Payload> read() override {
    EXPECT_TRUE(script_->over || !script_->replies.empty()) << "this would wait for ever";
    return try_read().message;
  }
  Status write(Payload request) override {
    script_->written.emplace_back(request.head.text());
    return {};
  }
  Status half_close() override { return {}; }
  Status finish() override {
    EXPECT_TRUE(script_->over) << "this would wait for ever";
    return script_->status;
  }
  void cancel() noexcept override {
    if (script_->over) return;
    script_->cancelled = true;
    script_->end({Code::kCancelled, "cancelled by the caller"});
  }
  const Metadata& initial_metadata() override { return metadata_; }
  [[nodiscard]] const Metadata& trailing_metadata() const noexcept override { return metadata_; }
  Polled try_read() override {
    if (script_->replies.empty()) return {!script_->over, std::nullopt};
    Polled polled{false, std::move(script_->replies.front())};
    script_->replies.pop_front();
    return polled;
  }
  Result<bool> try_write(Payload& request) override {
    if (script_->over) return failure(script_->status);
    if (script_->room == 0) return false;
    --script_->room;
    script_->written.emplace_back(request.head.text());
    return true;
  }
  bool ended() override { return script_->over; }
  void when(Moment moment, std::function<void()> notify) override {
    const bool come = script_->over || (moment == Moment::kReadable && !script_->replies.empty()) ||
                      (moment == Moment::kWritable && script_->room > 0);
    if (come) {
      notify();
    } else {
      script_->watchers.at(static_cast<std::size_t>(moment)) = std::move(notify);
    }
  }

 private:
  std::shared_ptr<Script> script_;
  Metadata metadata_;
};

class ScriptedCaller final : public Caller {
 public:
  Result<Payload> call(const MethodRef& /*method*/, Payload /*request*/,
                       const CallOptions& /*options*/) override {
    return failure(Code::kInternal, "not here");
  }
  Result<std::unique_ptr<ClientCall>> start(const MethodRef& /*method*/, std::optional<Payload> /*request*/,
                                            const CallOptions& /*options*/) override {
    if (!refusal.ok()) return failure(refusal);
    return std::make_unique<ScriptedCall>(script);
  }
  void post(std::function<void()> work) override { posted.push_back(std::move(work)); }
  /// How many were run.
  int run_posted() {
    int count = 0;
    for (; !posted.empty(); ++count) {
      const std::function<void()> work = std::move(posted.front());
      posted.pop_front();
      work();
    }
    return count;
  }

  std::shared_ptr<Script> script = std::make_shared<Script>();
  std::deque<std::function<void()>> posted;
  Status refusal;
};

class Futures : public testing::Test {
 protected:
  Future<Message<TextView>> call() { return Future<Message<TextView>>(start()); }
  Reader<TextView> stream() { return Reader<TextView>(start()); }
  std::shared_ptr<detail::StartedCall> start() {
    return detail::StartedCall::start(caller_, {"lab.Scope", "Snap"}, text("?"), {});
  }
  Script& script() { return *caller_->script; }
  int run() { return caller_->run_posted(); }

  std::shared_ptr<ScriptedCaller> caller_ = std::make_shared<ScriptedCaller>();
};

TEST_F(Futures, GiveTheReplyOnce) {
  auto future = call();
  EXPECT_TRUE(future.valid());
  EXPECT_FALSE(future.ready());
  script().reply("image");
  script().end();
  EXPECT_TRUE(future.ready());
  const auto reply = future.get();
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ((*reply)->value(), "image");
  EXPECT_FALSE(future.valid());
  EXPECT_EQ(future.get().error().code(), Code::kFailedPrecondition);
}

TEST_F(Futures, TellWhyThereIsNoReply) {
  script().end({Code::kAborted, "the shutter jammed"});
  EXPECT_EQ(call().get().error().to_string(), "aborted: the shutter jammed");
  caller_->script = std::make_shared<Script>();
  script().end();
  EXPECT_EQ(call().get().error().message(),
            "the reply of lab.Scope.Snap can't be read: the call ended without one");
  caller_->script = std::make_shared<Script>();
  script().reply("bad");
  script().end();
  const Status unreadable = call().get().error();
  EXPECT_EQ(unreadable.code(), Code::kInternal);
  EXPECT_EQ(unreadable.message(), "the reply of lab.Scope.Snap can't be read: it is bad");
  caller_->refusal = Status(Code::kUnavailable, "not connected");
  auto refused = call();
  EXPECT_TRUE(refused.ready());
  EXPECT_EQ(refused.get().error().message(), "not connected");
}

TEST_F(Futures, CallBackWhereUserCodeMayRun) {
  std::string seen;
  call().then([&seen, own = std::make_unique<int>(1)](Result<Message<TextView>> reply) {
    seen = std::string((*reply)->value()) + std::to_string(*own);
  });
  EXPECT_FALSE(script().cancelled) << "the future is gone, the call is not";
  script().reply("image");
  script().end();
  EXPECT_EQ(seen, "") << "not on the thread that reads the connection";
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(seen, "image1");
  EXPECT_TRUE(script().gone);
}

TEST_F(Futures, CallBackWithTheReasonWhenTheCallCannotStart) {
  caller_->refusal = Status(Code::kUnavailable, "not connected");
  Status seen;
  call().then([&seen](const Result<Message<TextView>>& reply) { seen = reply.error(); });
  EXPECT_TRUE(seen.ok());
  run();
  EXPECT_EQ(seen.code(), Code::kUnavailable);
}

TEST_F(Futures, CanBeCancelledWhenACallbackHasTheCall) {
  Status seen;
  auto future = call();
  future.then([&seen](const Result<Message<TextView>>& reply) { seen = reply.error(); });
  future.cancel();
  run();
  EXPECT_EQ(seen.code(), Code::kCancelled);
}

TEST_F(Futures, CancelACallWhoseOutcomeNobodyTook) {
  {
    const auto future = call();
  }
  EXPECT_TRUE(script().cancelled);
  caller_->script = std::make_shared<Script>();
  auto future = call();
  const std::shared_ptr<Script> first = caller_->script;
  caller_->script = std::make_shared<Script>();
  future = call();
  EXPECT_TRUE(first->cancelled) << "assigned over";
  EXPECT_FALSE(script().cancelled);
}

Task<std::string> describe(Future<Message<TextView>> future) {
  auto reply = co_await future;
  if (!reply) co_return std::string(reply.error().message());
  co_return std::string((*reply)->value());
}

TEST_F(Futures, ResumeACoroutine) {
  auto task = describe(call());
  task.start();
  EXPECT_FALSE(task.done());
  script().reply("image");
  script().end();
  EXPECT_FALSE(task.done());
  EXPECT_EQ(run(), 1);
  EXPECT_TRUE(task.done());
  EXPECT_EQ(task.get(), "image");
}

TEST_F(Futures, AreAwaitedWithoutAHopWhenTheyAreReady) {
  script().reply("image");
  script().end();
  EXPECT_EQ(describe(call()).get(), "image");
  EXPECT_EQ(run(), 0);
}

TEST_F(Futures, GiveNothingTwiceToCoroutinesEither) {
  script().reply("image");
  script().end();
  auto future = call();
  (void)future.get();
  EXPECT_EQ(describe(std::move(future)).get(), "this future's outcome was taken before");
}

/// A coroutine that the test may destroy while it waits.
struct Fragile {
  struct promise_type {
    Fragile get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { FAIL(); }
  };
  std::coroutine_handle<promise_type> coroutine;
};

Fragile wait_for(Future<Message<TextView>> future, bool& resumed) {
  const auto reply = co_await future;
  resumed = true;
}
Fragile wait_for(Reader<TextView>& reader, bool& resumed) {
  const auto item = co_await reader.next_async();
  resumed = true;
}

TEST_F(Futures, DoNotResumeACoroutineThatIsGone) {
  bool resumed = false;
  const Fragile waiting = wait_for(call(), resumed);
  waiting.coroutine.destroy();
  EXPECT_TRUE(script().cancelled);
  EXPECT_EQ(run(), 1);
  EXPECT_FALSE(resumed);
}

TEST_F(Futures, ReadNoItemForACoroutineThatIsGone) {
  bool resumed = false;
  auto reader = stream();
  const Fragile waiting = wait_for(reader, resumed);
  waiting.coroutine.destroy();
  script().reply("first");
  run();
  EXPECT_FALSE(resumed);
  EXPECT_EQ((*reader.next())->value(), "first");
}

Task<Status> collect(Reader<TextView> reader, std::vector<std::string>& items) {
  while (auto item = co_await reader.next_async()) items.emplace_back((*item)->value());
  co_return co_await reader.finish_async();
}

TEST_F(Futures, ReadAStreamItemByItem) {
  std::vector<std::string> items;
  script().reply("first");
  auto task = collect(stream(), items);
  task.start();
  EXPECT_THAT(items, ElementsAre("first"));
  script().reply("second");
  EXPECT_EQ(run(), 1);
  script().reply("third");
  script().end({Code::kAborted, "the shutter jammed"});
  run();
  EXPECT_THAT(items, ElementsAre("first", "second", "third"));
  EXPECT_EQ(task.get().message(), "the shutter jammed");
}

TEST_F(Futures, EndAStreamAtAnItemThatCannotBeRead) {
  std::vector<std::string> items;
  script().reply("bad");
  EXPECT_EQ(collect(stream(), items).get().message(), "the reply of lab.Scope.Snap can't be read: it is bad");
  EXPECT_TRUE(script().cancelled);
  EXPECT_THAT(items, ElementsAre());
}

TEST_F(Futures, FinishAStreamThoughItIsNotReadToItsEnd) {
  Status status(Code::kUnknown, "not told yet");
  auto reader = stream();
  script().reply("first");
  reader.finish_async().then([&status](Status told) { status = std::move(told); });
  run();
  EXPECT_TRUE(script().replies.empty()) << "dropped, so that the server is not held back";
  script().reply("second");
  run();
  EXPECT_EQ(status.code(), Code::kUnknown);
  script().end();
  run();
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(reader.finish().ok());
}

TEST_F(Futures, TellACallbackThatItsStreamIsGone) {
  bool ended = false;
  {
    auto reader = stream();
    reader.next_async().then([&ended](const std::optional<Message<TextView>>& item) { ended = !item; });
  }
  EXPECT_TRUE(script().cancelled);
  run();
  EXPECT_TRUE(ended);
}

TEST_F(Futures, WaitForRoomToWrite) {
  Status sent(Code::kUnknown, "not told yet");
  const auto to = start();
  script().room = 0;
  detail::write_later(to, text("1")).then([&sent](Status told) { sent = std::move(told); });
  EXPECT_EQ(run(), 0);
  script().room = 1;
  script().notify();
  run();
  EXPECT_TRUE(sent.ok());
  EXPECT_THAT(script().written, ElementsAre("1"));
  detail::write_later(to, text("2")).then([&sent](Status told) { sent = std::move(told); });
  script().end({Code::kAborted, "enough"});
  run();
  EXPECT_EQ(sent.message(), "enough");
}

Task<int> add(Task<int> one, int other) { co_return co_await one + other; }
Task<int> constant(int value) { co_return value; }
Task<> fail() {
  throw std::runtime_error("no light");
  co_return;
}
Task<> note(Future<Message<TextView>> future, std::shared_ptr<std::string> to) {
  const auto reply = co_await future;
  *to = reply ? std::string((*reply)->value()) : reply.error().message();
}

TEST_F(Futures, TasksAwaitTasks) { EXPECT_EQ(add(add(constant(1), 10), 100).get(), 111); }

TEST_F(Futures, TasksHandOnWhatIsThrown) { EXPECT_THROW(fail().get(), std::runtime_error); }

TEST_F(Futures, TasksThatHaveNotBegunAreDropped) {
  {
    const auto task = describe(call());
  }
  EXPECT_TRUE(script().cancelled);
}

TEST_F(Futures, TasksThatHaveBegunRunOnWhenLetGo) {
  const auto seen = std::make_shared<std::string>();
  {
    note(call(), seen).start();
  }
  EXPECT_FALSE(script().cancelled);
  script().reply("image");
  script().end();
  run();
  EXPECT_EQ(*seen, "image");
  EXPECT_EQ(seen.use_count(), 1) << "the coroutine has cleared up behind itself";
}

TEST_F(Futures, TasksAwaitManyTimesInOneStackFrame) {
  const auto loop = []() -> Task<int> {
    int sum = 0;
    for (int i = 0; i < 100'000; ++i) sum += co_await constant(1);
    co_return sum;
  };
  EXPECT_EQ(loop().get(), 100'000);
}

}  // namespace
}  // namespace leat
