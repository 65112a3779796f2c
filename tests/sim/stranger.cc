#include "tests/sim/stranger.h"

namespace leat::sim {

using session::Event;

Stranger::Stranger(Stage stage, const session::Options& options, std::shared_ptr<Link> link, Account& account,
                   std::function<void(const wire::Token&)> attach)
    : stage_(stage), link_(std::move(link)), account_(&account), attach_(std::move(attach)) {
  {
    const Charge charge(*account_);
    session_ = std::make_unique<session::Session>(options, stage_.timeline.now());
  }
  link_->attach(Side::kAcceptor, *this);
  stage_.timeline.at(session_->next_timeout(), [this] {
    if (!session_) return;
    session_->on_timeout(stage_.timeline.now());
    hear_events();
  });
}

void Stranger::on_bytes(Bytes bytes) {
  if (!session_) return;
  {
    const Charge charge(*account_);
    session_->receive(Lane::kMain, bytes, stage_.timeline.now());
  }
  hear_events();
}

void Stranger::hear_events() {
  while (session_) {
    const std::optional<Event> event = session_->next_event();
    if (!event) return;
    if (event->kind == Event::Kind::kAttach) {
      session_.reset();
      attach_(event->token);
    } else if (event->kind == Event::Kind::kClosed) {
      session_.reset();
      link_->close(Side::kAcceptor);
    }
  }
}

}  // namespace leat::sim
