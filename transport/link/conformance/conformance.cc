#include "transport/link/conformance/conformance.h"

#include <atomic>
#include <unistd.h>

namespace leat::transport::conformance {

std::string unique_name(std::string_view prefix) {
  static std::atomic<int> count = 0;
  return std::string(prefix) + "-" + std::to_string(getpid()) + "-" + std::to_string(++count);
}

std::string address_of(const std::string& url) { return url.substr(url.find("://") + 3); }

void LinkConformance::SetUp() { transport_ = GetParam().make(); }

void LinkConformance::TearDown() {
  left_.reset();
  right_.reset();
  loop_ = Loop();
  transport_.reset();
}

std::string LinkConformance::listen(Loop& loop) {
  auto listener = transport_->listen(GetParam().free_address(), {});
  if (!listener) {
    ADD_FAILURE() << listener.error().to_string();
    return {};
  }
  std::string address = address_of((*listener)->url());
  loop.listen(std::move(*listener));
  return address;
}

std::unique_ptr<Link> LinkConformance::connect(const std::string& address) {
  auto link = transport_->connect(address, {});
  if (!link) {
    ADD_FAILURE() << link.error().to_string();
    return nullptr;
  }
  return std::move(*link);
}

void LinkConformance::pair() {
  const std::string address = listen(loop_);
  auto link = connect(address);
  ASSERT_NE(link, nullptr);
  left_ = loop_.add(std::move(link));
  ASSERT_TRUE(loop_.run_until([&] { return loop_.accepted_ends().size() == 1; }));
  right_ = loop_.accepted_ends().front();
}

}  // namespace leat::transport::conformance
