#include "daemon/assists/completion/model_line.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "daemon/assists/completion/memory.h"
#include "daemon/assists/completion/words.h"

namespace ambit::daemon {

namespace {

constexpr std::int32_t kMostTokens = 16;
// Of the tokens that are not among the rivals, so many are taken to agree with the healed text.
constexpr double kHiddenAgreeing = 0.03;

// Does a word end between the two, or something that closes?
bool ends_between(char left, char right) {
  return (word_byte(left) && !word_byte(right)) || ends_part(left);
}

bool ends_inside(std::string_view text, std::size_t at) {
  return ends_between(text[at - 1], text[at]) && !(word_byte(text[at - 1]) && word_byte(text[at]));
}

}  // namespace

LineReader::LineReader(std::shared_ptr<const inference::Tokenizer> tokenizer, std::string healed,
                       double least)
    : tokenizer_(std::move(tokenizer)), need_(std::move(healed)), least_(least) {}

void LineReader::end_piece(std::size_t end, double likely) {
  auto& pieces = line_.guess.pieces;
  if (end == 0 || (!pieces.empty() && pieces.back().end >= end)) return;
  likely = std::min(likely, last_piece_);
  pieces.push_back({static_cast<std::uint32_t>(end), static_cast<float>(likely / last_piece_)});
  last_piece_ = std::max(likely, 1e-9);
}

void LineReader::count_keys(const std::vector<ModelLine::Rival>& rivals) {
  for (const auto& rival : rivals) {
    if (rival.text.empty() || static_cast<unsigned char>(rival.text[0]) >= 0x80 ||
        rival.text[0] == '\n') {
      continue;
    }
    auto key = rival.text.substr(0, 1);
    const auto found = std::find_if(line_.keys.begin(), line_.keys.end(),
                                    [&](const auto& other) { return other.text == key; });
    if (found == line_.keys.end()) {
      line_.keys.push_back({std::move(key), likely_ * rival.share});
    } else {
      found->probability += likely_ * rival.share;
    }
  }
}

bool LineReader::push(const inference::GeneratedToken& token) {
  const auto bytes = tokenizer_->token_bytes(token.id);
  if (bytes.empty() || std::any_of(bytes.begin(), bytes.end(),
                                   [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return false;
  }
  const bool partial = bytes.size() < need_.size() && std::string_view(need_).starts_with(bytes);
  if (!partial && !bytes.starts_with(need_)) return false;

  // What else could stand here, as far as it agrees with what does.
  std::vector<ModelLine::Rival> rivals;
  double total = 0, seen = 0;
  bool listed = false;
  for (const auto& top : token.top) {
    const double p = std::exp(static_cast<double>(top.logprob));
    seen += p;
    const auto other = tokenizer_->token_bytes(top.id);
    if (other.empty()) {
      if (need_.empty()) total += p;
      continue;
    }
    const bool behind = other.starts_with(need_);
    if (!behind && !std::string_view(need_).starts_with(other)) continue;
    total += p;
    listed = listed || top.id == token.id;
    if (behind) rivals.push_back({std::string(other.substr(need_.size())), p});
  }
  const double own = std::exp(static_cast<double>(token.logprob));
  if (!listed) {
    total += own;
    if (!partial) rivals.push_back({std::string(bytes.substr(need_.size())), own});
  }
  if (!need_.empty()) total += kHiddenAgreeing * std::max(0.0, 1 - seen);
  total = std::max(need_.empty() ? 1.0 : total, own);
  for (auto& rival : rivals) rival.share /= total;

  if (partial) {
    need_.erase(0, bytes.size());
    return (likely_ *= own / total) >= least_;
  }
  auto& text = line_.guess.text;
  if (text.empty()) count_keys(rivals);
  const auto share_of = [&](const auto& holds) {
    double sum = 0;
    for (const auto& rival : rivals) sum += holds(rival.text) ? rival.share : 0;
    return likely_ * sum;
  };
  const auto rest = bytes.substr(need_.size());
  if (!text.empty() && !rest.empty() && ends_between(text.back(), rest[0]) &&
      !(word_byte(text.back()) && word_byte(rest[0]))) {
    const bool word = word_byte(text.back());
    end_piece(text.size(), share_of([&](std::string_view other) {
                return !word || (!other.empty() && !word_byte(other[0]));
              }));
  }
  const auto line_end = std::min(rest.find_first_of("\r\n"), rest.size());
  for (std::size_t at = 1; at <= line_end && at < rest.size(); ++at) {
    if (!ends_inside(rest, at)) continue;
    const auto piece = rest.substr(0, at);
    end_piece(text.size() + at, share_of([&](std::string_view other) {
                return other.starts_with(piece) &&
                       (other.size() == at || !word_byte(piece.back()) || !word_byte(other[at]));
              }));
  }
  need_.clear();
  line_.steps.push_back({text.size(), likely_, std::move(rivals)});
  text += rest.substr(0, line_end);
  if (line_end < rest.size()) {
    line_.guess.ends_line = true;
    return false;
  }
  return (likely_ *= own / total) >= least_;
}

std::optional<double> ModelLine::likely(std::string_view text) const {
  if (steps.empty() || text.empty()) return std::nullopt;
  const std::string_view own = guess.text;
  const bool word = word_byte(text.back());
  for (std::size_t i = 0;; ++i) {
    const auto& step = steps[i];
    const bool last = i + 1 == steps.size();
    const auto end = last ? own.size() : steps[i + 1].begin;
    const auto own_part = own.substr(step.begin, end - step.begin);
    const auto rest = text.substr(std::min(step.begin, text.size()));
    if (!last && !rest.empty() && rest.starts_with(own_part)) {
      if (rest.size() > own_part.size() || word) continue;
      return steps[i + 1].likely;
    }
    double sum = 0;
    for (const auto& rival : step.rivals) {
      const std::string_view other = rival.text;
      const bool holds = other.starts_with(rest) &&
                         (!word || other.size() == rest.size() || !word_byte(other[rest.size()]));
      const bool begins = !other.empty() && other.size() < rest.size() && rest.starts_with(other);
      // Nothing but the end of a word is wanted of this token.
      const bool ends = rest.empty() && !other.empty() && !word_byte(other[0]);
      if (rest.empty() ? ends : holds || begins) sum += rival.share;
    }
    return step.likely * sum;
  }
}

ModelLine LineReader::take() {
  std::stable_sort(line_.keys.begin(), line_.keys.end(),
                   [](const auto& a, const auto& b) { return a.probability > b.probability; });
  return std::move(line_);
}

bool writes_lines(const AssistContext& context) {
  const auto model = context.scheduler->backend()->describe();
  return model.state == inference::BackendState::kReady && !model.leaves_machine &&
         (model.backend == "cpu" || model.backend == "cuda") &&
         model.weights_bytes < kSmallModelBytes;
}

void ask_model_line(std::shared_ptr<const AssistContext> context, const CompletionRequest& request,
                    double least, std::function<void(ModelLine)> done) {
  const auto text = std::string_view(*request.text);
  const auto info = context->scheduler->backend()->describe();
  auto prompt = make_completion_prompt(
      *context, {request.path, text.substr(0, request.cursor), text.substr(request.cursor)},
      request.form, info.context, true);
  if (!prompt || context->stop.stop_requested()) return done({});
  const auto tokenizer = context->scheduler->backend()->tokenizer();

  struct Reading {
    Reading(LineReader r, const std::stop_token& caller)
        : reader(std::move(r)),
          outer(caller, [source = enough]() mutable { source.request_stop(); }) {}
    LineReader reader;
    bool more = true;
    std::stop_source enough;
    std::stop_callback<std::function<void()>> outer;
  };
  auto reading =
      std::make_shared<Reading>(LineReader(tokenizer, prompt->healed, least), context->stop);
  Job job;
  job.owner = context->owner + (request.ahead ? " ahead" : "");
  job.what = request.ahead ? "completion ahead" : "completion";
  job.stop = reading->enough.get_token();
  job.request.prompt = std::move(prompt->ids);
  job.request.repository = context->root.string();
  if (!prompt->healed.empty()) job.request.grammar = answer_beginning_with(prompt->healed);
  job.request.priority =
      request.ahead ? inference::Priority::kBackground : inference::Priority::kKeystroke;
  job.request.max_new_tokens = kMostTokens;
  job.request.logprobs = kRivals;
  job.request.deadline_ms =
      static_cast<std::uint32_t>(context->config.integer("completion.timeout_ms"));
  job.request.stop_ids = answer_ends(*tokenizer);
  job.events.on_tokens = [reading](auto tokens) {
    for (const auto& token : tokens) {
      if (!reading->more) break;
      reading->more = reading->reader.push(token);
    }
    if (!reading->more) reading->enough.request_stop();
  };
  job.events.on_done = [reading, context, done = std::move(done)](const auto&) {
    done(context->stop.stop_requested() ? ModelLine{} : reading->reader.take());
  };
  context->scheduler->submit(std::move(job));
}

}  // namespace ambit::daemon
