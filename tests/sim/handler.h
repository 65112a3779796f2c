// The callee's side of one attempt: reads, works, writes and ends as the call's plan says.
#pragma once

#include <memory>

#include "tests/sim/stream_ends.h"

namespace leat::sim {

class Switchboard;

class Handler : public std::enable_shared_from_this<Handler> {
 public:
  Handler(Stage stage, Attempt attempt, Switchboard& board);

  void begin();
  void on_event(session::Event& event);

 private:
  void on_taken();
  /// Begins with the replies once everything that they wait for is here.
  void work();
  void begin_replies();
  Status end_with(Payload reply);
  void written(const Status& status);
  void finish_when_done();
  void finish(const Status& status);
  void end(const Status& status);
  [[nodiscard]] bool streams_requests() const noexcept;

  Stage stage_;
  Attempt attempt_;
  const CallPlan* plan_;
  Switchboard* board_;
  WriterPlan replies_;  // as far as they will be sent
  std::shared_ptr<Reader> reader_;
  std::shared_ptr<Writer> writer_;
  bool working_ = false;
  bool replying_ = false;
  bool half_closed_ = false;
  bool replied_ = false;
  bool over_ = false;
};

}  // namespace leat::sim
