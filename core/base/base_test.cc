#include <limits>

#include <gtest/gtest.h>

#include <leat/bytes.h>
#include <leat/context.h>
#include <leat/metadata.h>
#include <leat/status.h>
#include <leat/tensor.h>

#include "core/base/utf8.h"

namespace leat {
namespace {

TEST(Buffers, ShareTheirBytesAndLetThemGoWithTheLast) {
  int destroyed = 0;
  struct Counted : Buffer::Block {
    int* count = nullptr;
  };
  const std::string text = "some bytes";
  {
    auto* block = new Counted;
    block->count = &destroyed;
    block->destroy = [](Buffer::Block* dying) noexcept {
      auto* counted = static_cast<Counted*>(dying);
      ++*counted->count;
      delete counted;
    };
    Buffer all = Buffer::adopt(block, as_bytes(text));
    EXPECT_TRUE(all.unique());
    const Buffer part = all.slice(5, 5);
    EXPECT_FALSE(all.unique());
    all = {};
    EXPECT_EQ(part.text(), "bytes");
    EXPECT_EQ(destroyed, 0);
  }
  EXPECT_EQ(destroyed, 1);
}

TEST(Buffers, AreAligned) {
  for (const std::size_t size : {1UL, 63UL, 1000UL, 1UL << 20U}) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(Buffer::allocate(size).data()) % Buffer::kAlignment, 0U);
  }
}

TEST(Buffers, TakeOverStringsVectorsAndOwners) {
  EXPECT_EQ(Buffer::own(std::string(1000, 'a')).text(), std::string(1000, 'a'));
  EXPECT_EQ(Buffer::own(std::vector<std::byte>(3)).size(), 3U);
  const auto owner = std::make_shared<const std::string>("kept");
  Buffer buffer = Buffer::wrap(as_bytes(*owner), owner);
  EXPECT_EQ(owner.use_count(), 2);
  buffer = {};
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_TRUE(Buffer::own(std::string()).empty());
}

TEST(Statuses, SayWhatHappened) {
  Status status(Code::kNotFound, "no such frame");
  EXPECT_EQ(status.to_string(), "not_found: no such frame");
  const Status copy = status;
  status.with_context("tcp://host:1").with_remote_traceback("KeyError", "line 1");
  EXPECT_EQ(status.message(), "tcp://host:1: no such frame");
  EXPECT_EQ(status.remote_type(), "KeyError");
  EXPECT_EQ(copy.message(), "no such frame") << "a copy does not change";
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(Status(Code::kOk, "dropped").ok());
  EXPECT_EQ(Status().to_string(), "ok");
  EXPECT_EQ(code_name(static_cast<Code>(99)), "unknown");
  EXPECT_EQ(code_name(Code::kUnauthenticated), "unauthenticated");
}

TEST(Statuses, SayWhetherTheCallIsKnownNotToHaveStarted) {
  Status status(Code::kUnavailable, "draining");
  EXPECT_FALSE(status.not_started());
  const Status copy = status;
  EXPECT_TRUE(status.mark_not_started().not_started());
  EXPECT_FALSE(copy.not_started()) << "a copy does not change";
  EXPECT_FALSE(status.mark_not_started(false).not_started());
  EXPECT_FALSE(Status().mark_not_started().not_started()) << "what went well has run";
  EXPECT_FALSE(status.outcome_unknown());
  EXPECT_TRUE(status.mark_outcome_unknown().outcome_unknown());
  EXPECT_FALSE(copy.outcome_unknown());
  EXPECT_FALSE(Status().mark_outcome_unknown().outcome_unknown());
}

TEST(MetadataRules, AreChecked) {
  Metadata metadata{{"a", "1"}, {"a", "2"}, {"trace-bin", std::string("\0\xff", 2)}};
  EXPECT_TRUE(metadata.validate().ok());
  EXPECT_EQ(metadata.get("a"), "1");
  EXPECT_FALSE(metadata.get("b"));
  EXPECT_EQ(metadata.byte_size(), 15U + 3 * 32);
  EXPECT_EQ(Metadata({{"Upper", "x"}}).validate().message(),
            "metadata key 'Upper': only a-z, 0-9, '_', '.' and '-' are allowed");
  EXPECT_FALSE(Metadata({{"", "x"}}).validate().ok());
  EXPECT_FALSE(Metadata({{"k", "\xff"}}).validate().ok());
  EXPECT_FALSE(Metadata({{"k", "a\nb"}}).validate().ok());
}

TEST(Utf8, FollowsTheTableOfWellFormedBytes) {
  for (const std::string_view good :
       {"", "plain text that is long", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x94\xac", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string_view bad : {"\x80", "\xc0\xaf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80",
                                     "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "eight ok\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

TEST(Tensors, HoldExactlyTheirElements) {
  Tensor tensor = Tensor::allocate(DType::kUInt16, {2, 3});
  EXPECT_EQ(tensor.data().size(), 12U);
  EXPECT_EQ(tensor.size(), 6U);
  const auto values = tensor.values<std::uint16_t>();
  ASSERT_TRUE(values);
  EXPECT_EQ(values->size(), 6U);
  (*tensor.mutable_values<std::uint16_t>())[5] = 7;
  EXPECT_EQ((*values)[5], 7);
  EXPECT_EQ(tensor.mutable_values<float>().error().code(), Code::kInvalidArgument);
  EXPECT_EQ(tensor.values<float>().error().message(),
            "tensor: asked for values of float32, but its dtype is uint16");
  EXPECT_EQ(Tensor::make(DType::kInt32, {2, 2}, Buffer::allocate(15)).error().message(),
            "tensor: shape (2, 2) of int32 takes 16 bytes, the data has 15");
  EXPECT_EQ(Tensor::make(DType::kInt32, {}, Buffer::allocate(4))->size(), 1U);
}

TEST(Tensors, DoNotOverflow) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(tensor_bytes(DType::kUInt8, std::vector<std::int64_t>{kMost, kMost}));
  EXPECT_FALSE(tensor_bytes(DType::kComplex128, std::vector<std::int64_t>{1LL << 60}));
  EXPECT_FALSE(tensor_bytes(DType::kUInt8, std::vector<std::int64_t>{-1}));
  EXPECT_FALSE(tensor_bytes(DType::kUInt8, std::vector<std::int64_t>{0, -1}));
  EXPECT_EQ(tensor_bytes(DType::kUInt8, std::vector<std::int64_t>{0, 1LL << 61}), 0U);
  EXPECT_EQ(tensor_bytes(DType::kFloat64, std::vector<std::int64_t>{3, 5}), 120U);
}

}  // namespace
}  // namespace leat
