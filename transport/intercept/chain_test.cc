#include "transport/intercept/chain.h"

#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/intercept/retried_write.h"

namespace leat::transport {
namespace {

using ::testing::ElementsAre;
using Log = std::vector<std::string>;

Payload text(std::string_view value) { return {Codec::kRaw, Buffer::copy(value), {}}; }

/// Writes down what it is told, and does what the test wants.
class Noting final : public Interceptor {
 public:
  Noting(std::string name, Log& log) : name_(std::move(name)), log_(log) {}
  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::unique_ptr<CallHooks> begin(CallDetails& /*call*/) override {
    if (raise_in == "begin") throw std::runtime_error("no");
    return interested ? std::make_unique<Hooks>(*this) : nullptr;
  }

  std::string raise_in;
  std::string fail_in;
  Decision decision;
  bool interested = true;

 private:
  struct Hooks final : CallHooks {
    explicit Hooks(Noting& owner) : noting(owner) {}
    [[nodiscard]] Decision on_start() override {
      static_cast<void>(note("start"));
      return noting.decision;
    }
    Status on_send(Payload& message) override {
      message = text(std::string(message.head.text()) + noting.name_);
      return note("send");
    }
    Status on_receive(Payload& message) override {
      message = text(std::string(message.head.text()) + noting.name_);
      return note("receive");
    }
    Status on_headers(Metadata& headers) override {
      headers.add("seen", noting.name_);
      return note("headers");
    }
    void on_end(Status& status, Metadata& trailing) override {
      trailing.add("end", noting.name_);
      status.with_context(noting.name_);
      static_cast<void>(note("end"));
    }
    Status note(const std::string& what) {
      noting.log_.push_back(noting.name_ + " " + what);
      if (noting.raise_in == what) throw std::runtime_error("no");
      return noting.fail_in == what ? Status(Code::kAborted, "not this") : Status();
    }
    Noting& noting;
  };
  std::string name_;
  Log& log_;
};

class Chain : public ::testing::Test {
 protected:
  CallDetails details(Side side) {
    return {side, "lab", "Echo", CallKind::kUnary, "inproc://x", metadata_, std::nullopt, nullptr};
  }

  Log log_;
  std::shared_ptr<Noting> a_ = std::make_shared<Noting>("a", log_);
  std::shared_ptr<Noting> b_ = std::make_shared<Noting>("b", log_);
  std::shared_ptr<Noting> c_ = std::make_shared<Noting>("c", log_);
  const Interceptors list_{a_, b_, c_};
  Metadata metadata_;
};

TEST_F(Chain, PassesAClientsCallInwardsAndItsReplyOutwards) {
  HookChain chain(list_, Side::kClient);
  CallDetails call = details(Side::kClient);
  EXPECT_TRUE(chain.start(call).proceeds());
  Payload message = text("-");
  EXPECT_TRUE(chain.send(message).ok());
  EXPECT_EQ(message.head.text(), "-abc");
  EXPECT_TRUE(chain.receive(message).ok());
  EXPECT_EQ(message.head.text(), "-abccba");
  Metadata trailing;
  EXPECT_TRUE(chain.end({}, trailing).ok());
  EXPECT_EQ(trailing, (Metadata{{"end", "c"}, {"end", "b"}, {"end", "a"}}));
  EXPECT_THAT(log_, ElementsAre("a start", "b start", "c start", "a send", "b send", "c send", "c receive",
                                "b receive", "a receive", "c end", "b end", "a end"));
}

TEST_F(Chain, PassesAServersRequestInwardsAndItsReplyOutwards) {
  HookChain chain(list_, Side::kServer);
  CallDetails call = details(Side::kServer);
  EXPECT_TRUE(chain.start(call).proceeds());
  Payload message = text("-");
  EXPECT_TRUE(chain.receive(message).ok());
  EXPECT_EQ(message.head.text(), "-abc");
  EXPECT_TRUE(chain.send(message).ok());
  EXPECT_EQ(message.head.text(), "-abccba");
  Metadata headers;
  EXPECT_TRUE(chain.headers(headers).ok());
  EXPECT_EQ(headers, (Metadata{{"seen", "c"}, {"seen", "b"}, {"seen", "a"}}));
}

TEST_F(Chain, LeavesOutThoseThatAreNotInterested) {
  b_->interested = false;
  HookChain chain(list_, Side::kClient);
  CallDetails call = details(Side::kClient);
  EXPECT_TRUE(chain.start(call).proceeds());
  EXPECT_THAT(log_, ElementsAre("a start", "c start"));
}

TEST_F(Chain, ToldOfTheEndAreThoseThatBeganAndNoOthers) {
  b_->decision = Decision::refuse({Code::kPermissionDenied, "not you"});
  HookChain chain(list_, Side::kServer);
  CallDetails call = details(Side::kServer);
  const Decision decision = chain.start(call);
  EXPECT_FALSE(decision.proceeds());
  Metadata trailing;
  const Status status = chain.end(decision.status(), trailing);
  EXPECT_EQ(status.code(), Code::kPermissionDenied);
  EXPECT_EQ(status.message(), "a: b: not you");
  EXPECT_THAT(log_, ElementsAre("a start", "b start", "b end", "a end"));
  EXPECT_TRUE(chain.end({}, trailing).ok());  // nobody is told twice
  EXPECT_EQ(log_.size(), 4U);
}

TEST_F(Chain, ShowsAnAnswerInTheCalleesSteadToThoseOutsideOfIt) {
  b_->decision = Decision::answer({text("known")});
  HookChain chain(list_, Side::kClient);
  CallDetails call = details(Side::kClient);
  Decision decision = chain.start(call);
  EXPECT_FALSE(decision.proceeds());
  EXPECT_TRUE(decision.status().ok());
  EXPECT_TRUE(chain.receive(decision.replies().front()).ok());
  EXPECT_EQ(decision.replies().front().head.text(), "knowna");
}

TEST_F(Chain, StopsAtTheFirstThatFails) {
  b_->fail_in = "send";
  HookChain chain(list_, Side::kClient);
  CallDetails call = details(Side::kClient);
  EXPECT_TRUE(chain.start(call).proceeds());
  Payload message = text("-");
  EXPECT_EQ(chain.send(message).message(), "not this");
  EXPECT_THAT(log_, ElementsAre("a start", "b start", "c start", "a send", "b send"));
}

TEST_F(Chain, TurnsAnExceptionIntoInternalNamingTheInterceptorAndTheHook) {
  for (const std::string hook : {"begin", "start", "send", "receive", "headers", "end"}) {
    b_->raise_in = hook;
    HookChain chain(list_, Side::kClient);
    CallDetails call = details(Side::kClient);
    Decision decision = chain.start(call);
    Status status = decision.status();
    Payload message = text("-");
    Metadata metadata;
    if (hook == "send") status = chain.send(message);
    if (hook == "receive") status = chain.receive(message);
    if (hook == "headers") status = chain.headers(metadata);
    status = chain.end(status, metadata);
    EXPECT_EQ(status.code(), Code::kInternal) << hook;
    EXPECT_THAT(status.message(), ::testing::HasSubstr("b raised in ")) << hook;
    EXPECT_THAT(status.message(), ::testing::HasSubstr(hook)) << hook;
  }
}

TEST(RetriedWrite, ShowsAMessageThatFoundNoRoomToTheHooksOnce) {
  RetriedWrite retried;
  int seen = 0;
  const auto hook = [&](Payload& message) {
    ++seen;
    message = text("changed");
    return Status();
  };
  Payload message = text("as given");
  const std::byte* const given = message.head.data();
  for (int i = 0; i < 3; ++i) {
    const Result<bool> written = retried.attempt(message, hook, [](Payload&) { return Result<bool>(false); });
    ASSERT_TRUE(written);
    EXPECT_FALSE(*written);
    EXPECT_EQ(message.head.data(), given);
  }
  Payload sent;
  EXPECT_TRUE(*retried.attempt(message, hook, [&](Payload& last) {
    sent = std::move(last);
    return Result<bool>(true);
  }));
  EXPECT_EQ(sent.head.text(), "changed");
  EXPECT_EQ(seen, 1);
}

TEST(RetriedWrite, ShowsAnotherMessageToTheHooks) {
  RetriedWrite retried;
  int seen = 0;
  const auto hook = [&](Payload& /*message*/) {
    ++seen;
    return Status();
  };
  Payload first = text("first");
  EXPECT_TRUE(retried.attempt(first, hook, [](Payload&) { return Result<bool>(false); }));
  Payload second = text("second");
  EXPECT_TRUE(retried.pass(second, hook).ok());
  EXPECT_EQ(second.head.text(), "second");
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace leat::transport
