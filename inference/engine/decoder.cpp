#include "inference/engine/decoder.h"

#include <algorithm>
#include <utility>

namespace ambit::inference {
namespace {

std::span<const float> logits_of(const StepOutput& rows, std::size_t row, std::size_t vocab) {
  return rows.logits.subspan(row * vocab, vocab);
}

}  // namespace

Decoder::Decoder(StepModel& model, std::shared_ptr<const Tokenizer> tokenizer, bool speculate,
                 std::size_t most_rows)
    : model_(&model),
      chooser_(std::move(tokenizer), model.config().vocab_size),
      speculate_(speculate),
      most_rows_(most_rows) {}

void Decoder::begin(Job& job) const {
  if (!job.request.answer.empty()) {
    job.request.max_new_tokens = static_cast<std::int32_t>(job.request.answer.size());
  } else if (speculate_) {
    job.lookup.emplace(job.request.prompt, job.request.draft);
  }
  job.step_ids.clear();  // the one row that came is the prompt's last
}

void Decoder::plan(Job& job) {
  job.step_ids.clear();
  job.step_ids.push_back(job.next);
  job.lookup_drafts = 0;
  const std::int64_t left = job.request.max_new_tokens - job.generated;
  const auto& answer = job.request.answer;
  if (!answer.empty()) {
    // All that is left but the last token, which nothing follows.
    const auto known = std::min<std::size_t>(answer.size() - 1, most_rows_);
    for (auto i = static_cast<std::size_t>(job.generated); i < known; ++i) {
      job.step_ids.push_back(answer[i]);
    }
  } else if (speculate_ && left > 1) {
    job.lookup->propose(static_cast<std::size_t>(left - 1), job.step_ids);
    job.lookup_drafts = job.step_ids.size() - 1;
    const auto most = std::min(model_->draft_length(), static_cast<std::size_t>(left - 1));
    if (job.lookup_drafts == 0 && most > 0 && job.pace.pays()) {
      // Without a draft the step goes on; what broke shows there.
      (void)model_->propose(*job.cache, job.next, most, job.step_ids);
      if (job.step_ids.size() == 1) job.pace.report(0);
    }
  }
}

void Decoder::plan_choices(Job& job, StepInput& in) {
  // The likeliest tokens come from logits alone.
  if (!model_->chooses() || job.request.logprobs != 0 || in.logits_from >= in.ids.size()) return;
  const auto index = static_cast<std::uint64_t>(job.generated);
  chooser_.plan(job.request, index, in.ids.subspan(in.logits_from + 1), job.grammar, job.choices);
  in.choices = job.choices.rows;
  in.masks = job.choices.masks;
}

// The token behind a row; none where the answer ends.
std::optional<TokenId> Decoder::choose(Job& job, const StepOutput& rows, std::size_t row) {
  const auto& answer = job.request.answer;
  const auto index = static_cast<std::uint64_t>(job.generated);
  if (rows.chosen.empty() && !answer.empty()) return answer[index];
  std::optional<TokenId> chosen;
  if (rows.chosen.empty()) {
    const auto logits = logits_of(rows, row, model_->config().vocab_size);
    chosen = chooser_.choose(logits, job.request, index, job.grammar);
  } else if (rows.chosen[row].id >= 0) {
    chosen = rows.chosen[row].id;
  }
  const auto& stops = job.request.stop_ids;
  if (chosen && answer.empty() && std::find(stops.begin(), stops.end(), *chosen) != stops.end()) {
    return std::nullopt;
  }
  return chosen;
}

std::optional<Finish> Decoder::take(Job& job, const StepOutput& rows) {
  const std::size_t drafts = job.step_ids.empty() ? 0 : job.step_ids.size() - 1;
  const std::int64_t base = job.cache->length() - static_cast<std::int64_t>(drafts);
  tokens_.clear();
  accepted_.clear();
  std::optional<Finish> end;
  std::size_t row = 0;
  for (;; ++row) {
    const std::optional<TokenId> chosen = choose(job, rows, row);
    if (!chosen) {
      end = Finish::kStop;
      break;
    }
    const TokenId id = *chosen;
    if (job.request.answer.empty()) chooser_.accept(job.grammar, id);
    tokens_.push_back(rows.chosen.empty()
                          ? chooser_.describe(logits_of(rows, row, model_->config().vocab_size), id,
                                              job.request.logprobs)
                          : generated(rows.chosen[row]));
    accepted_.push_back(id);
    ++job.generated;
    job.next = id;
    if (job.generated >= job.request.max_new_tokens) {
      end = Finish::kLength;
      break;
    }
    if (row >= drafts || job.step_ids[row + 1] != id) break;
  }
  // Row r followed the step's token r; drafts beyond the last agreeing row go.
  const std::size_t kept = std::min(row, drafts);
  if (kept < drafts) job.cache->truncate(base + static_cast<std::int64_t>(kept));
  Usage& u = job.result.usage;
  u.drafted_tokens += static_cast<std::int64_t>(drafts);
  u.accepted_tokens += static_cast<std::int64_t>(kept);
  if (job.lookup) {
    job.lookup->push(accepted_);
    job.lookup->report(job.lookup_drafts, kept);
    if (drafts > job.lookup_drafts) job.pace.report(kept);
  }
  if (!tokens_.empty() && job.events.on_tokens) job.events.on_tokens(tokens_);
  return end;
}

}  // namespace ambit::inference
