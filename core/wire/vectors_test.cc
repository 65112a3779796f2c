// Reads the vectors of tests/vectors/frames.json, which other code wrote, and writes each good frame back.
#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <gtest/gtest.h>

#include "core/wire/call_frames.h"
#include "core/wire/flow_frames.h"
#include "core/wire/frame.h"
#include "core/wire/handshake.h"
#include "core/wire/session_frames.h"

namespace leat::wire {
namespace {

struct Vector {
  std::string name;
  FrameHeader header;
  std::vector<std::byte> body;
};

std::vector<Vector> vectors(const std::string& group) {
  boost::property_tree::ptree all;
  boost::property_tree::read_json(LEAT_SOURCE_DIR "/tests/vectors/frames.json", all);
  std::vector<Vector> list;
  for (const auto& [key, entry] : all.get_child(group)) {
    const auto hex = entry.get<std::string>("frame");
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    list.push_back({entry.get<std::string>("name"),
                    FrameHeader::decode(Bytes(bytes).first<FrameHeader::kSize>()),
                    {bytes.begin() + FrameHeader::kSize, bytes.end()}});
  }
  return list;
}

template <class T>
std::optional<std::vector<std::byte>> again(Bytes body) {
  const std::optional<T> value = T::decode(body);
  if (!value) return std::nullopt;
  std::vector<std::byte> out;
  value->encode(out);
  return out;
}

/// The body decoded and encoded again; nullopt if it can't be read.
std::optional<std::vector<std::byte>> round_trip(const Vector& vector) {
  switch (vector.header.kind) {
    case Kind::kHello: return again<Hello>(vector.body);
    case Kind::kWelcome: return again<Welcome>(vector.body);
    case Kind::kStart: return again<Start>(vector.body);
    case Kind::kAttach: return again<Attach>(vector.body);
    case Kind::kWindow: return again<Window>(vector.body);
    case Kind::kChannelCredit: return again<ChannelCredit>(vector.body);
    case Kind::kCredit: return again<Credit>(vector.body);
    case Kind::kOpen: return again<Open>(vector.body);
    case Kind::kHeaders: return again<Headers>(vector.body);
    case Kind::kEnd: return again<End>(vector.body);
    case Kind::kClose:
    case Kind::kCancel: return again<Reason>(vector.body);
    case Kind::kMessage: {
      if ((vector.header.flags & kFirst) == 0) return vector.body;
      const auto prologue = Prologue::decode(vector.body);
      if (!prologue) return std::nullopt;
      std::vector<std::byte> out(prologue->encoded_size());
      prologue->encode(out.data());
      out.insert(out.end(), vector.body.begin() + static_cast<std::ptrdiff_t>(out.size()), vector.body.end());
      return out;
    }
    case Kind::kGoaway: return again<Goaway>(vector.body);
    case Kind::kHealthAsk: return again<HealthAsk>(vector.body);
    case Kind::kHealth: return again<Health>(vector.body);
    case Kind::kDrained:
    case Kind::kLaneWanted:
    case Kind::kAttached:
    case Kind::kPing:
    case Kind::kPong: break;
  }
  return vector.body;
}

TEST(FrameVectors, ThatAreGoodReadAndWriteAlike) {
  const std::vector<Vector> all = vectors("good");
  ASSERT_GT(all.size(), 20U);
  for (const Vector& vector : all) {
    EXPECT_FALSE(vector.header.invalid(kMaxFrameBody)) << vector.name;
    EXPECT_EQ(vector.header.length, vector.body.size()) << vector.name;
    const auto written = round_trip(vector);
    ASSERT_TRUE(written) << vector.name;
    if (vector.name == "hello of a later version") continue;  // of which only the versions can be read
    EXPECT_EQ(*written, vector.body) << vector.name;
  }
}

TEST(FrameVectors, WithBadHeadersAreInvalid) {
  for (const Vector& vector : vectors("bad_headers"))
    EXPECT_TRUE(vector.header.invalid(kMaxFrameBody)) << vector.name;
}

TEST(FrameVectors, WithBadBodiesAreRefused) {
  for (const Vector& vector : vectors("bad_bodies")) {
    EXPECT_FALSE(vector.header.invalid(kMaxFrameBody)) << vector.name;
    EXPECT_FALSE(round_trip(vector)) << vector.name;
  }
}

}  // namespace
}  // namespace leat::wire
