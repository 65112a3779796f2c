// Encoding and decoding by description.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/dynamic/testing.h"

namespace leat::schema {
namespace {

using testing::HasSubstr;

const Schema& imaging() { return test_schema("imaging"); }
const Schema& tree() { return test_schema("tree"); }

TEST(Codec, MessageComesBackAsItWas) {
  EXPECT_EQ(
      round_trip(imaging(), "imaging.Frame", full_frame()),
      "{captured: 1.5, class: -3, defects: 5, histogram: [1, 4000000000], index: 7, label: \"a\xc3\xa4\", "
      "masks: [float64(2)], modes: [2, 0], pixels: uint16(4, 4), position: {locked: false, x: 1.0, y: 2.0}, "
      "tags: [\"one\", \"\"], trail: [{locked: true, x: 3.0, y: 4.0}, {locked: true, x: 5.0, y: 6.0}], "
      "valid: [1, 0]}");
}

TEST(Codec, AbsentFieldsReadAsDefaults) {
  EXPECT_EQ(round_trip(imaging(), "imaging.SnapRequest", object({})), "{exposure: 0.05, mode: \"Manual\"}");
  EXPECT_EQ(round_trip(imaging(), "imaging.FramesRequest", object({{"count", integer(1)}})), "{count: 1}");
}

TEST(Codec, DefaultsAndEmptyContentTakeNoRoom) {
  const auto payload =
      encode_tree(imaging(), "imaging.SnapRequest",
                  object({{"exposure", real(0.05)}, {"mode", text("Manual")}, {"filters", list({})}}));
  ASSERT_TRUE(payload);
  EXPECT_EQ(payload->head.size(), 12U) << "root offset, empty vtable, empty table";
}

TEST(Codec, NegativeZeroIsNotTheDefaultZero) {
  const auto payload =
      encode_tree(imaging(), "imaging.Frame", object({{"captured", real(-0.0)}, {"label", text("")}}));
  ASSERT_TRUE(payload);
  EXPECT_THAT(decode_tree(imaging(), "imaging.Frame", *payload)->text(), HasSubstr("captured: -0.0"));
}

TEST(Codec, AllScalarsKeepTheirExtremes) {
  EXPECT_EQ(round_trip(tree(), "lab.tree.Scalars", object({})),
            "{f32: 0.0, f64: -inf, huge: \"Top\", i16: -32768, i32: -2147483648, i64: -9223372036854775808, "
            "i8: -128, "
            "lamps: 0, truth: true, u16: 65535, u32: 4294967295, u64: 18446744073709551615, u8: 255}");
  EXPECT_THAT(round_trip(tree(), "lab.tree.Scalars", object({{"i8", integer(127)}, {"u64", integer(0)}})),
              HasSubstr("i8: 127"));
}

TEST(Codec, VectorsOfEveryScalar) {
  const Tree::Packed packed{.element = BaseType::kFloat64, .bytes = Buffer::copy(std::string(16, '\0'))};
  EXPECT_EQ(
      round_trip(tree(), "lab.tree.Vectors",
                 object({{"truths", list({truth(true)})},
                         {"i8s", list({integer(-1)})},
                         {"i16s", list({integer(-2)})},
                         {"i64s", list({integer(-3)})},
                         {"f32s", list({real(0.5)})},
                         {"f64s", Tree{packed}},
                         {"huges", list({text("Top")})}})),
      "{f32s: [0.5], f64s: [0.0, 0.0], huges: [18446744073709551615], i16s: [-2], i64s: [-3], i8s: [-1], "
      "truths: [1]}");
}

TEST(Codec, ValueThatDoesNotFitIsNamedByItsPath) {
  const auto error = [](std::string_view table, const Tree& value) {
    const auto payload = encode_tree(imaging(), table, value);
    return payload ? std::string("ok") : payload.error().message();
  };
  EXPECT_EQ(error("imaging.FramesRequest", object({{"count", integer(-1)}})),
            "imaging.FramesRequest.count: -1 does not fit uint32 (0 to 4294967295)");
  EXPECT_EQ(error("imaging.SnapRequest", object({{"filters", list({text("a"), integer(3)})}})),
            "imaging.SnapRequest.filters[1]: expected a string");
  EXPECT_EQ(error("imaging.SnapRequest", object({{"mode", text("Slow")}})),
            "imaging.SnapRequest.mode: 'Slow' is no value of imaging.Mode");
  EXPECT_EQ(error("imaging.Frame", object({})), "imaging.Frame.label: a required field is missing");
  EXPECT_EQ(error("imaging.Frame", object({{"label", text("")},
                                           {"trail", list({object({}), object({{"x", text("east")}})})}})),
            "imaging.Frame.trail[1].x: expected a number");
  EXPECT_EQ(error("imaging.Frame", object({{"label", text("\xff")}})),
            "imaging.Frame.label: the text is not valid UTF-8; send bytes as [ubyte]");
  EXPECT_EQ(error("imaging.Frame", integer(1)), "imaging.Frame.pixels: expected a table imaging.Frame");
}

TEST(Codec, NestingHasALimitInBothDirections) {
  Tree node = object({{"name", text("leaf")}});
  for (int i = 0; i < 63; ++i) node = object({{"parent", std::move(node)}});
  EXPECT_THAT(round_trip(tree(), "lab.tree.Node", node), HasSubstr("leaf"));
  node = object({{"parent", std::move(node)}});
  EXPECT_THAT(round_trip(tree(), "lab.tree.Node", node), HasSubstr("nested deeper than 64"));
}

TEST(Codec, LargeTensorBecomesAnAttachment) {
  const auto payload = encode_tree(imaging(), "imaging.Frame", full_frame(64));
  ASSERT_TRUE(payload);
  ASSERT_EQ(payload->attachments.size(), 1U);
  EXPECT_EQ(payload->attachments[0].size(), 64U * 64 * 2);
  EXPECT_LT(payload->head.size(), 1024U);
  const auto back = decode_tree(imaging(), "imaging.Frame", *payload);
  ASSERT_TRUE(back) << back.error().to_string();
  const auto& fields = std::get<Tree::Object>(back->value);
  EXPECT_EQ(std::get<Tensor>(fields.at("pixels").value).data().data(), payload->attachments[0].data());
}

TEST(Codec, InlineTensorSharesTheMessageWhereAligned) {
  const auto payload = encode_tree(imaging(), "imaging.Frame", full_frame(64), {.inline_tensors = true});
  ASSERT_TRUE(payload);
  EXPECT_TRUE(payload->attachments.empty());
  const auto back = decode_tree(imaging(), "imaging.Frame", *payload);
  ASSERT_TRUE(back) << back.error().to_string();
  const Tensor& pixels = std::get<Tensor>(std::get<Tree::Object>(back->value).at("pixels").value);
  EXPECT_GE(pixels.data().data(), payload->head.data());
  EXPECT_LT(pixels.data().data(), payload->head.data() + payload->head.size());

  // The same bytes at an odd address: the tensor is copied into aligned memory.
  Buffer odd = Buffer::allocate(payload->head.size() + 1);
  std::ranges::copy(payload->head.bytes(), odd.writable().begin() + 1);
  const Payload shifted{
      .codec = Codec::kFlatBuffers, .head = odd.slice(1, payload->head.size()), .attachments = {}};
  const auto copied = decode_tree(imaging(), "imaging.Frame", shifted);
  ASSERT_TRUE(copied) << copied.error().to_string();
  const Tensor& other = std::get<Tensor>(std::get<Tree::Object>(copied->value).at("pixels").value);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(other.data().data()) % 2, 0U);
}

TEST(Codec, FieldsOfANewerSchemaAreSkipped) {
  Schema old = imaging();
  for (Table& table : old.tables) {
    if (table.name == "imaging.SnapRequest") table.fields.resize(1);
  }
  const auto payload = encode_tree(imaging(), "imaging.SnapRequest",
                                   object({{"exposure", real(2)}, {"filters", list({text("red")})}}));
  ASSERT_TRUE(payload);
  EXPECT_EQ(decode_tree(old, "imaging.SnapRequest", *payload)->text(), "{exposure: 2.0}");
}

}  // namespace
}  // namespace leat::schema
