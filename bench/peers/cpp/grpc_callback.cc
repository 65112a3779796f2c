// gRPC's callback API, which its guide recommends for speed: no thread waits, and a call that has ended
// begins the next one where it ended.
#include <condition_variable>

#include "grpc_common.h"

namespace {

using bench::Bytes;
using bench::Options;

class Work final : public bench::Work::CallbackService {
 public:
  explicit Work(const Options& options) : spoil_(options) {}

  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context, const Bytes* request,
                                 Bytes* reply) override {
    *reply->mutable_data() = request->data();
    spoil_(*reply->mutable_data());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  bench::Spoiler spoil_;
};

/// Slots that each make one call after another.
class Calls {
 public:
  Calls(const Options& options, bench::Work::Stub& stub)
      : window_(options), stub_(&stub), slots_(window_.size()) {}

  int run() {
    left_ = slots_.size();
    for (std::size_t i = 0; i < slots_.size(); ++i) start(i);
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return left_ == 0; });
    return window_.finish();
  }

 private:
  struct Slot {
    std::optional<grpc::ClientContext> context;
    Bytes request;
    Bytes reply;
  };

  void start(std::size_t index) {
    Slot& slot = slots_[index];
    slot.context.emplace();
    bench::assign(*slot.request.mutable_data(), window_.request(index));
    stub_->async()->Echo(&*slot.context, &slot.request, &slot.reply,
                         [this, index](const grpc::Status& status) { done(index, status); });
  }
  void done(std::size_t index, const grpc::Status& status) {
    if (!status.ok()) bench::fail(status);
    if (window_.done(index, status.ok() ? bench::bytes_of(slots_[index].reply.data())
                                        : std::span<const std::byte>())) {
      start(index);
      return;
    }
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) ended_.notify_one();
  }

  bench::Window window_;
  bench::Work::Stub* stub_;
  std::vector<Slot> slots_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t left_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = bench::parse(argc, argv, "Work over gRPC, with callbacks", "127.0.0.1:0");
  if (options.server) {
    Work work(options);
    return bench::serve(options, work);
  }
  if (options.work != "unary" && options.work != "calls") return bench::no_such_work(options);
  const auto stub = bench::Work::NewStub(bench::connect(options));
  return Calls(options, *stub).run();
}
