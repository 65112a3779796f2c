// Interceptors around real calls of every kind, on both sides.
#include <future>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/peer.h>
#include <leat/server.h>

namespace leat {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

/// Answers each request with its text; then as its last words say.
class Echo final : public Service {
 public:
  [[nodiscard]] const ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<MethodInfo, 8> kMethods = {
        {{.name = "Unary"},
         {.name = "Server", .kind = CallKind::kServerStream},
         {.name = "Client", .kind = CallKind::kClientStream},
         {.name = "Bidi", .kind = CallKind::kBidi},
         {.name = "Later"},
         {.name = "Raise"},
         {.name = "LetGoAndRaise"},
         {.name = "RaiseAndAnswer"}}};
    static const ServiceInfo kInfo{"echo", kMethods, {}};
    return kInfo;
  }
  Status handle_call(std::size_t method, ServerCall& call) override {
    seen = call.context().metadata();
    timeout = call.context().remaining();
    (void)call.context().call()->send_initial_metadata({{"initial", "here"}});
    call.context().call()->set_trailing_metadata({{"trailing", "here"}});
    if (method == 5) throw std::runtime_error("stuck");
    if (method == 6) {
      (void)call.detach();
      throw std::runtime_error("stuck");
    }
    if (method == 7) {
      kept = call.detach();
      throw std::runtime_error("stuck");
    }
    if (method == 4) {
      std::thread([later = call.detach(), reply = std::move(**call.read())]() mutable {
        (void)later->write_last(std::move(reply));
        later->finish({});
      }).detach();
      return {Code::kInternal, "ignored"};
    }
    std::string all;
    while (true) {
      Result<std::optional<Payload>> request = call.read();
      if (!request) return request.error();
      if (!*request) break;
      all += (*request)->head.text();
      if (method == 2) continue;
      if (Status sent = call.write(std::move(**request)); !sent.ok()) return sent;
      if (method < 2) break;
    }
    return method == 2 ? call.write(text(all)) : Status();
  }

  Metadata seen;
  std::optional<Duration> timeout;
  std::shared_ptr<ServerCall> kept;
};

struct Script {
  std::function<Decision(CallDetails&)> start;
  std::function<Status(Payload&)> send;
  std::function<Status(Payload&)> receive;
  std::function<Status(Metadata&)> headers;
  std::function<void(Status&, Metadata&)> end;
};

/// Does as the test says, and writes down what it saw.
class Scripted final : public Interceptor {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "scripted"; }
  [[nodiscard]] std::unique_ptr<CallHooks> begin(CallDetails& call) override {
    return std::make_unique<Hooks>(*this, call);
  }
  /// Blocks until the calls so far have ended.
  std::vector<std::string> log() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return open_ == 0; });
    return std::exchange(log_, {});
  }

  Script script;

 private:
  struct Hooks final : CallHooks {
    Hooks(Scripted& owner, CallDetails& call) : scripted(owner), details(call) {}
    [[nodiscard]] Decision on_start() override {
      {
        const std::lock_guard lock(scripted.mutex_);
        ++scripted.open_;
      }
      note("start " + std::string(side_name(details.side)) + " " + std::string(details.service) + "." +
           std::string(details.method));
      return scripted.script.start ? scripted.script.start(details) : Decision();
    }
    Status on_send(Payload& message) override {
      note("send " + std::string(message.head.text()));
      return scripted.script.send ? scripted.script.send(message) : Status();
    }
    Status on_receive(Payload& message) override {
      note("receive " + std::string(message.head.text()));
      return scripted.script.receive ? scripted.script.receive(message) : Status();
    }
    Status on_headers(Metadata& headers) override {
      note("headers " + std::to_string(headers.entries().size()));
      return scripted.script.headers ? scripted.script.headers(headers) : Status();
    }
    void on_end(Status& status, Metadata& trailing) override {
      note("end " + std::string(code_name(status.code())) + " " + std::to_string(trailing.entries().size()));
      if (scripted.script.end) scripted.script.end(status, trailing);
      const std::lock_guard lock(scripted.mutex_);
      --scripted.open_;
      scripted.ended_.notify_all();
    }
    void note(std::string line) const {
      const std::lock_guard lock(scripted.mutex_);
      scripted.log_.push_back(std::move(line));
    }
    Scripted& scripted;
    CallDetails& details;
  };
  std::mutex mutex_;
  std::condition_variable ended_;
  int open_ = 0;
  std::vector<std::string> log_;
};

class Intercepted : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.interceptors = {server_side_};
    options.logger = [this](LogLevel, std::string_view line) {
      if (logged_) logged_(line);
    };
    server_.emplace(options);
    ASSERT_TRUE(server_->add(echo_).ok());
    const Result<std::string> url = server_->listen(GetParam());
    ASSERT_TRUE(url) << url.error().to_string();
    ConnectOptions connecting;
    connecting.interceptors = {client_side_};
    Result<Peer> peer = connect(*url, connecting);
    ASSERT_TRUE(peer) << peer.error().to_string();
    peer_.emplace(std::move(*peer));
  }
  Result<Payload> call(std::string_view method, const CallOptions& options = {}) {
    return peer_->caller()->call({"echo", method}, text("hi"), options);
  }
  std::unique_ptr<ClientCall> start(std::string_view method, CallKind kind,
                                    std::optional<Payload> request = std::nullopt) {
    auto started = peer_->caller()->start({"echo", method, kind}, std::move(request), {});
    EXPECT_TRUE(started) << started.error().to_string();
    return started ? std::move(*started) : nullptr;
  }

  std::shared_ptr<Echo> echo_ = std::make_shared<Echo>();
  std::shared_ptr<Scripted> client_side_ = std::make_shared<Scripted>();
  std::shared_ptr<Scripted> server_side_ = std::make_shared<Scripted>();
  std::function<void(std::string_view)> logged_;
  std::optional<Server> server_;
  std::optional<Peer> peer_;
};

TEST_P(Intercepted, SeesAUnaryCallFromBothSides) {
  ReceivedMetadata received;
  CallOptions options;
  options.received = &received;
  const Result<Payload> reply = call("Unary", options);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(received.initial, (Metadata{{"initial", "here"}}));
  EXPECT_EQ(received.trailing, (Metadata{{"trailing", "here"}}));
  EXPECT_THAT(client_side_->log(),
              ElementsAre("start client echo.Unary", "send hi", "headers 1", "receive hi", "end ok 1"));
  EXPECT_THAT(server_side_->log(),
              ElementsAre("start server echo.Unary", "headers 1", "receive hi", "send hi", "end ok 1"));
}

TEST_P(Intercepted, SeesACallThatNobodyWaitsFor) {
  const auto call = start("Unary", CallKind::kUnary, text("hi"));
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  call->when(Moment::kEnded, [&] {
    const std::lock_guard lock(mutex);
    ended = true;
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ended; });
  EXPECT_TRUE(call->ended());
  EXPECT_EQ(call->try_read().message->head.text(), "hi");
  EXPECT_TRUE(call->finish().ok());
  EXPECT_THAT(client_side_->log(),
              ElementsAre("start client echo.Unary", "send hi", "headers 1", "receive hi", "end ok 1"));
}

TEST_P(Intercepted, SeesEveryMessageOfStreams) {
  const auto call = start("Bidi", CallKind::kBidi);
  for (const char* word : {"one", "two"}) {
    ASSERT_TRUE(call->write(text(word)).ok());
    EXPECT_EQ(call->read()->head.text(), word);
  }
  ASSERT_TRUE(call->half_close().ok());
  EXPECT_FALSE(call->read());
  EXPECT_THAT(client_side_->log(), ElementsAre("start client echo.Bidi", "send one", "headers 1",
                                               "receive one", "send two", "receive two", "end ok 1"));
  EXPECT_TRUE(call->finish().ok());
  EXPECT_EQ(call->initial_metadata(), (Metadata{{"initial", "here"}}));
  EXPECT_EQ(call->trailing_metadata(), (Metadata{{"trailing", "here"}}));
  EXPECT_THAT(server_side_->log(), ElementsAre("start server echo.Bidi", "headers 1", "receive one",
                                               "send one", "receive two", "send two", "end ok 1"));
}

TEST_P(Intercepted, ReplacesMessagesMetadataAndTimeout) {
  client_side_->script.start = [](CallDetails& details) {
    details.metadata.add("who", "me");
    details.timeout = std::chrono::hours(1);
    return Decision();
  };
  client_side_->script.send = [](Payload& message) {
    message = text(std::string(message.head.text()) + "!");
    return Status();
  };
  client_side_->script.headers = [](Metadata& headers) {
    headers.add("more", "1");
    return Status();
  };
  server_side_->script.start = [](CallDetails& details) {
    EXPECT_TRUE(details.timeout);
    EXPECT_EQ(details.context->metadata().get("who"), "me");
    details.metadata.set("who", "you");
    return Decision();
  };
  server_side_->script.send = [](Payload& message) {
    message = text(std::string(message.head.text()) + "?");
    return Status();
  };
  const auto call = start("Client", CallKind::kClientStream);
  ASSERT_TRUE(call->write(text("a")).ok());
  Payload second = text("b");
  ASSERT_TRUE(call->try_write(second));
  ASSERT_TRUE(call->half_close().ok());
  EXPECT_EQ(call->read()->head.text(), "a!b!?");
  EXPECT_EQ(call->initial_metadata().get("more"), "1");
  EXPECT_TRUE(call->finish().ok());
  EXPECT_EQ(echo_->seen.get("who"), "you");
  ASSERT_TRUE(echo_->timeout);
  EXPECT_GT(*echo_->timeout, std::chrono::minutes(50));
}

TEST_P(Intercepted, RefusesBeforeAnythingIsSent) {
  client_side_->script.start = [](CallDetails&) {
    return Decision::refuse({Code::kFailedPrecondition, "not now"});
  };
  const Result<Payload> reply = call("Unary");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message(), "not now");
  EXPECT_TRUE(reply.error().not_started());
  const auto stream = peer_->caller()->start({"echo", "Bidi", CallKind::kBidi}, std::nullopt, {});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(client_side_->log(), ElementsAre("start client echo.Unary", "end failed_precondition 0",
                                               "start client echo.Bidi", "end failed_precondition 0"));
  EXPECT_EQ(server_->stats().calls, 0U);
}

TEST_P(Intercepted, RefusesBeforeTheHandlerRuns) {
  server_side_->script.start = [](CallDetails& details) {
    return details.metadata.get("key") ? Decision() : Decision::refuse({Code::kUnauthenticated, "no key"});
  };
  const Result<Payload> reply = call("Unary");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnauthenticated);
  CallOptions options;
  options.metadata.add("key", "x");
  EXPECT_TRUE(call("Unary", options));
  EXPECT_THAT(server_side_->log(),
              ElementsAre("start server echo.Unary", "end unauthenticated 0", "start server echo.Unary",
                          "headers 1", "receive hi", "send hi", "end ok 1"));
}

TEST_P(Intercepted, AnswersInTheCalleesStead) {
  const auto cached = [](CallDetails& details) {
    std::vector<Payload> replies = {text("cached")};
    if (details.kind == CallKind::kServerStream) replies.push_back(text("too"));
    return Decision::answer(std::move(replies));
  };
  for (const auto& side : {server_side_, client_side_}) {
    side->script.start = cached;
    EXPECT_EQ(call("Unary")->head.text(), "cached");
    const auto stream = start("Server", CallKind::kServerStream, text("x"));
    EXPECT_EQ(stream->read()->head.text(), "cached");
    EXPECT_EQ(stream->read()->head.text(), "too");
    EXPECT_FALSE(stream->read());
    EXPECT_TRUE(stream->finish().ok());
  }
  EXPECT_TRUE(echo_->seen.empty());
  client_side_->script.start = [](CallDetails&) { return Decision::answer({}); };
  EXPECT_EQ(call("Unary").error().code(), Code::kInternal);
}

TEST_P(Intercepted, EndsACallWithTheFailureOfAHook) {
  const auto no_two = [](Payload& message) {
    return message.head.text() == "two" ? Status(Code::kDataLoss, "two is not allowed") : Status();
  };
  const auto run = [&] {
    const auto call = start("Bidi", CallKind::kBidi);
    (void)call->write(text("one"));
    EXPECT_TRUE(call->read());
    (void)call->write(text("two"));
    EXPECT_FALSE(call->read());
    EXPECT_EQ(call->finish().message(), "two is not allowed");
  };
  for (const auto& side : {client_side_, server_side_}) {
    static_cast<void>(server_side_->log());  // until no call reads a script
    side->script.send = no_two;
    run();
    side->script = {};
    side->script.receive = no_two;
    run();
    side->script = {};
    EXPECT_THAT(side->log().back(), HasSubstr("end data_loss"));
  }
}

TEST_P(Intercepted, ReplacesTheStatus) {
  server_side_->script.end = [](Status& status, Metadata& trailing) {
    status = Status(Code::kAborted, "after all");
    trailing.add("why", "because");
  };
  ReceivedMetadata received;
  CallOptions options;
  options.received = &received;
  EXPECT_EQ(call("Unary", options).error().message(), "after all");
  EXPECT_EQ(received.trailing, (Metadata{{"trailing", "here"}, {"why", "because"}}));
  client_side_->script.end = [](Status& status, Metadata&) { status.with_context("client"); };
  EXPECT_EQ(call("Unary").error().message(), "client: after all");
}

TEST_P(Intercepted, SeesTheExceptionOfAHandlerAsItsStatus) {
  EXPECT_EQ(call("Raise").error().code(), Code::kUnknown);
  EXPECT_THAT(server_side_->log(), ElementsAre("start server echo.Raise", "headers 1", "end unknown 1"));
  server_side_->script.end = [](Status&, Metadata&) { throw std::runtime_error("and I"); };
  EXPECT_EQ(call("Raise").error().message(), "scripted raised in on_end: and I");
}

TEST_P(Intercepted, SeesTheEndOfADetachedCallWhenItIsFinished) {
  for (int i = 0; i < 50; ++i) {
    const Result<Payload> reply = call("Later");
    ASSERT_TRUE(reply) << reply.error().to_string();
    ASSERT_THAT(server_side_->log(),
                ElementsAre("start server echo.Later", "headers 1", "receive hi", "send hi", "end ok 1"));
  }
}

TEST_P(Intercepted, EndsADetachedCallWhoseHandlerRaisedAsWithoutInterceptors) {
  const Result<Payload> reply = call("LetGoAndRaise");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().to_string(), "unknown: echo.LetGoAndRaise raised: stuck");
  EXPECT_THAT(server_side_->log(),
              ElementsAre("start server echo.LetGoAndRaise", "headers 1", "end unknown 1"));
}

TEST_P(Intercepted, LeavesADetachedCallWhoseHandlerRaisedToWhomItWasGiven) {
  std::promise<void> raised;
  logged_ = [&](std::string_view) { raised.set_value(); };
  const auto call = start("RaiseAndAnswer", CallKind::kUnary, text("hi"));
  raised.get_future().wait();
  std::exchange(echo_->kept, nullptr)->finish({Code::kAborted, "so be it"});
  EXPECT_EQ(call->finish().to_string(), "aborted: so be it");
}

TEST_P(Intercepted, TakesTurnsWhenOneThreadWritesAndAnotherReads) {
  constexpr int kItems = 500;
  int turns = 0;  // with no lock but the hooks' own order
  const auto count = [&turns](Payload&) {
    ++turns;
    return Status();
  };
  client_side_->script.send = count;
  client_side_->script.receive = count;
  const auto call = start("Bidi", CallKind::kBidi);
  std::thread writer([&call] {
    for (int i = 0; i < kItems; ++i) {
      if (i % 2 == 0) {
        EXPECT_TRUE(call->write(text("item")).ok());
        continue;
      }
      Payload request = text("item");
      Result<bool> written = call->try_write(request);
      while (written && !*written) written = call->try_write(request);
      EXPECT_TRUE(written);
    }
    EXPECT_TRUE(call->half_close().ok());
  });
  int read = 0;
  while (const std::optional<Payload> reply = call->read()) {
    EXPECT_EQ(reply->head.text(), "item");
    ++read;
  }
  writer.join();
  EXPECT_TRUE(call->finish().ok());
  EXPECT_EQ(read, kItems);
  EXPECT_EQ(turns, 2 * kItems);
}

TEST_P(Intercepted, TellsAWriterOfTheEndThatAReaderHasSeen) {
  client_side_->script.receive = [](Payload&) { return Status(Code::kDataLoss, "torn"); };
  const auto call = start("Bidi", CallKind::kBidi);
  std::thread writer([&call] {
    Status sent;
    while (sent.ok()) sent = call->write(text("item"));
    EXPECT_THAT(sent.code(), ::testing::AnyOf(Code::kDataLoss, Code::kCancelled));
  });
  EXPECT_FALSE(call->read());
  EXPECT_EQ(call->finish().code(), Code::kDataLoss);
  writer.join();
}

TEST_P(Intercepted, SeesACallThatItsUserLetsGoOf) {
  start("Bidi", CallKind::kBidi).reset();
  EXPECT_THAT(client_side_->log(), ElementsAre("start client echo.Bidi", "headers 0", "end cancelled 0"));
}

TEST_P(Intercepted, SeesWhyNobodyWaitsForAHandlerAnyMore) {
  {
    const auto call = start("Bidi", CallKind::kBidi);
    ASSERT_TRUE(call->write(text("one")).ok());
    ASSERT_TRUE(call->read());
  }
  EXPECT_THAT(server_side_->log().back(), "end cancelled 1");
}

TEST_P(Intercepted, SeesCallsThatAHandlerMakesToItsCaller) {
  ASSERT_TRUE(peer_->add(std::make_shared<Echo>()).ok());
  std::shared_ptr<Caller> back;
  server_side_->script.start = [&](CallDetails& details) {
    if (details.side == Side::kServer) back = details.context->peer();
    return Decision();
  };
  ASSERT_TRUE(call("Unary"));
  static_cast<void>(server_side_->log());
  static_cast<void>(client_side_->log());
  ASSERT_TRUE(back->call({"echo", "Unary"}, text("back"), {}));
  EXPECT_EQ(server_side_->log().front(), "start client echo.Unary");
  EXPECT_EQ(client_side_->log().front(), "start server echo.Unary");
}

INSTANTIATE_TEST_SUITE_P(Transports, Intercepted,
                         ::testing::Values("inproc://intercepted", "tcp://127.0.0.1:0"),
                         [](const auto& test) {
                           const std::string name(test.param);
                           return name.substr(0, name.find(':'));
                         });

}  // namespace
}  // namespace leat
