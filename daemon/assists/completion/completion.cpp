#include "daemon/assists/completion/completion.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "daemon/assists/completion/check.h"
#include "daemon/assists/completion/clean.h"
#include "daemon/assists/completion/lead.h"
#include "daemon/assists/completion/memory.h"
#include "daemon/assists/completion/next_edit.h"

namespace ambit::daemon {

namespace {

using inference::Finish;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// All items of one request; the last one to end calls done.
struct Batch {
  std::shared_ptr<const AssistContext> context;
  std::function<void(CompletionOutcome)> done;
  std::unique_ptr<Cleaner> cleaner;
  CompletionRequest request;
  std::vector<inference::TokenId> prompt;
  std::string healed;             // what every answer begins with: it stands before the cursor
  bool line_end_follows = false;  // the answer's own last one stands in the text already
  Clock::time_point start;
  std::mutex mutex;
  CompletionOutcome outcome;
  std::int64_t left = 0;
  std::optional<ItemCheck> check;  // guarded by mutex

  void finish_one(std::optional<CompletionItem> item, std::string_view reason,
                  const inference::GenerateResult& result) {
    std::lock_guard lock(mutex);
    if (item) {
      const bool known = std::any_of(outcome.items.begin(), outcome.items.end(),
                                     [&](const auto& other) { return other.text == item->text; });
      if (!known) outcome.items.push_back(std::move(*item));
    } else if (outcome.reason.empty()) {
      outcome.reason = reason;
    }
    if (outcome.prompt_tokens == 0 || result.usage.prompt_tokens != 0) outcome.usage = result.usage;
    if (result.finish == Finish::kError && outcome.error.message.empty()) {
      outcome.error = result.error;
    }
    if (--left > 0) return;
    outcome.total_ms = ms_since(start);
    std::stable_sort(outcome.items.begin(), outcome.items.end(),
                     [](const auto& a, const auto& b) { return a.logprob > b.logprob; });
    if (!outcome.items.empty()) {
      outcome.reason.clear();
      outcome.error = {};
    }
    outcome.cancelled = outcome.items.empty() && context->stop.stop_requested();
    done(std::move(outcome));
  }
};

void start_item(const std::shared_ptr<Batch>& batch, std::int64_t number, bool again);

// One running generation. Touched on the backend's thread only, one event at a time.
struct Stream {
  Stream(std::shared_ptr<Batch> b, std::int64_t n, bool a,
         std::shared_ptr<const inference::Tokenizer> tokenizer)
      : batch(std::move(b)),
        number(n),
        again(a),
        decoder(std::move(tokenizer)),
        outer(batch->context->stop, [source = enough]() mutable { source.request_stop(); }) {}
  std::shared_ptr<Batch> batch;
  const std::int64_t number;
  const bool again;
  inference::StreamDecoder decoder;
  std::string raw;
  double logprob_sum = 0;
  std::int64_t tokens = 0;
  Cleaned cleaned;
  std::stop_source enough;  // the item is complete, or the caller cancelled
  std::stop_callback<std::function<void()>> outer;

  [[nodiscard]] std::string_view said() const {
    return std::string_view(raw).substr(std::min(raw.size(), batch->healed.size()));
  }

  void on_tokens(std::span<const inference::GeneratedToken> generated) {
    if (cleaned.complete) return;
    for (const auto& token : generated) {
      raw += decoder.push(token.id);
      logprob_sum += token.logprob;
      ++tokens;
    }
    cleaned = batch->cleaner->clean(said(), false);
    if (cleaned.complete) enough.request_stop();
  }

  void on_done(const inference::GenerateResult& result) {
    if (!cleaned.complete && result.finish != Finish::kError) {
      raw += decoder.finish();
      const bool stopped = result.finish == Finish::kStop;
      auto text = said();
      if (stopped && batch->line_end_follows && text.ends_with('\n')) text.remove_suffix(1);
      cleaned = batch->cleaner->clean(text, stopped, !stopped);
    }
    std::optional<CompletionItem> item;
    std::string_view reason = cleaned.reason;
    if (result.finish == Finish::kError) {
      reason = "the model failed";
      if (!result.error.message.empty()) reason = result.error.message;
    } else if (batch->context->stop.stop_requested()) {
      reason = "superseded by newer typing";
    } else if (result.finish == Finish::kDeadline && cleaned.text.empty()) {
      reason = "the model was too slow";
    } else if (!cleaned.text.empty()) {
      item = CompletionItem{cleaned.text,
                            logprob_sum / static_cast<double>(std::max<std::int64_t>(tokens, 1))};
      ItemCheck::Verdict verdict;
      {
        std::lock_guard lock(batch->mutex);
        verdict = batch->check->check(item->text, item->logprob);
      }
      // What does not stand up to the index is asked for once more, otherwise.
      if (verdict.text.empty() && !again && !batch->request.ahead) {
        return start_item(batch, number, true);
      }
      item->text = std::move(verdict.text);
      if (item->text.empty()) item.reset(), reason = verdict.reason;
    }
    batch->finish_one(std::move(item), reason, result);
  }
};

void start_item(const std::shared_ptr<Batch>& batch, std::int64_t number, bool again) {
  const AssistContext& context = *batch->context;
  const auto tokenizer = context.scheduler->backend()->tokenizer();
  auto stream = std::make_shared<Stream>(batch, number, again, tokenizer);
  Job job;
  job.owner = context.owner + (number == 0 ? "" : " item " + std::to_string(number + 1));
  job.what = batch->request.ahead ? "completion ahead" : "completion";
  job.stop = stream->enough.get_token();
  job.request.prompt = batch->prompt;
  job.request.repository = context.root.string();
  if (!batch->healed.empty()) job.request.grammar = answer_beginning_with(batch->healed);
  job.request.priority =
      batch->request.ahead ? inference::Priority::kBackground : inference::Priority::kKeystroke;
  job.request.max_new_tokens =
      static_cast<std::int32_t>(context.config.integer("completion.max_tokens"));
  job.request.deadline_ms =
      static_cast<std::uint32_t>(context.config.integer("completion.timeout_ms"));
  // The first item is the likeliest; the others are for choosing, so they must differ.
  const double temperature = context.config.number("completion.temperature");
  job.request.sampling.temperature =
      static_cast<float>(number == 0 && !again ? temperature : std::max(0.6, temperature));
  job.request.sampling.top_p = 0.95F;
  job.request.sampling.seed = static_cast<std::uint64_t>(number + (again ? 1000 : 0));
  job.request.stop_ids = answer_ends(*tokenizer);
  job.events.on_tokens = [stream](auto tokens) { stream->on_tokens(tokens); };
  job.events.on_done = [stream](const auto& result) { stream->on_done(result); };
  context.scheduler->submit(std::move(job));
}

CompletionOutcome without_items(std::string reason, Error error = {}) {
  CompletionOutcome outcome;
  outcome.reason = std::move(reason);
  outcome.error = std::move(error);
  return outcome;
}

}  // namespace

void complete(std::shared_ptr<const AssistContext> context, CompletionRequest request,
              std::function<void(CompletionOutcome)> done) {
  const auto start = Clock::now();
  const std::string_view text = *request.text;
  const auto before = text.substr(0, request.cursor), after = text.substr(before.size());
  const auto info = context->scheduler->backend()->describe();
  std::string before_lf(before), after_lf(after);
  std::erase(before_lf, '\r');
  std::erase(after_lf, '\r');
  Cleaner::Options options;
  options.max_lines = static_cast<std::size_t>(context->config.integer("completion.max_lines"));
  auto cleaner = std::make_unique<Cleaner>(request.path, before_lf, after_lf, options);
  if (context->saved && !request.ahead && !request.read_only) {
    if (auto edit = next_edit(*context->saved, *context->snapshot, request.path,
                              context->open_files, text, request.cursor)) {
      CompletionOutcome outcome;
      outcome.items.push_back({std::move(edit->rest), 0, "index", edit->replaced});
      outcome.total_ms = ms_since(start);
      return done(std::move(outcome));
    }
  }
  const bool memory_leads = memory_role(context->config, info) == MemoryRole::kLead;
  if (request.read_only && memory_leads) return done({});
  if (memory_leads) {
    return complete_leading(
        context, request, [info, start, done = std::move(done)](CompletionOutcome outcome) {
          if (outcome.items.empty() && info.state == inference::BackendState::kUnavailable) {
            outcome.reason = info.problem;
            outcome.error = make_error(Code::kUnavailable, info.problem);
          }
          outcome.total_ms = ms_since(start);
          done(std::move(outcome));
        });
  }
  auto prompt =
      make_completion_prompt(*context, {request.path, before, after}, request.form, info.context,
                             info.backend == "cpu" || info.backend == "cuda");
  if (!prompt) {
    auto outcome = without_items(prompt.error().message, prompt.error());
    outcome.cancelled = prompt.error().code == Code::kCancelled;
    done(std::move(outcome));
    return;
  }
  if (context->stop.stop_requested()) {
    auto outcome = without_items("superseded by newer typing");
    outcome.cancelled = true;
    done(std::move(outcome));
    return;
  }
  if (request.read_only) {
    Job job;
    job.owner = context->owner;
    job.what = "reading for a completion";
    job.stop = context->stop;
    job.request.prompt = std::move(prompt->ids);
    job.request.repository = context->root.string();
    job.request.priority = inference::Priority::kKeystroke;
    job.events.on_done = [done = std::move(done)](const auto&) { done({}); };
    return context->scheduler->submit(std::move(job));
  }
  auto batch = std::make_shared<Batch>();
  batch->context = context;
  batch->done = std::move(done);
  batch->start = start;
  batch->left = request.items;
  batch->cleaner = std::move(cleaner);
  batch->outcome.pack = std::move(prompt->pack);
  batch->outcome.prompt_tokens = static_cast<std::int64_t>(prompt->ids.size());
  batch->outcome.prompt_ms = ms_since(start);
  batch->outcome.cold = prompt->cold;

  batch->prompt = std::move(prompt->ids);
  batch->healed = std::move(prompt->healed);
  batch->line_end_follows = request.form.order == FimOrder::kSpm && after_lf.starts_with('\n');
  batch->check.emplace(context->snapshot, request.path, std::string(before), std::string(after));
  batch->request = std::move(request);
  for (std::int64_t i = 0; i < batch->request.items; ++i) start_item(batch, i, false);
}

}  // namespace ambit::daemon
