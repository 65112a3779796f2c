// Decodes the worked example of docs/wire-format.md from the page itself, and holds our encoders to it.
#include <fstream>

#include <gtest/gtest.h>

#include "core/wire/call_frames.h"
#include "core/wire/frame.h"
#include "core/wire/handshake.h"

namespace leat::wire {
namespace {

struct Line {
  std::string side;
  FrameHeader header;
  std::vector<std::byte> body;
};

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
    i += 2;
  }
  return bytes;
}

std::vector<Line> example() {
  std::ifstream page(LEAT_SOURCE_DIR "/docs/wire-format.md");
  std::vector<Line> lines;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) inside = line == "```example";
    if (!inside || line.starts_with("```")) continue;
    const std::vector<std::byte> bytes = from_hex(line.substr(2, line.find('#') - 2));
    Line one;
    one.side = line.substr(0, 1);
    one.header = FrameHeader::decode(Bytes(bytes).first<FrameHeader::kSize>());
    one.body.assign(bytes.begin() + FrameHeader::kSize, bytes.end());
    EXPECT_EQ(one.header.length, one.body.size()) << line;
    EXPECT_FALSE(one.header.invalid(kMaxFrameBody)) << line;
    lines.push_back(std::move(one));
  }
  return lines;
}

template <class T>
std::vector<std::byte> encoded(const T& value) {
  std::vector<std::byte> out;
  value.encode(out);
  return out;
}

TEST(WireFormatPage, ShowsACallInBytesThatDecode) {
  const std::vector<Line> lines = example();
  ASSERT_EQ(lines.size(), 6U);
  const StreamId stream = StreamId::make(1, false, Channel::kRpc);
  Token token{};
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = static_cast<std::uint8_t>(i);
  const Terms terms{kSecondLane, 256U << 10U, 4U << 20U, 4ULL << 30U, "", {}};
  Open open;
  open.service = "test.Echo";
  open.method = "Echo";
  open.timeout_us = 1'000'000;

  const std::vector<std::pair<Kind, std::vector<std::byte>>> expected = {
      {Kind::kHello, encoded(Hello{1, 1, terms})},
      {Kind::kWelcome, encoded(Welcome{1, token, terms})},
      {Kind::kStart, encoded(Start{token, "tcp"})},
      {Kind::kOpen, encoded(open)}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(lines[i].header.kind, expected[i].first);
    EXPECT_EQ(lines[i].body, expected[i].second) << kind_name(expected[i].first);
  }
  for (const std::size_t i : {4UL, 5UL}) {
    EXPECT_EQ(lines[i].header.kind, Kind::kMessage);
    EXPECT_EQ(lines[i].header.stream, stream);
    EXPECT_EQ(lines[i].header.flags, kFirst | kLast | kEndStream);
    const auto prologue = Prologue::decode(lines[i].body);
    ASSERT_TRUE(prologue);
    EXPECT_EQ(prologue->head_size, 2U);
    EXPECT_EQ(as_text(Bytes(lines[i].body).subspan(prologue->encoded_size())), "hi");
  }
  EXPECT_EQ(lines[1].side, "<");
  EXPECT_EQ(lines[5].side, "<");
}

}  // namespace
}  // namespace leat::wire
