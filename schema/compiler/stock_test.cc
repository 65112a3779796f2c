// Programs that stock flatc wrote read our messages, and we read theirs.
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <flatbuffers/flatbuffers.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <leat/schema/load.h>

#include "imaging.leat.h"
#include "stock_generated.h"

namespace leat::schema {
namespace {

using testing::ElementsAre;

Payload wrap(const flatbuffers::FlatBufferBuilder& builder) {
  return {.codec = Codec::kFlatBuffers,
          .head = Buffer::copy(std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()))),
          .attachments = {}};
}

TEST(Stock, ReadsWhatWeWrite) {
  Tensor pixels = Tensor::allocate(DType::kFloat64, {2, 1000});
  pixels.mutable_data()[8] = std::byte{42};
  const imaging::Frame frame{.pixels = pixels,
                             .index = 5,
                             .captured = 2.5,
                             .position = imaging::Position{.y = 4},
                             .defects = imaging::Defect::kBlurred,
                             .label = "label",
                             .histogram = {1, 2, 3},
                             .trail = {{.x = 1}, {.x = 2}},
                             .tags = {"one", "two"},
                             .masks = {Tensor::allocate(DType::kInt8, {1})},
                             .modes = {imaging::Mode::kManual},
                             .valid = {true, false}};
  const Payload payload = encode(frame, {.inline_tensors = true});
  EXPECT_TRUE(payload.attachments.empty());

  const auto* bytes = reinterpret_cast<const std::uint8_t*>(payload.head.data());
  flatbuffers::Verifier verifier(bytes, payload.head.size());
  ASSERT_TRUE(verifier.VerifyBuffer<stock::Frame>(nullptr));
  const auto* read = flatbuffers::GetRoot<stock::Frame>(bytes);
  ASSERT_NE(read->pixels(), nullptr);
  EXPECT_EQ(read->pixels()->dtype(), stock_leat::DType::Float64);
  EXPECT_EQ(read->pixels()->shape()->Get(1), 1000);
  EXPECT_EQ(read->pixels()->data()->size(), 16000U);
  EXPECT_EQ(read->pixels()->data()->Get(8), 42);
  EXPECT_EQ(read->pixels()->attachment(), 0U);
  EXPECT_EQ(read->index(), 5U);
  EXPECT_EQ(read->captured(), 2.5);
  EXPECT_EQ(read->position()->y(), 4.0F);
  EXPECT_TRUE(read->position()->locked());
  EXPECT_EQ(read->defects(), stock::Defect::Blurred);
  EXPECT_EQ(read->label()->str(), "label");
  EXPECT_EQ(read->histogram()->Get(2), 3U);
  EXPECT_EQ(read->trail()->Get(1)->x(), 2.0F);
  EXPECT_EQ(read->tags()->Get(1)->str(), "two");
  EXPECT_EQ(read->masks()->size(), 1U);
  EXPECT_EQ(read->modes()->Get(0), stock::Mode::Manual);
  EXPECT_EQ(read->valid()->Get(0), 1);
  EXPECT_EQ(read->class_(), -1);
}

TEST(Stock, WritesWhatWeRead) {
  flatbuffers::FlatBufferBuilder out;
  const std::vector<std::uint8_t> data(24, 1);
  const std::vector<std::int64_t> shape = {3, 4};
  const std::vector<std::int64_t> strides = {8, 2};
  const auto pixels = stock_leat::CreateTensorDirect(out, stock_leat::DType::UInt16, &shape,
                                                     stock_leat::Order::RowMajor, &strides, &data);
  const std::vector<flatbuffers::Offset<stock::Position>> trail = {stock::CreatePosition(out, 1, 2, false)};
  const std::vector<flatbuffers::Offset<flatbuffers::String>> tags = {out.CreateString(""),
                                                                      out.CreateString("b")};
  const std::vector<std::uint32_t> histogram = {9, 8};
  const std::vector<std::uint8_t> valid = {0, 1};
  out.Finish(stock::CreateFrameDirect(out, pixels, 11, 0.25, stock::CreatePosition(out, 6),
                                      stock::Defect::Dark, "text", &histogram, &trail, &tags, nullptr,
                                      nullptr, &valid, 3));
  auto message = imaging::FrameView::decode(wrap(out));
  ASSERT_TRUE(message) << message.error().to_string();
  const imaging::FrameView frame = message->view();
  EXPECT_THAT(frame.pixels().shape(), ElementsAre(3, 4));
  EXPECT_EQ(frame.pixels().values<std::uint16_t>().value()[11], 0x0101);
  EXPECT_EQ(frame.index(), 11U);
  EXPECT_EQ(frame.captured(), 0.25);
  EXPECT_EQ(frame.position().x(), 6.0F);
  EXPECT_EQ(frame.defects(), imaging::Defect::kDark);
  EXPECT_EQ(frame.label(), "text");
  EXPECT_THAT(frame.histogram().to_vector(), ElementsAre(9U, 8U));
  EXPECT_EQ(frame.trail()[0].y(), 2.0F);
  EXPECT_THAT(frame.tags().to_vector(), ElementsAre("", "b"));
  EXPECT_THAT(frame.valid().to_vector(), ElementsAre(false, true));
  EXPECT_EQ(frame.class_(), 3);
}

TEST(Stock, TensorThatLiesAboutItselfIsRefused) {
  flatbuffers::FlatBufferBuilder out;
  const std::vector<std::uint8_t> data(24, 1);
  const std::vector<std::int64_t> shape = {std::int64_t{1} << 40, std::int64_t{1} << 40};
  const auto pixels = stock_leat::CreateTensorDirect(out, stock_leat::DType::UInt16, &shape,
                                                     stock_leat::Order::RowMajor, nullptr, &data);
  const auto label = out.CreateString("");
  stock::FrameBuilder frame(out);
  frame.add_pixels(pixels);
  frame.add_label(label);
  out.Finish(frame.Finish());
  auto message = imaging::FrameView::decode(wrap(out));
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().message(),
            "imaging.Frame.pixels: shape: a dimension is negative, or the product of all overflows");
}

TEST(Stock, DescriptorsMeanTheSame) {
  std::ifstream file(LEAT_STOCK_DESCRIPTOR, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto schema = load(as_bytes(bytes));
  ASSERT_TRUE(schema) << schema.error().to_string();
  const Service* service = (*schema)->find_service("imaging.Microscope");
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(fingerprint(**schema, *service), imaging::Microscope::service_info().fingerprint);
  EXPECT_EQ(service->find("Track")->kind, CallKind::kBidi);
  EXPECT_EQ((*schema)->find_table("imaging.SnapRequest")->fields[0].name, "exposure");
}

}  // namespace
}  // namespace leat::schema
