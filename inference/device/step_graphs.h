// Small steps recorded as graphs: a step whose shape comes again is the same launches with the same
// addresses, and everything else is read from the upload.
#pragma once

#include <map>

#include "inference/device/step_rows.h"

namespace ambit::inference {

// What a small step's launches depend on.
struct StepForm {
  std::size_t segments = 0, rows = 0, logits = 0, mtp_segments = 0, mtp_rows = 0;
  std::size_t masks = 0;
  bool mtp_logits = false, chosen = false;
  std::int64_t longest = 0;
  auto operator<=>(const StepForm&) const = default;
};

class StepGraphs {
 public:
  explicit StepGraphs(Device& device) : device_(device) {}
  ~StepGraphs() { forget(); }
  StepGraphs(const StepGraphs&) = delete;
  StepGraphs& operator=(const StepGraphs&) = delete;

  // queue() queues the step's launches. They are recorded when the form comes for the second time,
  // and replayed from then on.
  template <class F>
  void run(const StepForm& form, const F& queue) {
    if (form.rows > kRecordedRows) return queue();
    const auto [known, fresh] = graphs_.try_emplace(form, nullptr);
    if (fresh) return queue();  // also brings scratch to its size
    if (known->second == nullptr) known->second = device_.record(queue);
    if (known->second == nullptr) {
      graphs_.erase(known);
      return queue();
    }
    device_.replay(known->second);
  }
  // Something that launches read lies elsewhere from now on.
  void forget() {
    for (const auto& [form, graph] : graphs_) {
      if (graph != nullptr) device_.api().release_graph(graph);
    }
    graphs_.clear();
  }

 private:
  Device& device_;
  std::map<StepForm, void*> graphs_;  // null: seen once
};

}  // namespace ambit::inference
