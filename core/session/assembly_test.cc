#include "core/session/assembly.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

namespace leat::session {
namespace {

constexpr std::size_t kKiB = 1024;

Assembly announced(std::size_t head, std::vector<std::uint64_t> attachments = {}) {
  wire::Prologue prologue;
  prologue.head_size = static_cast<std::uint32_t>(head);
  prologue.attachment_sizes = std::move(attachments);
  return Assembly(std::move(prologue));
}

std::vector<std::byte> counted(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 / 3);
  return bytes;
}

/// Appends all of `bytes`, in pieces of `piece`.
void append(Assembly& assembly, Bytes bytes, std::size_t piece) {
  while (!bytes.empty()) {
    const std::size_t size = std::min(piece, bytes.size());
    assembly.append(bytes.first(size));
    bytes = bytes.subspan(size);
  }
}

TEST(Assembly, TakesLittleMoreMemoryForEarlyBytesThanThereAre) {
  const std::vector<std::byte> bytes = counted(300 * kKiB);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{64}, 5 * kKiB, 64 * kKiB, 300 * kKiB}) {
    Assembly assembly = announced(1024 * kKiB);
    for (Bytes rest = bytes; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
      assembly.append(rest.first(std::min(piece, rest.size())));
      ASSERT_LE(assembly.early_capacity(), assembly.received() + 4 * kKiB) << "in pieces of " << piece;
    }
  }
}

TEST(Assembly, TakesNoMoreForEarlyBytesThanTheMessageHas) {
  Assembly assembly = announced(100);
  assembly.append(counted(1));
  EXPECT_EQ(assembly.early_capacity(), 100U);
}

TEST(Assembly, HasItsEarlyBytesInOrderOnceItIsAdmitted) {
  const std::vector<std::byte> bytes = counted(200 * kKiB);
  for (const std::size_t piece : {std::size_t{999}, 5 * kKiB, 64 * kKiB}) {
    Assembly assembly = announced(90 * kKiB, {10 * kKiB, 100 * kKiB});
    append(assembly, Bytes(bytes).first(150 * kKiB), piece);
    assembly.admit([](std::size_t size) { return Buffer::allocate(size); });
    EXPECT_EQ(assembly.early_capacity(), 0U);
    append(assembly, Bytes(bytes).subspan(150 * kKiB), piece);
    ASSERT_TRUE(assembly.complete());
    const Payload payload = assembly.take();
    ASSERT_EQ(payload.attachments.size(), 2U);
    EXPECT_TRUE(std::ranges::equal(payload.head.bytes(), Bytes(bytes).first(90 * kKiB)));
    EXPECT_TRUE(
        std::ranges::equal(payload.attachments[0].bytes(), Bytes(bytes).subspan(90 * kKiB, 10 * kKiB)));
    EXPECT_TRUE(std::ranges::equal(payload.attachments[1].bytes(), Bytes(bytes).subspan(100 * kKiB)));
  }
}

}  // namespace
}  // namespace leat::session
