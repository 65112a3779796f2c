#include <random>

#include <gtest/gtest.h>

#include "core/wire/call_frames.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "core/wire/handshake.h"
#include "core/wire/session_frames.h"

namespace leat::wire {
namespace {

template <class T>
std::vector<std::byte> encoded(const T& value) {
  std::vector<std::byte> out;
  value.encode(out);
  return out;
}

Terms some_terms() {
  return {kSecondLane, 256U << 10U, 4U << 20U,
          1ULL << 32U, "camera",    {{"imaging.Microscope", {{1, 2, 3}}}, {"scope", {}}}};
}

TEST(Frame, SurvivesARoundTrip) {
  const FrameHeader header{0x01020304, Kind::kMessage, Channel::kBulk, kFirst | kLast, {0x1122334455667788}};
  std::array<std::byte, FrameHeader::kSize> bytes{};
  header.encode(bytes);
  EXPECT_EQ(FrameHeader::decode(bytes), header);
}

TEST(Frame, SaysWhyAHeaderIsInvalid) {
  FrameHeader header{16, Kind::kMessage, Channel::kRpc, kFirst | kLast, {8}};
  EXPECT_FALSE(header.invalid(kMaxFrameBody));
  header.length = kMaxFrameBody + 1;
  EXPECT_EQ(header.invalid(kMaxFrameBody), "a frame of 1048577 bytes where at most 1048576 are allowed");
  header = {0, static_cast<Kind>(0xee), Channel::kControl, 0, {}};
  EXPECT_EQ(header.invalid(kMaxFrameBody), "a frame of unknown kind 238 that may not be skipped");
  header.flags = kSkippable;
  EXPECT_FALSE(header.invalid(kMaxFrameBody));
  header = {0, Kind::kPing, static_cast<Channel>(4), 0, {}};
  EXPECT_EQ(header.invalid(kMaxFrameBody), "channel 4 does not exist");
  header = {0, Kind::kOpen, Channel::kRpc, 0, {}};
  EXPECT_EQ(header.invalid(kMaxFrameBody), "open frame without a stream");
  header = {0, Kind::kPing, Channel::kControl, 0, {8}};
  EXPECT_EQ(header.invalid(kMaxFrameBody), "ping frame with a stream");
  header = {0, Kind::kPing, Channel::kControl, 1, {}};
  EXPECT_EQ(header.invalid(kMaxFrameBody), "ping frame with unknown flags 1");
  header = {0, Kind::kMessage, Channel::kRpc, kEndStream, {8}};
  EXPECT_EQ(header.invalid(kMaxFrameBody), "message frame that ends the stream but not its message");
}

TEST(StreamIds, HoldOpenerAndChannel) {
  const StreamId id = StreamId::make(7, true, Channel::kBulk);
  EXPECT_EQ(id.value, 63U);
  EXPECT_EQ(id.sequence(), 7U);
  EXPECT_TRUE(id.opened_by_acceptor());
  EXPECT_EQ(id.channel(), Channel::kBulk);
}

TEST(Varint, TakesAllSixtyFourBitsAndNoMore) {
  for (const std::uint64_t value : {0ULL, 127ULL, 128ULL, 300ULL, 1ULL << 32U, ~0ULL}) {
    std::vector<std::byte> bytes;
    Writer(bytes).varint(value);
    Reader reader(bytes);
    EXPECT_EQ(reader.varint(), value);
    EXPECT_TRUE(reader.done());
  }
  const std::vector<std::byte> too_long(11, std::byte{0x80});
  Reader reader(too_long);
  reader.varint();
  EXPECT_FALSE(reader.ok());
  std::vector<std::byte> too_large(9, std::byte{0xff});
  too_large.push_back(std::byte{2});
  Reader large(too_large);
  large.varint();
  EXPECT_FALSE(large.ok());
}

TEST(Handshake, SurvivesARoundTrip) {
  const auto hello = Hello::decode(encoded(Hello{1, 3, some_terms()}));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->terms, some_terms());
  EXPECT_EQ(hello->max_version, 3);
  const Token token{9, 8, 7};
  const auto welcome = Welcome::decode(encoded(Welcome{1, token, some_terms()}));
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->token, token);
  EXPECT_EQ(welcome->terms, some_terms());
  const auto start = Start::decode(encoded(Start{token, "tcp"}));
  ASSERT_TRUE(start);
  EXPECT_EQ(start->link, "tcp");
}

TEST(Handshake, ReadsTheVersionsOfAHelloItCannotReadOtherwise) {
  std::vector<std::byte> bytes = encoded(Hello{4, 5, {}});
  bytes.resize(6);
  const auto hello = Hello::decode(bytes);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->min_version, 4);
}

TEST(Calls, SurviveARoundTrip) {
  Open open;
  open.kind = CallKind::kServerStream;
  open.timeout_us = 0;
  open.service = "imaging.Microscope";
  open.method = "Frames";
  open.metadata = {{"traceparent", "00-1"}, {"raw-bin", std::string("\0\1", 2)}};
  EXPECT_EQ(Open::decode(encoded(open)), open);
  open.timeout_us.reset();
  EXPECT_EQ(Open::decode(encoded(open)), open);

  End end;
  end.status = Status(Code::kNotFound, "no such frame");
  end.status.with_detail({"leat.Hint", Buffer::copy("look elsewhere")})
      .with_remote_traceback("KeyError", "at line 1");
  end.trailing = {{"cost", "3"}};
  const auto read = End::decode(encoded(end));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status.to_string(), "not_found: no such frame");
  EXPECT_FALSE(read->status.not_started());
  EXPECT_EQ(read->status.remote_type(), "KeyError");
  EXPECT_EQ(read->status.remote_traceback(), "at line 1");
  ASSERT_EQ(read->status.details().size(), 1U);
  EXPECT_EQ(read->status.details()[0].value.text(), "look elsewhere");
  EXPECT_EQ(read->trailing, end.trailing);

  end.status.mark_not_started();
  EXPECT_TRUE(End::decode(encoded(end))->status.not_started());

  EXPECT_EQ(Reason::decode(encoded(Reason{Code::kAborted, "enough"})), (Reason{Code::kAborted, "enough"}));
}

TEST(SessionFrames, SurviveARoundTrip) {
  const Goaway goaway{{1, 2, 1ULL << 60U, 0}, "the server is restarted"};
  EXPECT_EQ(Goaway::decode(encoded(goaway)), goaway);
  EXPECT_EQ(HealthAsk::decode(encoded(HealthAsk{7, "camera"})), (HealthAsk{7, "camera"}));
  EXPECT_EQ(Health::decode(encoded(Health{7, HealthState::kServing})), (Health{7, HealthState::kServing}));
}

TEST(SessionFrames, ReadAHealthOfTheFutureAsNotServing) {
  const auto read = Health::decode(encoded(Health{1, static_cast<HealthState>(9)}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state, HealthState::kNotServing);
}

TEST(Calls, ReadACodeOfTheFutureAsUnknown) {
  EXPECT_EQ(Reason::decode(encoded(Reason{static_cast<Code>(77), "new"}))->code, Code::kUnknown);
}

TEST(Calls, TellTheFirstDetailsOfAStatusWithTooMany) {
  End end;
  end.status = Status(Code::kAborted, "much to say");
  for (std::size_t i = 0; i <= kMaxStatusDetails; ++i) end.status.with_detail({"leat.Hint", {}});
  EXPECT_EQ(End::decode(encoded(end))->status.details().size(), kMaxStatusDetails);
}

TEST(Calls, CutALongReasonBetweenCharacters) {
  std::string text(kMaxReasonBytes - 1, 'a');
  text += "\xc3\xa9";  // would end one byte beyond the limit
  EXPECT_EQ(Reason::decode(encoded(Reason{Code::kInternal, text}))->message.size(), kMaxReasonBytes - 1);
}

TEST(Prologues, SurviveARoundTripAndRefuseWhatIsReserved) {
  const Prologue prologue{Codec::kMessagePack, 12, {5, 0, 1ULL << 40U}};
  std::vector<std::byte> bytes(prologue.encoded_size());
  prologue.encode(bytes.data());
  const auto read = Prologue::decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->attachment_sizes, prologue.attachment_sizes);
  EXPECT_EQ(read->message_size(), 17 + (1ULL << 40U));
  bytes.back() = std::byte{1};
  EXPECT_FALSE(Prologue::decode(bytes));
  bytes.pop_back();
  EXPECT_FALSE(Prologue::decode(bytes));
}

template <class T>
void expect_no_prefix_to_be_whole(const std::vector<std::byte>& bytes) {
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(T::decode(Bytes(bytes).first(size))) << size;
}

TEST(Bodies, AreRefusedWhenTruncated) {
  expect_no_prefix_to_be_whole<Welcome>(encoded(Welcome{1, {}, some_terms()}));
  expect_no_prefix_to_be_whole<Hello>(encoded(Hello{1, 1, some_terms()}));
  expect_no_prefix_to_be_whole<Open>(encoded(Open{CallKind::kUnary, 5, "a", "b", {{"k", "v"}}}));
  End end;
  end.trailing = {{"k", "v"}};
  expect_no_prefix_to_be_whole<End>(encoded(end));
  expect_no_prefix_to_be_whole<Goaway>(encoded(Goaway{{}, "why"}));
  expect_no_prefix_to_be_whole<HealthAsk>(encoded(HealthAsk{1, "camera"}));
  expect_no_prefix_to_be_whole<Health>(encoded(Health{}));
}

TEST(Bodies, OfRandomBytesAreReadWithoutHarm) {
  std::mt19937 random(1);  // the same bytes every time
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte> bytes(random() % 64);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    Hello::decode(bytes);
    Welcome::decode(bytes);
    Start::decode(bytes);
    Open::decode(bytes);
    Headers::decode(bytes);
    End::decode(bytes);
    Reason::decode(bytes);
    Credit::decode(bytes);
    Prologue::decode(bytes);
    Goaway::decode(bytes);
    HealthAsk::decode(bytes);
    Health::decode(bytes);
  }
}

}  // namespace
}  // namespace leat::wire
