// https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4.
#include <array>
#include <charconv>
#include <string>

#include <leat/metrics.h>

#include "transport/telemetry/metrics_table.h"

namespace leat {
namespace {

void append_number(std::string& out, double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end.ptr);
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  out += name;
  out += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

/// The sample's name and the labels that all have, up to but without the closing brace.
template <class Method>
void begin_sample(std::string& out, std::string_view name, const Method& of) {
  out += name;
  out += '{';
  append_label(out, "side", side_name(of.side));
  append_label(out, "service", of.service);
  append_label(out, "method", of.method);
}

void end_sample(std::string& out, std::uint64_t value) {
  out += "} ";
  out += std::to_string(value);
  out += '\n';
}

void family(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += "# HELP ";
  out += name;
  out += ' ';
  out += help;
  out += "\n# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
}

}  // namespace

std::string Metrics::prometheus() const {
  std::string out;
  const std::vector<const Table::Cell*> cells = table_->cells();
  std::vector<MethodMetrics> methods;
  methods.reserve(cells.size());
  for (const Table::Cell* cell : cells) methods.push_back(cell->read());

  const auto samples = [&](std::string_view name, std::string_view type, std::string_view help,
                           std::uint64_t MethodMetrics::* field) {
    family(out, name, type, help);
    for (const MethodMetrics& method : methods) {
      begin_sample(out, name, method);
      end_sample(out, method.*field);
    }
  };
  samples("leat_calls_started_total", "counter", "Calls begun.", &MethodMetrics::started);
  family(out, "leat_calls_ended_total", "counter", "Calls ended, by status code.");
  for (const MethodMetrics& method : methods) {
    for (std::size_t code = 0; code < method.ended.size(); ++code) {
      if (method.ended[code] == 0) continue;
      begin_sample(out, "leat_calls_ended_total", method);
      append_label(out, "code", code_name(static_cast<Code>(code)));
      end_sample(out, method.ended[code]);
    }
  }
  samples("leat_calls_in_flight", "gauge", "Calls begun and not ended.", &MethodMetrics::in_flight);
  samples("leat_messages_sent_total", "counter", "Messages sent.", &MethodMetrics::messages_sent);
  samples("leat_messages_received_total", "counter", "Messages received.", &MethodMetrics::messages_received);
  samples("leat_message_sent_bytes_total", "counter", "Bytes of messages sent.", &MethodMetrics::bytes_sent);
  samples("leat_message_received_bytes_total", "counter", "Bytes of messages received.",
          &MethodMetrics::bytes_received);

  family(out, "leat_call_seconds", "histogram", "How long calls took.");
  for (const Table::Cell* cell : cells) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= table_->bounds.size(); ++i) {
      count += cell->buckets[i].load(std::memory_order_relaxed);
      begin_sample(out, "leat_call_seconds_bucket", *cell);
      std::string bound;
      if (i < table_->bounds.size()) {
        append_number(bound, table_->bounds[i]);
      } else {
        bound = "+Inf";
      }
      append_label(out, "le", bound);
      end_sample(out, count);
    }
    begin_sample(out, "leat_call_seconds_sum", *cell);
    out += "} ";
    append_number(out, static_cast<double>(cell->sum_ns.load(std::memory_order_relaxed)) / 1e9);
    out += '\n';
    begin_sample(out, "leat_call_seconds_count", *cell);
    end_sample(out, count);
  }
  return out;
}

}  // namespace leat
