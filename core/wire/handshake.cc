#include "core/wire/handshake.h"

#include <algorithm>
#include <cstring>

#include "core/wire/codec.h"

namespace leat::wire {
namespace {

void write_magic(Writer& writer) { writer.bytes(as_bytes(std::string_view(kMagic.data(), kMagic.size()))); }
bool read_magic(Reader& reader) {
  return as_text(reader.bytes(kMagic.size())) == std::string_view(kMagic.data(), kMagic.size());
}

template <std::size_t N>
void write_array(Writer& writer, const std::array<std::uint8_t, N>& array) {
  writer.bytes(std::as_bytes(std::span(array)));
}
template <std::size_t N>
void read_array(Reader& reader, std::array<std::uint8_t, N>& array) {
  const Bytes raw = reader.bytes(N);
  if (!raw.empty()) std::memcpy(array.data(), raw.data(), N);
}

void write_terms(Writer& writer, const Terms& terms) {
  writer.u32(terms.features);
  writer.u32(terms.stream_window);
  writer.u32(terms.channel_window);
  writer.u64(terms.max_message);
  writer.text(terms.name);
  writer.varint(terms.services.size());
  for (const Announcement& announced : terms.services) {
    writer.text(announced.service);
    write_array(writer, announced.fingerprint.bytes);
  }
}

void read_terms(Reader& reader, Terms& terms) {
  terms.features = reader.u32();
  terms.stream_window = reader.u32();
  terms.channel_window = reader.u32();
  terms.max_message = reader.u64();
  terms.name = reader.text(kMaxNameBytes);
  const std::uint64_t count = reader.varint();
  for (std::uint64_t i = 0; reader.ok() && i < count; ++i) {
    Announcement announced;
    announced.service = reader.text(kMaxNameBytes);
    read_array(reader, announced.fingerprint.bytes);
    if (reader.ok()) terms.services.push_back(std::move(announced));
  }
}

template <class T>
std::optional<T> checked(const Reader& reader, T value) {
  if (!reader.ok()) return std::nullopt;
  return value;
}

}  // namespace

void Hello::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  write_magic(writer);
  writer.u8(min_version);
  writer.u8(max_version);
  write_terms(writer, terms);
}

std::optional<Hello> Hello::decode(Bytes body) {
  Reader reader(body);
  Hello hello;
  if (!read_magic(reader)) return std::nullopt;
  hello.min_version = reader.u8();
  hello.max_version = reader.u8();
  // The versions stand first in every version of this frame; the rest is read only if it is ours.
  if (hello.min_version > kVersion || hello.max_version < kVersion) return checked(reader, std::move(hello));
  read_terms(reader, hello.terms);
  return checked(reader, std::move(hello));
}

void Welcome::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  write_magic(writer);
  writer.u8(version);
  write_array(writer, token);
  write_terms(writer, terms);
}

std::optional<Welcome> Welcome::decode(Bytes body) {
  Reader reader(body);
  Welcome welcome;
  if (!read_magic(reader)) return std::nullopt;
  welcome.version = reader.u8();
  if (welcome.version != kVersion) return checked(reader, std::move(welcome));
  read_array(reader, welcome.token);
  read_terms(reader, welcome.terms);
  return checked(reader, std::move(welcome));
}

void Start::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  write_array(writer, token);
  writer.text(link);
}

std::optional<Start> Start::decode(Bytes body) {
  Reader reader(body);
  Start start;
  read_array(reader, start.token);
  start.link = reader.text(kMaxNameBytes);
  return checked(reader, std::move(start));
}

void Attach::encode(std::vector<std::byte>& out) const {
  Writer writer(out);
  write_array(writer, token);
}

std::optional<Attach> Attach::decode(Bytes body) {
  Reader reader(body);
  Attach attach;
  read_array(reader, attach.token);
  return checked(reader, attach);
}

}  // namespace leat::wire
