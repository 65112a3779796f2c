// What both ways of using gRPC share: its options, and answers that the tests of the harness can spoil.
#pragma once

#include <limits>
#include <memory>
#include <optional>

#include <grpcpp/grpcpp.h>

#include "bench.grpc.pb.h"
#include "round.h"

namespace bench {

inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline void assign(std::string& text, std::span<const std::byte> bytes) {
  text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// One channel for all calls, as gRPC's performance guide has it.
inline std::shared_ptr<grpc::Channel> connect(const Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // so that a new channel is a new connection
  return grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
}

/// Serves for ever.
inline int serve(const Options& options, grpc::Service& service) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.address, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  announce("127.0.0.1:" + std::to_string(port));
  server->Wait();
  return 0;
}

inline bool fail(const grpc::Status& status) {
  fmt::print(stderr, "gRPC: {}\n", status.error_message());
  return false;
}

class Spoiler {
 public:
  explicit Spoiler(const Options& options) : wrong_(options.wrong) {}
  void operator()(std::string& answer) {
    if (wrong_ >= 0 && answers_++ == wrong_) answer.front() = static_cast<char>(answer.front() ^ 1);
  }

 private:
  const std::int64_t wrong_;
  std::atomic<std::int64_t> answers_{0};
};

inline Taken taken_of(const std::string& array) {
  Taken receipt;
  std::uint64_t number = 0;
  std::memcpy(&number, array.data(), std::min(sizeof number, array.size()));
  if (stamped(bytes_of(array), number)) receipt.set_size(array.size());
  receipt.set_number(number);
  return receipt;
}

}  // namespace bench
