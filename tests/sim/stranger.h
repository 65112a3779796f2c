// A listener's side of a link that has just come in and turns out to be the second lane of a connection that
// is there already.
#pragma once

#include <functional>
#include <memory>

#include "core/session/session.h"
#include "tests/sim/end.h"

namespace leat::sim {

class Stranger final : public LinkEnd {
 public:
  /// `attach` is told the token, and then has the link; nothing is told if the link comes to nothing.
  Stranger(Stage stage, const session::Options& options, std::shared_ptr<Link> link, Account& account,
           std::function<void(const wire::Token&)> attach);

  void on_bytes(Bytes bytes) override;
  void on_room() override {}
  void on_lost() override { session_.reset(); }

 private:
  void hear_events();

  Stage stage_;
  std::shared_ptr<Link> link_;
  Account* account_;
  std::function<void(const wire::Token&)> attach_;
  std::unique_ptr<session::Session> session_;
};

}  // namespace leat::sim
