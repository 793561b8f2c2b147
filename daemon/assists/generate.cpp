#include <condition_variable>
#include <mutex>

#include "daemon/assists/assist.h"
#include "daemon/scheduling/model_spec.h"

namespace ambit::daemon {

Result<Generated> generate(const AssistContext& context, inference::GenerateRequest request,
                           std::function<void(std::string_view)> on_text) {
  struct Wait {
    explicit Wait(std::shared_ptr<const inference::Tokenizer> t) : decoder(std::move(t)) {}
    std::mutex mutex;
    std::condition_variable ended;
    inference::StreamDecoder decoder;
    std::string text;
    std::optional<inference::GenerateResult> result;
  };
  auto tokenizer = context.scheduler->backend()->tokenizer();
  if (!tokenizer) return why_not_ready(*context.scheduler->backend());
  auto wait = std::make_shared<Wait>(std::move(tokenizer));
  Job job;
  job.request = std::move(request);
  job.request.repository = context.root.string();
  job.stop = context.stop;
  job.owner = context.owner;
  job.what = "command";
  job.events.on_tokens = [wait, on_text](std::span<const inference::GeneratedToken> tokens) {
    std::string piece;
    for (const auto& token : tokens) piece += wait->decoder.push(token.id);
    wait->text += piece;
    if (on_text && !piece.empty()) on_text(piece);
  };
  job.events.on_done = [wait](const inference::GenerateResult& result) {
    std::lock_guard lock(wait->mutex);
    wait->text += wait->decoder.finish();
    wait->result = result;
    wait->ended.notify_all();
  };
  context.scheduler->submit(std::move(job));
  std::unique_lock lock(wait->mutex);
  wait->ended.wait(lock, [&] { return wait->result.has_value(); });
  switch (wait->result->finish) {
    case inference::Finish::kError:
      return wait->result->error;
    case inference::Finish::kCancelled:
      return make_error(Code::kCancelled, "cancelled");
    case inference::Finish::kDeadline:
      return make_error(Code::kTimeout, "the model did not answer in time");
    default:
      return Generated{std::move(wait->text), wait->result->finish, wait->result->usage};
  }
}

}  // namespace ambit::daemon
