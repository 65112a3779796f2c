#include <algorithm>
#include <utility>

#include <leat/metrics.h>

#include "transport/telemetry/metrics_table.h"

namespace leat {
namespace {

void add(std::atomic<std::uint64_t>& count, std::uint64_t more) noexcept {
  count.fetch_add(more, std::memory_order_relaxed);
}

/// `Table` is Metrics' own, which no other scope may name.
template <class Table>
class CountedCall final : public CallHooks {
 public:
  CountedCall(std::shared_ptr<Table> table, const CallDetails& call)
      : table_(std::move(table)),
        cell_(table_->find(call.side, call.service, call.method)),
        began_(table_->clock()) {
    add(cell_.started, 1);
  }

  Status on_send(Payload& message) override {
    add(cell_.messages_sent, 1);
    add(cell_.bytes_sent, message.byte_size());
    return {};
  }
  Status on_receive(Payload& message) override {
    add(cell_.messages_received, 1);
    add(cell_.bytes_received, message.byte_size());
    return {};
  }
  void on_end(Status& status, Metadata& /*trailing*/) override {
    const Duration took = table_->clock() - began_;
    cell_.latency.record(took);
    add(cell_.buckets[table_->bucket_of(took)], 1);
    add(cell_.sum_ns, static_cast<std::uint64_t>(std::max(took, Duration::zero()).count()));
    const auto code = std::min<std::size_t>(static_cast<std::size_t>(status.code()), Table::kCodes - 1);
    cell_.ended[code].fetch_add(1, std::memory_order_release);
  }

 private:
  const std::shared_ptr<Table> table_;
  typename Table::Cell& cell_;
  const TimePoint began_;
};

}  // namespace

Metrics::Metrics(MetricsOptions options) : table_(std::make_shared<Table>(std::move(options))) {}
Metrics::~Metrics() = default;

std::unique_ptr<CallHooks> Metrics::begin(CallDetails& call) {
  return std::make_unique<CountedCall<Table>>(table_, call);
}

std::vector<MethodMetrics> Metrics::methods() const {
  std::vector<MethodMetrics> list;
  for (const Table::Cell* cell : table_->cells()) list.push_back(cell->read());
  return list;
}

}  // namespace leat
