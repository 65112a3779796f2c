// A server and a client in one program, over a real socket; prints the sum.
#include <cstdio>
#include <memory>

#include <leat/peer.h>
#include <leat/server.h>

#include "outside.leat.h"

class Adder final : public outside::AdderService {
 public:
  leat::Result<outside::Sum> add(leat::Context& /*context*/, outside::PairView pair) override {
    return outside::Sum{.value = pair.a() + pair.b()};
  }
};

int main() {
  leat::Server server;
  if (const auto status = server.add(std::make_shared<Adder>()); !status.ok()) return 1;
  const auto url = server.listen("tcp://127.0.0.1:0");
  if (!url) return 2;
  const auto peer = leat::connect(*url);
  if (!peer) return 3;
  const auto sum = peer->service<outside::Adder>().add({.a = 2, .b = 40});
  if (!sum) return 4;
  std::printf("%lld over %s\n", static_cast<long long>((*sum)->value()),
              std::string(peer->transport()).c_str());
}
