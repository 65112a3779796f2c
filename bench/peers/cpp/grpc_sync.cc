// gRPC's synchronous API: a thread for each call that waits.
#include "grpc_common.h"

namespace {

using bench::Bytes;
using bench::Options;
using grpc::Status;

class Work final : public bench::Work::Service {
 public:
  explicit Work(const Options& options) : spoil_(options) {}

  Status Echo(grpc::ServerContext*, const Bytes* request, Bytes* reply) override {
    *reply->mutable_data() = request->data();
    spoil_(*reply->mutable_data());
    return Status::OK;
  }
  Status Put(grpc::ServerContext*, const Bytes* request, bench::Taken* reply) override {
    *reply = bench::taken_of(request->data());
    return Status::OK;
  }
  Status Source(grpc::ServerContext*, const bench::Count* size, grpc::ServerWriter<Bytes>* out) override {
    bench::Pattern pattern(size->count());
    Bytes item;
    for (std::uint64_t number = 0;; ++number) {
      bench::assign(*item.mutable_data(), pattern.request(number));
      if (!out->Write(item)) return Status::OK;
    }
  }
  Status Sink(grpc::ServerContext*, grpc::ServerReader<Bytes>* in, bench::Count* count) override {
    Bytes item;
    std::uint64_t number = 0;
    for (std::optional<bench::Pattern> pattern; in->Read(&item); ++number) {
      if (!pattern) pattern.emplace(item.data().size());
      if (!pattern->is(bench::bytes_of(item.data()), number)) return {grpc::StatusCode::DATA_LOSS, "an item"};
    }
    count->set_count(number);
    return Status::OK;
  }
  Status Chat(grpc::ServerContext*, grpc::ServerReaderWriter<Bytes, Bytes>* stream) override {
    for (Bytes item; stream->Read(&item) && stream->Write(item);) {
    }
    return Status::OK;
  }

 private:
  bench::Spoiler spoil_;
};

/// A small call; its answer is empty, which is no right one, if it failed.
class Caller {
 public:
  explicit Caller(bench::Work::Stub& stub) : stub_(&stub) {}
  std::span<const std::byte> operator()(std::span<const std::byte> request) {
    grpc::ClientContext context;
    bench::assign(*request_.mutable_data(), request);
    if (const Status status = stub_->Echo(&context, request_, &reply_); !status.ok()) {
      bench::fail(status);
      return {};
    }
    return bench::bytes_of(reply_.data());
  }

 private:
  bench::Work::Stub* stub_;
  Bytes request_;
  Bytes reply_;
};

int arrays(const Options& options, bench::Work::Stub& stub) {
  const bool back = options.work == "echo";
  Bytes array;
  array.mutable_data()->resize(options.size);
  return bench::measure(
      options,
      [&](std::uint64_t number) {
        grpc::ClientContext context;
        bench::stamp(std::as_writable_bytes(std::span(*array.mutable_data())), number);
        if (back) {
          Bytes reply;
          const Status status = stub.Echo(&context, array, &reply);
          return status.ok() ? reply.data().size() == options.size &&
                                   bench::stamped(bench::bytes_of(reply.data()), number)
                             : bench::fail(status);
        }
        bench::Taken taken;
        const Status status = stub.Put(&context, array, &taken);
        return status.ok() ? taken.number() == number && taken.size() == options.size : bench::fail(status);
      },
      options.size * (back ? 2 : 1));
}

int source(const Options& options, bench::Work::Stub& stub) {
  grpc::ClientContext context;
  bench::Count size;
  size.set_count(options.size);
  const auto stream = stub.Source(&context, size);
  bench::Pattern pattern(options.size);
  Bytes item;
  return bench::measure_items(
      options,
      [&](std::uint64_t number) {
        return stream->Read(&item) && pattern.is(bench::bytes_of(item.data()), number);
      },
      [&](std::uint64_t) {
        context.TryCancel();
        return true;
      });
}

int sink(const Options& options, bench::Work::Stub& stub) {
  grpc::ClientContext context;
  bench::Count taken;
  const auto stream = stub.Sink(&context, &taken);
  bench::Pattern pattern(options.size);
  Bytes item;
  return bench::measure_items(
      options,
      [&](std::uint64_t number) {
        bench::assign(*item.mutable_data(), pattern.request(number));
        return stream->Write(item);
      },
      [&](std::uint64_t count) {
        stream->WritesDone();
        const Status status = stream->Finish();
        return status.ok() ? taken.count() == count : bench::fail(status);
      });
}

int chat(const Options& options, bench::Work::Stub& stub) {
  grpc::ClientContext context;
  const auto stream = stub.Chat(&context);
  std::thread writer([&] {
    bench::Pattern pattern(options.size);
    Bytes item;
    for (std::uint64_t number = 0;; ++number) {
      bench::assign(*item.mutable_data(), pattern.request(number));
      if (!stream->Write(item)) return;
    }
  });
  bench::Pattern pattern(options.size);
  Bytes item;
  const int code = bench::measure_items(
      options,
      [&](std::uint64_t number) {
        return stream->Read(&item) && pattern.is(bench::bytes_of(item.data()), number);
      },
      [](std::uint64_t) { return true; });
  context.TryCancel();
  writer.join();
  return code;
}

int run_client(const Options& options) {
  bench::Pattern pattern(options.size);
  if (options.work == "connect") {
    return bench::measure(options, [&](std::uint64_t number) {
      const auto stub = bench::Work::NewStub(bench::connect(options));
      return pattern.matches(Caller(*stub)(pattern.request(number)));
    });
  }
  const auto stub = bench::Work::NewStub(bench::connect(options));
  if (options.work == "unary") {
    Caller caller(*stub);
    return bench::measure(
        options, [&](std::uint64_t number) { return pattern.matches(caller(pattern.request(number))); });
  }
  if (options.work == "threads") {
    return bench::measure_threads(options, [&](std::size_t) { return Caller(*stub); });
  }
  if (options.work == "put" || options.work == "echo") return arrays(options, *stub);
  if (options.work == "source") return source(options, *stub);
  if (options.work == "sink") return sink(options, *stub);
  if (options.work == "chat") return chat(options, *stub);
  return bench::no_such_work(options);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Work over gRPC, synchronous", "127.0.0.1:0");
  if (!options.server) return run_client(options);
  Work work(options);
  return bench::serve(options, work);
}
