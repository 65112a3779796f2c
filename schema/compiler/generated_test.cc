// What leatc writes for C++, compiled and used.
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/schema/compile.h>
#include <leat/task.h>

#include "imaging.leat.h"
#include "schema/compiler/local_caller.h"
#include "tree.leat.h"

namespace leat::schema {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

imaging::Frame make_frame(std::uint64_t index, std::int64_t side = 4) {
  Tensor pixels = Tensor::allocate(DType::kUInt16, {side, side});
  std::ranges::fill(pixels.mutable_data(), std::byte{7});
  return {.pixels = pixels,
          .index = index,
          .captured = 1.5,
          .position = imaging::Position{.x = 1.0F, .locked = false},
          .defects = imaging::Defect::kDark | imaging::Defect::kClipped,
          .label = "a\xc3\xa4",
          .histogram = {1, 2, 3},
          .trail = {{.x = 2.0F}, {.y = -0.0F}},
          .tags = {"one", "", "three"},
          .masks = {Tensor::allocate(DType::kBool, {}), Tensor::allocate(DType::kFloat64, {0, 3})},
          .modes = {imaging::Mode::kHighSpeed, imaging::Mode::kAuto},
          .valid = {true, false, true},
          .class_ = 3};
}

TEST(Generated, ViewReadsEverythingThatTheStructHeld) {
  auto message = imaging::FrameView::decode(encode(make_frame(9)));
  ASSERT_TRUE(message) << message.error().to_string();
  const imaging::FrameView frame = message->view();
  ASSERT_TRUE(frame.has_pixels());
  const Tensor pixels = frame.pixels();
  EXPECT_THAT(pixels.shape(), ElementsAre(4, 4));
  EXPECT_EQ(pixels.values<std::uint16_t>().value()[15], 0x0707);
  EXPECT_EQ(frame.index(), 9U);
  EXPECT_EQ(frame.captured(), 1.5);
  ASSERT_TRUE(frame.has_position());
  EXPECT_EQ(frame.position().x(), 1.0F);
  EXPECT_TRUE(std::isnan(frame.position().y()));
  EXPECT_FALSE(frame.position().locked());
  EXPECT_EQ(frame.defects() & imaging::Defect::kDark, imaging::Defect::kDark);
  EXPECT_EQ(frame.label(), "a\xc3\xa4");
  EXPECT_THAT(frame.histogram().to_vector(), ElementsAre(1U, 2U, 3U));
  EXPECT_EQ(frame.trail().size(), 2U);
  EXPECT_TRUE(std::signbit(frame.trail()[1].y()));
  EXPECT_THAT(frame.tags().to_vector(), ElementsAre("one", "", "three"));
  EXPECT_EQ(frame.masks()[0].rank(), 0U);
  EXPECT_THAT(frame.masks()[1].shape(), ElementsAre(0, 3));
  EXPECT_THAT(frame.modes().to_vector(), ElementsAre(imaging::Mode::kHighSpeed, imaging::Mode::kAuto));
  EXPECT_THAT(frame.valid().to_vector(), ElementsAre(true, false, true));
  EXPECT_EQ(frame.class_(), 3);
}

TEST(Generated, EmptyStructReadsAsDefaults) {
  auto message = imaging::FrameView::decode(encode(imaging::Frame{}));
  ASSERT_TRUE(message) << message.error().to_string();
  EXPECT_FALSE((*message)->has_pixels());
  EXPECT_EQ((*message)->pixels().size(), 0U);
  EXPECT_FALSE((*message)->has_position());
  EXPECT_TRUE((*message)->position().locked());
  EXPECT_TRUE((*message)->tags().empty());
  EXPECT_EQ((*message)->tags().begin(), (*message)->tags().end());
  EXPECT_EQ((*message)->class_(), -1);
}

TEST(Generated, LargeTensorTravelsAsAttachmentAndIsNotCopied) {
  const imaging::Frame frame = make_frame(1, 100);
  const Payload payload = encode(frame);
  ASSERT_EQ(payload.attachments.size(), 1U);
  EXPECT_EQ(payload.attachments[0].data(), frame.pixels->data().data());
  auto message = imaging::FrameView::decode(payload);
  ASSERT_TRUE(message);
  auto moved = std::move(*message);
  EXPECT_EQ(moved->pixels().data().data(), frame.pixels->data().data());
}

TEST(Generated, DamagedMessageIsRefusedByFieldPath) {
  Payload payload = encode(make_frame(1, 100));
  payload.attachments.clear();
  auto message = imaging::FrameView::decode(payload);
  ASSERT_FALSE(message);
  EXPECT_THAT(message.error().message(), HasSubstr("imaging.Frame.pixels: attachment: number 1, but"));
}

TEST(Generated, RecursiveTablesHoldThemselves) {
  lab::tree::Node node{
      .name = "root", .parent = lab::tree::Node{.name = "parent"}, .children = {{.name = "a"}, {}}};
  node.other =
      lab::tree::Leaf{.owner = lab::tree::Node{.name = "owner"}, .owners = {}, .quantity = {.value = 3}};
  const lab::tree::Node copied = node;
  node = {};
  auto message = lab::tree::NodeView::decode(encode(copied));
  ASSERT_TRUE(message) << message.error().to_string();
  EXPECT_EQ((*message)->parent().name(), "parent");
  EXPECT_FALSE((*message)->parent().has_parent());
  EXPECT_EQ((*message)->children()[0].name(), "a");
  EXPECT_EQ((*message)->other().owner().name(), "owner");
  EXPECT_EQ((*message)->other().quantity().value(), 3.0);
}

TEST(Generated, ScalarsKeepTheirExtremes) {
  auto message = lab::tree::ScalarsView::decode(encode(lab::tree::Scalars{}));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload().head.size(), 12U) << "all defaults: nothing is sent";
  EXPECT_EQ((*message)->i8(), -128);
  EXPECT_EQ((*message)->u16(), 65535);
  EXPECT_EQ((*message)->i64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ((*message)->u64(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ((*message)->f32(), 1e-7F);
  EXPECT_EQ((*message)->f64(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ((*message)->huge(), lab::tree::Huge::kTop);
  const lab::tree::Scalars zeros{.truth = false,
                                 .i8 = 0,
                                 .u8 = 0,
                                 .i16 = 0,
                                 .u16 = 0,
                                 .i32 = 0,
                                 .u32 = 0,
                                 .i64 = 0,
                                 .u64 = 0,
                                 .f32 = 0,
                                 .f64 = 0,
                                 .huge = lab::tree::Huge::kZero};
  auto other = lab::tree::ScalarsView::decode(encode(zeros));
  ASSERT_TRUE(other);
  EXPECT_FALSE((*other)->truth());
  EXPECT_EQ((*other)->u64(), 0U);
  EXPECT_EQ((*other)->f64(), 0.0);
}

TEST(Generated, FingerprintInTheCodeIsTheSchemas) {
  const auto schema = compile(std::string(LEAT_SOURCE_DIR) + "/schema/testdata/schemas/imaging.fbs");
  ASSERT_TRUE(schema) << schema.error().message();
  EXPECT_EQ(imaging::Microscope::service_info().fingerprint,
            fingerprint(**schema, *(*schema)->find_service("imaging.Microscope")));
}

TEST(Generated, EnumNamesAreTheSchemas) {
  EXPECT_EQ(enum_name(imaging::Mode::kHighSpeed), "HighSpeed");
  EXPECT_EQ(enum_name(static_cast<imaging::Mode>(77)), "");
}

class Scope final : public imaging::MicroscopeService {
 public:
  Result<imaging::Frame> snap(Context& /*context*/, imaging::SnapRequestView request) override {
    if (request.exposure() <= 0) return failure(Code::kInvalidArgument, "exposure must be positive");
    return imaging::Frame{.captured = request.exposure(), .label = std::string(enum_name(request.mode()))};
  }
  Result<imaging::Position> where(Context& /*context*/, imaging::PositionView request) override {
    return imaging::Position{.x = request.x()};
  }
  Status frames(Context& /*context*/, imaging::FramesRequestView request,
                Writer<imaging::Frame>& out) override {
    for (std::uint32_t i = 0; i < request.count(); ++i) {
      if (Status status = out.write(make_frame(i)); !status.ok()) return status;
    }
    return {Code::kAborted, "the shutter jammed"};
  }
  Result<imaging::UploadReply> upload(Context& /*context*/,
                                      RequestReader<imaging::FrameView>& requests) override {
    imaging::UploadReply reply;
    for (const auto& frame : requests) reply.frames += frame->index();
    if (!requests.status().ok()) return failure(requests.status());
    return reply;
  }
  Status track(Context& /*context*/, RequestReader<imaging::PositionView>& requests,
               Writer<imaging::Position>& out) override {
    for (const auto& position : requests) {
      if (Status status = out.write({.x = position->x() + 1}); !status.ok()) return status;
    }
    return requests.status();
  }
};

class GeneratedService : public testing::Test {
 protected:
  std::shared_ptr<LocalCaller> caller_ = std::make_shared<LocalCaller>(std::make_shared<Scope>());
  imaging::Microscope scope_{caller_};
};

TEST_F(GeneratedService, AnswersUnaryCalls) {
  auto frame = scope_.snap({.exposure = 0.1});
  ASSERT_TRUE(frame) << frame.error().to_string();
  EXPECT_EQ((*frame)->captured(), 0.1);
  EXPECT_EQ((*frame)->label(), "Manual");
  auto refused = scope_.snap({.exposure = -1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "exposure must be positive");
}

TEST_F(GeneratedService, StreamsReplies) {
  auto frames = scope_.frames({.count = 3});
  std::uint64_t next = 0;
  for (const auto& frame : frames) EXPECT_EQ(frame->index(), next++);
  EXPECT_EQ(next, 3U);
  EXPECT_EQ(frames.finish().to_string(), "aborted: the shutter jammed");
}

TEST_F(GeneratedService, TakesStreamsOfRequests) {
  auto upload = scope_.upload();
  for (std::uint64_t i = 1; i <= 4; ++i) ASSERT_TRUE(upload.write(make_frame(i)).ok());
  auto reply = upload.finish();
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ((*reply)->frames(), 10U);
}

TEST_F(GeneratedService, ExchangesStreams) {
  auto track = scope_.track();
  ASSERT_TRUE(track.write({.x = 1}).ok());
  ASSERT_TRUE(track.write({.x = 5}).ok());
  ASSERT_TRUE(track.close().ok());
  std::vector<float> seen;
  for (const auto& position : track.replies()) seen.push_back(position->x());
  EXPECT_THAT(seen, ElementsAre(2.0F, 6.0F));
  EXPECT_TRUE(track.finish().ok());
}

TEST_F(GeneratedService, GivesFuturesOfUnaryCalls) {
  EXPECT_EQ((*scope_.snap_async({.exposure = 0.1}).get())->captured(), 0.1);
  EXPECT_EQ(scope_.snap_async({.exposure = -1}).get().error().message(), "exposure must be positive");
  double captured = 0;
  scope_.snap_async({.exposure = 0.2}).then([&captured](Result<Message<imaging::FrameView>> frame) {
    captured = (*frame)->captured();
  });
  EXPECT_EQ(captured, 0.2);
}

// The request stands outside of the co_await: GCC 12 destroys the members of a braced temporary inside one
// twice.
Task<Result<double>> snap_in_a_coroutine(imaging::Microscope scope) {
  const std::string filter(100, 'f');
  auto later = scope.snap_async({.exposure = 0.1, .filters = {filter, "red"}});
  auto frame = co_await later;
  if (!frame) co_return failure(frame.error());
  co_return (*frame)->captured();
}

Task<Result<std::uint64_t>> copy_in_a_coroutine(imaging::Microscope scope, std::uint32_t count) {
  auto frames = scope.frames({.count = count});
  auto upload = scope.upload();
  while (auto frame = co_await frames.next_async()) {
    if (Status sent = co_await upload.write_async(make_frame((*frame)->index())); !sent.ok())
      co_return failure(sent);
  }
  if (const Status status = co_await frames.finish_async(); status.code() != Code::kAborted)
    co_return failure(Code::kInternal, "the end was lost");
  const auto reply = co_await upload.finish_async();
  if (!reply) co_return failure(reply.error());
  co_return (*reply)->frames();
}

Task<Result<float>> track_in_a_coroutine(imaging::Microscope scope) {
  auto track = scope.track();
  for (int i = 0; i < 3; ++i) {
    if (Status sent = co_await track.write_async({.x = 1}); !sent.ok()) co_return failure(sent);
  }
  (void)track.close();
  float sum = 0;
  while (auto position = co_await track.next_async()) sum += (*position)->x();
  if (Status status = co_await track.finish_async(); !status.ok()) co_return failure(status);
  co_return sum;
}

TEST_F(GeneratedService, CanBeAwaited) {
  EXPECT_EQ(snap_in_a_coroutine(scope_).get().value(), 0.1);
  EXPECT_EQ(copy_in_a_coroutine(scope_, 5).get().value(), 10U);
  EXPECT_EQ(track_in_a_coroutine(scope_).get().value(), 6.0F);
}

TEST_F(GeneratedService, FinishesAnUploadOnce) {
  auto upload = scope_.upload();
  ASSERT_TRUE(upload.finish());
  EXPECT_EQ(upload.finish().error().message(), "finish() was called twice");
}

/// Answers from another thread, after its handlers have returned.
class LaterScope final : public imaging::MicroscopeAsyncService {
 public:
  void snap(Message<imaging::SnapRequestView> request, Responder<imaging::Frame> responder) override {
    thread_ = std::thread([request = std::move(request), responder = std::move(responder)]() mutable {
      responder.finish(imaging::Frame{.captured = request->exposure()});
      responder.finish(failure(Code::kInternal, "ignored"));
    });
  }
  void where(Message<imaging::PositionView> request, Responder<imaging::Position> responder) override {
    responder.finish(failure(Code::kOutOfRange, "no stage at " + std::to_string(request->x())));
  }
  Status frames(Context& /*context*/, imaging::FramesRequestView /*request*/,
                Writer<imaging::Frame>& /*out*/) override {
    return {};
  }
  Result<imaging::UploadReply> upload(Context& /*context*/,
                                      RequestReader<imaging::FrameView>& /*requests*/) override {
    return imaging::UploadReply{};
  }
  Status track(Context& /*context*/, RequestReader<imaging::PositionView>& /*requests*/,
               Writer<imaging::Position>& /*out*/) override {
    return {};
  }
  ~LaterScope() override {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

TEST(Generated, ServiceMayAnswerLater) {
  const imaging::Microscope scope(std::make_shared<LocalCaller>(std::make_shared<LaterScope>()));
  const auto frame = scope.snap({.exposure = 0.1});
  ASSERT_TRUE(frame) << frame.error().to_string();
  EXPECT_EQ((*frame)->captured(), 0.1);
  EXPECT_EQ(scope.where({.x = 2}).error().message(), "no stage at 2.000000");
  EXPECT_TRUE(scope.frames().finish().ok());
}

TEST(Generated, ServiceInfoSaysHowMethodsRun) {
  const std::span<const MethodInfo> methods = imaging::Microscope::service_info().methods;
  EXPECT_EQ(methods[0].max_inflight, 4U);
  EXPECT_FALSE(methods[0].run_inline);
  EXPECT_EQ(methods[1].max_inflight, 0U);
  EXPECT_TRUE(methods[1].run_inline);
}

TEST_F(GeneratedService, RefusesGarbageAndTheWrongKindOfCall) {
  Payload garbage{.codec = Codec::kFlatBuffers, .head = Buffer::copy("garbage!"), .attachments = {}};
  auto reply = caller_->call(method_ref(imaging::Microscope::service_info(), 0), garbage, {});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(reply.error().message(), HasSubstr("imaging.SnapRequest"));
  MethodRef wrong = method_ref(imaging::Microscope::service_info(), 2);
  wrong.kind = CallKind::kUnary;
  EXPECT_THAT(caller_->call(wrong, encode(imaging::FramesRequest{}), {}).error().message(),
              HasSubstr("method Frames is server-streaming"));
}

}  // namespace
}  // namespace leat::schema
