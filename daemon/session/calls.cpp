#include "daemon/session/calls.h"

#include <nlohmann/json.hpp>
#include <random>

namespace ambit::daemon {

using nlohmann::json;

Calls::Calls(Strand strand)
    : strand_(std::move(strand)),
      next_(std::uniform_int_distribution<std::int64_t>(
          1, 1 << 30)(*std::make_unique<std::random_device>())) {}

std::optional<std::int64_t> Calls::add(std::chrono::milliseconds limit, OnAnswer then) {
  if (open_.size() >= kMaxOpen) {
    if (then) {
      then(make_error(Code::kResourceExhausted, "the editor leaves too many questions unanswered"));
    }
    return std::nullopt;
  }
  const std::int64_t id = next_++;
  Call call{std::move(then), nullptr};
  if (limit.count() > 0) {
    call.timer = std::make_unique<Timer>(strand_);
    // The timer dies with the call, which dies with its session: `this` outlives it.
    call.timer->start(limit, [this, id] {
      settle(id, make_error(Code::kTimeout, "the editor did not answer in time"));
    });
  }
  open_.emplace(id, std::move(call));
  return id;
}

bool Calls::settle(std::int64_t id, Answer answer) {
  auto found = open_.extract(id);
  if (!found) return false;
  if (found.mapped().then) found.mapped().then(std::move(answer));
  return true;
}

void Calls::end_all() {
  while (!open_.empty()) {
    settle(open_.begin()->first, make_error(Code::kCancelled, "the editor is gone"));
  }
}

Answer answer_of(const lsp::Response& response) {
  if (!response.error) return response.result;
  Code code = Code::kInternal;
  if (response.error->code == lsp::ErrorCode::kMethodNotFound) code = Code::kUnsupported;
  if (response.error->code == lsp::ErrorCode::kRequestCancelled) code = Code::kCancelled;
  return make_error(code, "the editor answered: " + response.error->message);
}

}  // namespace ambit::daemon
