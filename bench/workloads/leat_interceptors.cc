// What the interceptors that come with Leat add to a call: begun, one message each way, ended. No connection:
// this is their own cost alone. Prints one line of JSON, the best of three rounds in nanoseconds a call.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <leat/interceptor.h>
#include <leat/log_calls.h>
#include <leat/metrics.h>
#include <leat/trace.h>

namespace {

double nanoseconds_a_call(leat::Interceptor& interceptor, int calls) {
  leat::Payload message{leat::Codec::kRaw, leat::Buffer::copy("123"), {}};
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) {
      leat::Metadata metadata;
      leat::Metadata trailing;
      leat::Status status;
      leat::CallDetails details{leat::Side::kServer,
                                "imaging.Microscope",
                                "Snap",
                                leat::CallKind::kUnary,
                                "tcp://127.0.0.1:1",
                                metadata,
                                {},
                                nullptr};
      const std::unique_ptr<leat::CallHooks> hooks = interceptor.begin(details);
      if (!hooks) continue;
      if (!hooks->on_start().proceeds() || !hooks->on_receive(message).ok() || !hooks->on_send(message).ok())
        std::abort();
      hooks->on_end(status, trailing);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    best = round == 0 ? took.count() / calls : std::min(best, took.count() / calls);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What the interceptors that come with Leat cost");
  int calls = 1'000'000;
  app.add_option("--calls", calls, "calls in a round")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const auto metrics = std::make_shared<leat::Metrics>();
  const auto trace = leat::propagate_trace();
  std::size_t logged = 0;
  const auto log = leat::log_calls([&](leat::LogLevel, std::string_view line) { logged += line.size(); });
  const double of_metrics = nanoseconds_a_call(*metrics, calls);
  const double of_trace = nanoseconds_a_call(*trace, calls);
  const double of_log = nanoseconds_a_call(*log, calls);
  if (logged == 0 || metrics->methods().front().ended[0] != 3ULL * static_cast<unsigned>(calls)) return 1;
  fmt::print("{{\"metrics_ns\": {:.0f}, \"propagate_trace_ns\": {:.0f}, \"log_calls_ns\": {:.0f}}}\n",
             of_metrics, of_trace, of_log);
  return 0;
}
