// The streams of one end and the calls that use them: hands each event to the caller or the handler that it
// is for.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <variant>

#include "tests/sim/caller.h"
#include "tests/sim/handler.h"

namespace leat::sim {

class Switchboard final : public Application {
 public:
  struct Told {
    std::function<void()> ready;
    std::function<void()> lane_wanted;
    std::function<void()> closed;
  };
  Switchboard(Stage stage, const Plan& plan, std::unique_ptr<End> end, Told told)
      : stage_(stage), plan_(&plan), end_(std::move(end)), told_(std::move(told)) {}

  void begin() { end_->use(*this); }
  [[nodiscard]] End& end() noexcept { return *end_; }
  void connect(wire::StreamId stream, std::shared_ptr<Caller> caller) { users_[stream] = std::move(caller); }
  /// The application is done with the stream: what its session may still have to say of it goes nowhere.
  void disconnect(wire::StreamId stream);
  [[nodiscard]] std::size_t users() const noexcept { return users_.size(); }

  void on_event(End& end, session::Event& event) override;
  void on_closed(End& end, const Status& status) override;

 private:
  void on_opened(const session::Event& event);

  Stage stage_;
  const Plan* plan_;
  std::unique_ptr<End> end_;
  Told told_;
  std::unordered_map<wire::StreamId, std::variant<std::shared_ptr<Caller>, std::shared_ptr<Handler>>> users_;
  std::unordered_map<wire::StreamId, bool> done_;  ///< true: its session has told its end
};

}  // namespace leat::sim
