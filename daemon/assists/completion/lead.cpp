#include "daemon/assists/completion/lead.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "daemon/assists/completion/check.h"
#include "daemon/assists/completion/memory.h"
#include "daemon/assists/completion/model_line.h"
#include "daemon/assists/completion/words.h"
#include "inference/memory/weights.h"

namespace ambit::daemon {

namespace {

// Each costs as much as an answer: some ten milliseconds of one core.
constexpr std::size_t kMostKeys = 6;
constexpr double kLikelyKey = 0.04;
// Shown while typing from here on, where memory and model are both asked: the mean of how likely
// each finds it. A single character must be surer. Chosen on projects that the model has not read
// (docs/context.md).
constexpr double kShowOfBoth = 0.24, kShowCharacter = 0.3;
// The model is read as long as what it writes can still be shown.
constexpr double kReadOn = 0.15;

std::string with_lf(std::string_view text) {
  std::string out(text);
  std::erase(out, '\r');
  return out;
}

// What stands around the cursor, and what looks at an item there.
struct Place {
  Place(const AssistContext& context, const CompletionRequest& request)
      : path(request.path),
        before(with_lf(std::string_view(*request.text).substr(0, request.cursor))),
        after(with_lf(std::string_view(*request.text).substr(request.cursor))),
        max_lines(static_cast<std::size_t>(context.config.integer("completion.max_lines"))),
        cleaner(request.path, before, after, {max_lines}),
        check(context.snapshot, request.path, before, after) {}
  std::string path, before, after;
  std::size_t max_lines;
  Cleaner cleaner;
  ItemCheck check;
};

struct Offer : MemoryAnswer::Item {
  std::string_view source = "repository";
};

std::vector<Offer> offers(const std::vector<MemoryAnswer::Item>& items) {
  std::vector<Offer> out;
  for (const auto& item : items) out.push_back({item});
  return out;
}

// The first of the items that may be shown, as many as are wanted.
void take(CompletionOutcome& outcome, const CompletionRequest& request, Place& place,
          const std::vector<Offer>& items, double least) {
  for (const auto& item : items) {
    if (outcome.items.size() == static_cast<std::size_t>(request.items)) break;
    if (item.confidence < least) break;
    auto verdict = place.check.check(item.text, 0);
    if (verdict.text.empty()) {
      outcome.reason = verdict.reason;
    } else {
      outcome.items.push_back({std::move(verdict.text), std::log(item.confidence), item.source});
    }
  }
}

CompletionOutcome from_memory(const CompletionRequest& request, Place& place,
                              const MemoryAnswer& answer) {
  CompletionOutcome outcome;
  const double least = request.asked ? kShowWhenAsked : kShowWhileTyping;
  take(outcome, request, place, offers(answer.items), least);
  if (outcome.items.empty()) take(outcome, request, place, offers(answer.instead), 0);
  if (!outcome.items.empty()) {
    outcome.reason.clear();
  } else if (outcome.reason.empty()) {
    outcome.reason = answer.reason;
  }
  return outcome;
}

// A name in the item that stands nowhere in this file and this repository, and is no member of
// something: invented. In comments and strings anything may be said.
bool invents(const AssistContext& context, const Place& place, std::string_view item) {
  if (comment_at_end(place.before, lexical_rules(place.path))) return false;
  const auto line = place.before.substr(place.before.rfind('\n') + 1);
  const std::string text = line + std::string(item);
  char quote = '\0';
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (quote != '\0') {
      quote = c == quote ? '\0' : quote;
      i += c == '\\' ? 2 : 1;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && word_byte(text[end])) ++end;
    if (end == i) {
      if (c == '"' || c == '\'' || c == '`') quote = c;
      ++i;
      continue;
    }
    const auto word = std::string_view(text).substr(i, end - i);
    const bool member = i > 0 && (text[i - 1] == '.' || text[i - 1] == '>' || text[i - 1] == ':');
    if (end > line.size() && !member && (c < '0' || c > '9') && !has_word(place.before, word) &&
        !has_word(place.after, word) &&
        (!context.memory || context.memory->table->find(word) == inference::kNoLexeme)) {
      return true;
    }
    i = end;
  }
  return false;
}

// What an item is worth: the keys that it saves if it is right, and more than once what it costs to
// look at a wrong one.
double worth(std::size_t bytes, double likely) {
  return likely * likely * static_cast<double>(bytes);
}

// What memory and model together find likely, the worthiest first.
std::vector<Offer> likely_items(const AssistContext& context, const Place& place,
                                const MemoryAnswer& memory, const ModelLine& model) {
  std::map<std::string, Offer> found;  // by what it begins with
  const auto line_before = std::string_view(place.before).substr(place.before.rfind('\n') + 1);
  const bool in_string = std::count(line_before.begin(), line_before.end(), '"') % 2 == 1;
  const auto fits = [&](std::string_view text, double likely, bool whole) {
    // A bracket alone, in a string, closes nothing.
    if (text.size() == 1 && in_string && is_closer(text[0])) return false;
    return likely >= (text.size() > 1 ? kShowOfBoth : kShowCharacter) &&
           (whole || (ends_part(text.back()) && stands_alone(text)));
  };
  for (const auto& guess : memory.guesses) {
    const auto line = std::string_view(guess.text).substr(0, guess.text.find('\n'));
    double likely = 1;
    for (std::size_t i = 0; i < guess.pieces.size() && guess.pieces[i].end <= line.size(); ++i) {
      likely *= static_cast<double>(guess.pieces[i].probability);
      const auto text = line.substr(0, guess.pieces[i].end);
      const bool whole = guess.ends_line && text.size() == line.size();
      const double mean = (likely + model.likely(text).value_or(0)) / 2;
      if (text.empty() || !fits(text, mean, whole)) continue;
      // The lines of the block that it opens come along.
      const bool grown = whole && guess.text.size() > line.size() &&
                         inference::guess_confidence(guess) >= kShowWhileTyping;
      auto& item = found[std::string(text)];
      if (mean > item.confidence) item = {{grown ? guess.text : std::string(text), mean}};
    }
  }
  double likely = 1;
  for (const auto& piece : model.guess.pieces) {
    likely *= static_cast<double>(piece.probability);
    const auto text = std::string_view(model.guess.text).substr(0, piece.end);
    if (!fits(text, likely / 2, false) || found.contains(std::string(text))) continue;
    if (!invents(context, place, text))
      found[std::string(text)] = {{std::string(text), likely / 2}, "model"};
  }
  std::vector<Offer> out;
  for (auto& [text, item] : found) out.push_back(std::move(item));
  const auto value = [](const Offer& item) {
    return worth(std::min(item.text.find('\n'), item.text.size()), item.confidence);
  };
  std::stable_sort(out.begin(), out.end(),
                   [&](const auto& a, const auto& b) { return value(a) > value(b); });
  for (auto& item : out) item.text = place.cleaner.clean(item.text, true).text;
  std::erase_if(out, [](const auto& item) { return item.text.empty(); });
  return out;
}

}  // namespace

void complete_leading(const std::shared_ptr<const AssistContext>& context,
                      const CompletionRequest& request,
                      std::function<void(CompletionOutcome)> done) {
  auto place = std::make_shared<Place>(*context, request);
  auto memory = ask_memory(*context, request.path, place->before, place->after, place->cleaner,
                           place->max_lines, request.asked ? kPartsWhenAsked : kPartsWhileTyping);
  const auto alone = [context, request, place](const MemoryAnswer& answer) {
    auto outcome = from_memory(request, *place, answer);
    outcome.cancelled = context->stop.stop_requested();
    return outcome;
  };
  // By hand several whole lines are wanted, which only the memory has.
  if (request.asked || memory.inside_word || !writes_lines(*context)) return done(alone(memory));
  ask_model_line(context, request, kReadOn,
                 [=, memory = std::move(memory), done = std::move(done)](const ModelLine& model) {
                   if (model.steps.empty()) return done(alone(memory));
                   CompletionOutcome outcome;
                   take(outcome, request, *place, likely_items(*context, *place, memory, model), 0);
                   outcome.cancelled = context->stop.stop_requested();
                   if (!outcome.items.empty()) {
                     outcome.reason.clear();
                   } else if (outcome.reason.empty()) {
                     outcome.reason = memory.reason;
                   }
                   done(std::move(outcome));
                 });
}

namespace {

struct AheadTask : std::enable_shared_from_this<AheadTask> {
  std::shared_ptr<const AssistContext> context;
  CompletionRequest request;
  std::string shown;
  Ahead ahead;

  // The item for the document with `typed` at the cursor; `none` is called when there is none.
  void after_typing(const std::string& typed, std::function<void()> none = {}) const {
    if (context->stop.stop_requested()) return;
    CompletionRequest next = request;
    auto text = std::make_shared<std::string>(*request.text);
    text->insert(request.cursor, typed);
    next.text = text;
    next.cursor = request.cursor + typed.size();
    const auto cursor = next.cursor;
    complete_leading(context, next,
                     [self = shared_from_this(), text, cursor, none](CompletionOutcome outcome) {
                       if (outcome.cancelled) return;
                       if (!outcome.items.empty()) {
                         self->ahead.add({text, cursor, std::move(outcome.items.front().text)});
                       } else if (none) {
                         self->ahead.work(none);
                       }
                     });
  }

  // Nothing follows on the shown item's line: the next one, as deep as that.
  void next_line() const {
    const auto before = with_lf(std::string_view(*request.text).substr(0, request.cursor));
    auto line = before + shown;
    line.erase(0, line.rfind('\n') + 1);
    line.erase(std::min(line.find_first_not_of(" \t"), line.size()));
    after_typing(shown + "\n" + line);
  }

  void run(const ModelLine& model) const {
    const auto before = with_lf(std::string_view(*request.text).substr(0, request.cursor));
    const auto after = with_lf(std::string_view(*request.text).substr(request.cursor));
    const bool crlf = request.text->find('\r') != std::string::npos;
    std::size_t keys = 0;
    for (const auto& key : likely_keys(*context, request.path, before, after, model.keys)) {
      if (context->stop.stop_requested() || keys == kMostKeys || key.probability < kLikelyKey)
        break;
      if (shown.starts_with(key.text) || (crlf && key.text[0] == '\n')) continue;
      after_typing(key.text);
      ++keys;
    }
    if (shown.empty() || (crlf && shown.find('\n') != shown.npos)) return;
    const auto rest = std::string_view(after).substr(0, after.find('\n'));
    if (crlf || !rest.empty()) return after_typing(shown);
    after_typing(shown, [self = shared_from_this()] { self->next_line(); });
  }
};

}  // namespace

void complete_ahead(std::shared_ptr<const AssistContext> context, CompletionRequest request,
                    std::string shown, Ahead ahead) {
  auto task = std::make_shared<AheadTask>();
  task->context = std::move(context);
  task->request = std::move(request);
  task->shown = std::move(shown);
  task->ahead = std::move(ahead);
  if (!writes_lines(*task->context)) return task->run({});
  // What the model finds likely here, then what each of these would be answered with.
  ask_model_line(task->context, task->request, kLikelyKey, [task](ModelLine line) {
    task->ahead.work([task, line = std::move(line)] { task->run(line); });
  });
}

}  // namespace ambit::daemon
