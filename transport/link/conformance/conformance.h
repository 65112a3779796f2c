// The conformance suite: what every transport must do. A transport's test instantiates it in a few lines:
//
//   INSTANTIATE_TEST_SUITE_P(Tcp, LinkConformance, testing::Values(Subject{...}));
//   INSTANTIATE_TEST_SUITE_P(Tcp, SocketConformance, testing::Values(Subject{...}));   // if processes can
//   share it
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "transport/link/conformance/ends.h"
#include "transport/link/link.h"

namespace leat::transport::conformance {

struct Subject {
  std::string scheme;
  std::function<std::unique_ptr<Transport>()> make;
  /// An address to listen on that nobody uses; port 0 will do.
  std::function<std::string()> free_address;
  /// What can't be read as an address: kInvalidArgument, for listening and for connecting.
  std::vector<std::string> unreadable;
  /// What is refused without `insecure`.
  std::vector<std::string> beyond_loopback = {};
  /// A reader that stops reading stops the sender. Not so for ZeroMQ, whose I/O threads read on: there,
  /// credit does.
  bool stops_the_sender = true;

  friend void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.scheme; }
};

/// "name-<pid>-<count>", for addresses that no other test uses.
std::string unique_name(std::string_view prefix);
/// The part behind "://".
std::string address_of(const std::string& url);

class LinkConformance : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Listens in `loop` and returns the address to connect to.
  std::string listen(Loop& loop);
  std::unique_ptr<Link> connect(const std::string& address);
  /// A connected pair in loop_: `left` connected, `right` accepted.
  void pair();

  std::unique_ptr<Transport> transport_;
  Loop loop_;
  std::shared_ptr<End> left_;
  std::shared_ptr<End> right_;
};

/// For transports that reach other processes. Its child processes are forked before the test starts any
/// thread.
class SocketConformance : public LinkConformance {
 protected:
  void SetUp() override {}
};

}  // namespace leat::transport::conformance
