#include "daemon/assists/ask.h"

#include <algorithm>

#include "indexer/secrets.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {

namespace {

constexpr std::uint64_t kCapableBytes = std::uint64_t{16} << 30;
constexpr std::int64_t kMarkup = 8;  // tokens around a question
constexpr std::int64_t kMinPack = 256;

}  // namespace

Result<void> can_judge(const inference::BackendInfo& model, std::string_view what) {
  if (model.backend == "scripted" || model.backend == "remote") return {};
  if (model.weights_bytes >= kCapableBytes) return {};
  return make_error(Code::kUnsupported, (model.name.empty() ? "this model" : model.name) +
                                            " is too small to judge code: " + std::string(what) +
                                            " want DeepSeek-V4 (ambit config: model)");
}

std::int64_t room_for_question(const AssistContext& context, std::int64_t max_new_tokens) {
  const auto window = static_cast<std::int64_t>(context.scheduler->backend()->describe().context);
  return std::max<std::int64_t>(0, window - max_new_tokens - kMarkup);
}

Result<Generated> ask_model(const AssistContext& context, const Question& question) {
  const auto tokenizer = context.scheduler->backend()->tokenizer();
  if (!tokenizer) return make_error(Code::kUnavailable, "the model is not ready yet");
  const auto& special = tokenizer->special();
  if (special.user < 0 || special.assistant < 0) {
    return make_error(Code::kUnsupported, "this model has no chat tokens, so it cannot be asked");
  }
  const auto words = tokenizer->encode(question.text);
  auto room =
      room_for_question(context, question.max_new_tokens) - static_cast<std::int64_t>(words.size());
  if (room < 0) {
    return make_error(Code::kResourceExhausted, "the question is larger than the model's window");
  }
  inference::GenerateRequest request;
  if (special.bos >= 0) request.prompt.push_back(special.bos);
  room = std::min(room, question.pack_tokens);
  if (context.packer && !question.path.empty() && room >= kMinPack) {
    indexer::PackRequest wanted;
    wanted.path = question.path;
    wanted.cursor = question.cursor;
    wanted.task = question.task;
    wanted.budget_tokens = room;
    wanted.stream = context.stream;
    const auto pack = context.packer->pack(
        *context.snapshot, wanted,
        [&](std::string_view text) {
          return static_cast<std::int64_t>(context.tokens->encode(tokenizer, text)->size());
        },
        context.stop);
    if (pack) {
      for (const auto& span : pack->spans) {
        const auto ids = context.tokens->encode(tokenizer, span.text);
        request.prompt.insert(request.prompt.end(), ids->begin(), ids->end());
      }
    }
  }
  request.prompt.push_back(special.user);
  request.prompt.insert(request.prompt.end(), words.begin(), words.end());
  request.prompt.push_back(special.assistant);
  if (special.end_think >= 0) request.prompt.push_back(special.end_think);
  request.max_new_tokens = static_cast<std::int32_t>(question.max_new_tokens);
  if (special.eos >= 0) request.stop_ids.push_back(special.eos);
  if (!question.draft.empty()) request.draft = tokenizer->encode(question.draft);
  request.priority = question.priority;
  if (context.scheduler->backend()->describe().backend != "remote") {
    request.grammar = question.grammar;
  }
  return generate(context, std::move(request));
}

bool may_be_asked_about(const indexer::Snapshot& snapshot, std::string_view path) {
  const auto info = snapshot.file(path);
  return info && info->skipped.empty() && !indexer::is_secret_path(path);
}

}  // namespace ambit::daemon
