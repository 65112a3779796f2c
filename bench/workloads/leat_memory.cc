// What an idle connection costs, and an idle stream: growth of resident memory at both ends, which are
// processes of their own, over many of each. Prints one line of JSON.
#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <leat/peer.h>
#include <leat/server.h>

namespace {

/// Echo answers; Listen is a stream on which nothing happens.
class Quiet final : public leat::Service {
 public:
  [[nodiscard]] const leat::ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<leat::MethodInfo, 2> kMethods = {
        {{.name = "Echo"}, {.name = "Listen", .kind = leat::CallKind::kBidi}}};
    static const leat::ServiceInfo kInfo{"quiet", kMethods, {}};
    return kInfo;
  }
  leat::Status handle_call(std::size_t method, leat::ServerCall& call) override {
    if (method == 0) return call.write(std::move(**call.read()));
    // The first item comes back, so that both ends have been used; then nobody says anything.
    leat::Result<std::optional<leat::Payload>> item = call.read();
    if (!item || !*item) return {};
    if (leat::Status sent = call.write(std::move(**item)); !sent.ok()) return sent;
    const std::lock_guard lock(mutex_);
    held_.push_back(call.detach());
    return {};
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<leat::ServerCall>> held_;
};

leat::Payload item() { return {leat::Codec::kRaw, leat::Buffer::copy(std::string(64, 'x')), {}}; }

/// Resident bytes that are the process's own.
double resident(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return 1024 * std::stod(line.substr(8));
  }
  return 0;
}

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const std::string& url, int out) {
  leat::Server server;
  if (!server.add(std::make_shared<Quiet>()).ok()) return 1;
  const leat::Result<std::string> listening = server.listen(url);
  if (!listening) return 1;
  const std::string line = *listening + "\n";
  if (::write(out, line.data(), line.size()) < 0) return 1;
  server.wait();
  return 0;
}

struct Ends {
  double client = 0;
  double server = 0;
};

Ends measure(pid_t server) {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // until all is idle
  return {resident(::getpid()), resident(server)};
}

Ends each(const Ends& before, const Ends& after, std::size_t count) {
  const auto n = static_cast<double>(count);
  return {(after.client - before.client) / n, (after.server - before.server) / n};
}

leat::Result<leat::Peer> used_connection(const std::string& url) {
  leat::Result<leat::Peer> peer = leat::connect(url);
  if (!peer) return peer;
  const leat::Result<leat::Payload> reply = peer->caller()->call({"quiet", "Echo"}, item(), {});
  if (!reply) return leat::failure(reply.error());
  return peer;
}

leat::Status run(const std::string& url, pid_t server, std::size_t connections, std::size_t streams) {
  // The first of each pays for what all share: threads, tables, the allocator's first pages.
  std::vector<leat::Peer> peers;
  std::vector<std::unique_ptr<leat::ClientCall>> calls;
  const auto connect = [&](std::size_t count) -> leat::Status {
    for (std::size_t i = 0; i < count; ++i) {
      leat::Result<leat::Peer> peer = used_connection(url);
      if (!peer) return peer.error();
      peers.push_back(std::move(*peer));
    }
    return {};
  };
  const auto open = [&](std::size_t count) -> leat::Status {
    const leat::MethodRef listen{"quiet", "Listen", leat::CallKind::kBidi};
    for (std::size_t i = 0; i < count; ++i) {
      auto call = peers.front().caller()->start(listen, item(), {});
      if (!call) return call.error();
      if (!(*call)->read()) return (*call)->finish();
      calls.push_back(std::move(*call));
    }
    return {};
  };
  if (leat::Status status = connect(20); !status.ok()) return status;
  if (leat::Status status = open(20); !status.ok()) return status;
  const Ends start = measure(server);
  if (leat::Status status = connect(connections); !status.ok()) return status;
  const Ends connected = measure(server);
  if (leat::Status status = open(streams); !status.ok()) return status;
  const Ends opened = measure(server);
  const Ends connection = each(start, connected, connections);
  const Ends stream = each(connected, opened, streams);
  fmt::print(R"({{"connections": {}, "connection_client": {:.0f}, "connection_server": {:.0f}, )"
             R"("streams": {}, "stream_client": {:.0f}, "stream_server": {:.0f}}})"
             "\n",
             connections, connection.client, connection.server, streams, stream.client, stream.server);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Memory of idle connections and streams");
  std::string url;
  std::size_t connections = 1000;
  std::size_t streams = 3000;
  app.add_option("url", url)->required();
  app.add_option("--connections", connections);
  app.add_option("--streams", streams);
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return 1;
  const pid_t server = ::fork();
  if (server == 0) {
    ::close(pipe[0]);
    return serve(url, pipe[1]);
  }
  ::close(pipe[1]);
  std::string address;
  for (char c = 0; ::read(pipe[0], &c, 1) == 1 && c != '\n';) address += c;
  const leat::Status status = run(address, server, connections, streams);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.to_string());
  std::fflush(stdout);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  ::_exit(status.ok() ? 0 : 1);  // to close so many connections one by one takes a while
}
