// Messages from people who mean harm, and from cables that do.
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/dynamic/testing.h"

namespace leat::schema {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const Schema& imaging() { return test_schema("imaging"); }

Payload payload_of(const std::vector<std::byte>& bytes) {
  return {.codec = Codec::kFlatBuffers, .head = Buffer::copy(bytes), .attachments = {}};
}

std::vector<std::byte> bytes_of(const Payload& payload) {
  return {payload.head.bytes().begin(), payload.head.bytes().end()};
}

/// Verifies and, where that succeeds, decodes; crashes and reads out of bounds are what sanitizers look for
/// here.
bool survives(const Payload& payload) {
  const Table& table = *imaging().find_table("imaging.Frame");
  if (!verify(imaging(), table, payload).ok()) return false;
  TreeSink sink;
  const auto tree = decode(imaging(), table, payload, sink);
  EXPECT_TRUE(tree) << tree.error().to_string();
  return true;
}

TEST(Verify, EveryTruncationIsSurvivedAndRefused) {
  const auto payload = encode_tree(imaging(), "imaging.Frame", full_frame());
  ASSERT_TRUE(payload);
  ASSERT_TRUE(survives(*payload));
  std::size_t refused = 0;
  for (std::size_t size = 0; size < payload->head.size(); ++size) {
    const Payload cut{.codec = Codec::kFlatBuffers,
                      .head = Buffer::copy(payload->head.bytes().first(size)),
                      .attachments = {}};
    refused += survives(cut) ? 0U : 1U;
  }
  // The last string's padding is all that may go.
  EXPECT_GE(refused, payload->head.size() - 8);
}

TEST(Verify, FlippedBytesAreSurvived) {
  const auto payload = encode_tree(imaging(), "imaging.Frame", full_frame());
  ASSERT_TRUE(payload);
  const std::vector<std::byte> good = bytes_of(*payload);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const unsigned value : {0U, 1U, 0x7fU, 0x80U, 0xffU}) {
      std::vector<std::byte> bad = good;
      bad[at] = static_cast<std::byte>(value);
      survives(payload_of(bad));
    }
  }
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): the same bytes every time
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bad = good;
    for (int i = 0; i < 4; ++i) bad[random() % bad.size()] = static_cast<std::byte>(random() & 0xffU);
    survives(payload_of(bad));
  }
}

TEST(Verify, EmptyAndForeignMessagesAreRefused) {
  const Table& table = *imaging().find_table("imaging.FramesRequest");
  EXPECT_EQ(verify(imaging(), table, payload_of({})).message(),
            "imaging.FramesRequest: a message of 0 bytes is truncated");
  const Payload values{.codec = Codec::kMessagePack, .head = Buffer::copy("\x80"), .attachments = {}};
  EXPECT_THAT(verify(imaging(), table, values).message(), HasSubstr("not encoded by a schema"));
}

TEST(Verify, MissingRequiredFieldIsNamed) {
  Builder out;
  const std::uint32_t root = out.table({});
  const auto payload = out.finish(root);
  ASSERT_TRUE(payload);
  EXPECT_EQ(verify(imaging(), *imaging().find_table("imaging.Frame"), *payload).message(),
            "imaging.Frame.label: a required field is missing");
}

TEST(Verify, InvalidUtf8IsNamedByItsPath) {
  Builder out;
  std::vector<Slot> slots(3);
  slots[2].size = 4;
  const std::uint32_t root = out.table(slots);
  const std::uint32_t tags = out.offsets(2);
  out.point(slots[2].at, tags);
  out.point(Builder::element(tags, 0), out.string("fine"));
  out.point(Builder::element(tags, 1), out.string("\xc3\x28"));
  const auto payload = out.finish(root);
  EXPECT_EQ(verify(imaging(), *imaging().find_table("imaging.SnapRequest"), *payload).message(),
            "imaging.SnapRequest.filters[1]: the string is not valid UTF-8");
}

TEST(Verify, CycleOfOffsetsCanNotBeWrittenAndDepthIsLimited) {
  // Offsets point forward, so a chain ends; a long one is cut off.
  Builder out;
  std::vector<Slot> slots(2);
  slots[1].size = 4;
  const std::uint32_t root = out.table(slots);
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t at = slots[1].at;
    out.point(at, out.table(slots));
  }
  out.point(slots[1].at, out.table({}));
  const auto payload = out.finish(root);
  const Schema& tree = test_schema("tree");
  const Status status = verify(tree, *tree.find_table("lab.tree.Node"), *payload);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), StartsWith("lab.tree.Node.parent.parent"));
}

TEST(Verify, SharedOffsetsCanNotMakeASmallMessageEndless) {
  // A thousand levels that each refer to the next one twice would take 2^1000 steps; here 30 levels of 100.
  Builder out;
  std::vector<Slot> slots(3);
  slots[2].size = 4;
  const std::uint32_t root = out.table(slots);
  for (int level = 0; level < 30; ++level) {
    const std::uint32_t slot = slots[2].at;
    const std::uint32_t children = out.offsets(100);
    out.point(slot, children);
    const std::uint32_t child = out.table(slots);
    for (std::size_t i = 0; i < 100; ++i) out.point(Builder::element(children, i), child);
  }
  out.point(slots[2].at, out.offsets(0));
  const auto payload = out.finish(root);
  const Schema& tree = test_schema("tree");
  EXPECT_EQ(verify(tree, *tree.find_table("lab.tree.Node"), *payload).code(), Code::kResourceExhausted);
}

TEST(Verify, ManyReferencesToOneLongStringAreLimited) {
  Builder out;
  std::vector<Slot> slots(3);
  slots[2].size = 4;
  const std::uint32_t root = out.table(slots);
  constexpr std::size_t kCount = 50'000;
  const std::uint32_t filters = out.offsets(kCount);
  out.point(slots[2].at, filters);
  const std::uint32_t text = out.string(std::string(500'000, 'x'));
  for (std::size_t i = 0; i < kCount; ++i) out.point(Builder::element(filters, i), text);
  const auto payload = out.finish(root);
  EXPECT_EQ(verify(imaging(), *imaging().find_table("imaging.SnapRequest"), *payload).code(),
            Code::kResourceExhausted);
}

/// A frame with a tensor as the fields say.
Status verify_tensor(std::span<Slot> slots, const std::vector<std::int64_t>& shape,
                     const std::vector<std::int64_t>& strides, std::size_t data,
                     std::size_t attachments = 0) {
  Builder out;
  std::vector<Slot> frame(6);
  frame[0].size = 4;
  frame[5].size = 4;
  slots[1].size = slots[3].size = slots[4].size = 4;
  const std::uint32_t root = out.table(frame);
  out.point(frame[0].at, out.table(slots));
  out.point(slots[1].at, out.scalars(8, std::as_bytes(std::span(shape))));
  out.point(slots[3].at, out.scalars(8, std::as_bytes(std::span(strides))));
  out.point(slots[4].at, out.scalars(1, data));
  out.point(frame[5].at, out.string("label"));
  Payload payload = *out.finish(root);
  for (std::size_t i = 0; i < attachments; ++i) payload.attachments.push_back(Buffer::allocate(8));
  return verify(imaging(), *imaging().find_table("imaging.Frame"), payload);
}

TEST(Verify, TensorsThatContradictThemselvesAreRefused) {
  const auto message = [](std::uint64_t dtype, const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides, std::size_t data, std::uint64_t order = 0,
                          std::uint64_t attachment = 0) {
    std::vector<Slot> slots(6);
    slots[0] = {.bits = dtype, .size = 1};
    slots[2] = {.bits = order, .size = 1};
    slots[5] = {.bits = attachment, .size = 4};
    const Status status = verify_tensor(slots, shape, strides, data, 1);
    return status.ok() ? std::string("ok") : status.message().substr(std::strlen("imaging.Frame.pixels: "));
  };
  EXPECT_EQ(message(6, {2, 3}, {}, 12), "ok");
  EXPECT_EQ(message(6, {2, 3}, {6, 2}, 12), "ok");
  EXPECT_EQ(message(6, {2, 3}, {2, 4}, 12, 1), "ok") << "Fortran order";
  EXPECT_EQ(message(6, {2, 3}, {}, 11), "shape: takes 12 bytes of uint16, but the data has 11");
  EXPECT_EQ(message(14, {2}, {}, 2), "dtype: 14 is no dtype");
  EXPECT_EQ(message(1, {2}, {}, 2, 2), "order: 2 is no order");
  EXPECT_EQ(message(1, {-1}, {}, 0), "shape: a dimension is negative, or the product of all overflows");
  EXPECT_EQ(message(1, {1LL << 62, 4, 0}, {}, 0),
            "shape: a dimension is negative, or the product of all overflows");
  EXPECT_EQ(message(1, std::vector<std::int64_t>(65, 1), {}, 1), "shape: more than 64 dimensions");
  EXPECT_EQ(message(6, {2, 3}, {2, 4}, 12), "strides: only contiguous data is supported");
  EXPECT_EQ(message(6, {2, 3}, {2}, 12), "strides: not as many as dimensions");
  EXPECT_EQ(message(1, {8}, {}, 0, 0, 2), "attachment: number 2, but the message has 1");
  EXPECT_EQ(message(1, {8}, {}, 8, 0, 1), "data: given both inline and as an attachment");
  EXPECT_EQ(message(1, {8}, {}, 0, 0, 1), "ok");
}

}  // namespace
}  // namespace leat::schema
