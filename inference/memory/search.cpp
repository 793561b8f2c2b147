// From single steps to lines: a beam over lexemes, then further lines while they are likely.
#include <algorithm>
#include <cmath>
#include <map>

#include "inference/memory/predictor.h"
#include "inference/memory/weights.h"

namespace ambit::inference {
namespace {

constexpr std::size_t kMostLexemes = 48;  // of a line
constexpr double kHopeless = 1e-3;        // a hypothesis less likely than this is given up
constexpr double kLikelyLine = 0.6;       // further lines must be at least so likely, each

int bracket_step(std::string_view text) {
  if (text == "(" || text == "[" || text == "{") return 1;
  if (text == ")" || text == "]" || text == "}") return -1;
  return 0;
}

}  // namespace

struct MemoryQuery::Hypothesis {
  std::vector<Lexeme> lexemes;
  std::vector<float> probabilities;  // of each, and of the end when it was reached
  double log_probability = 0;
  int depth = 0;  // brackets that it opened
  bool ended = false;
};

MemoryGuess MemoryQuery::render(const Hypothesis& h) const {
  MemoryGuess out;
  out.log_probability = h.log_probability;
  out.ends_line = h.ended;
  for (std::size_t i = 0; i < h.lexemes.size(); ++i) {
    const auto id = id_of(h.lexemes[i]);
    const auto text = words_.text(id);
    if (i == 0) {
      if (prefix_.empty() && space_of(h.lexemes[0]) != 0 && !after_space_ && !fresh_line_) {
        out.text += ' ';
      }
      out.text += text.substr(std::min(prefix_.size(), text.size()));
    } else {
      if (space_of(h.lexemes[i]) != 0) out.text += ' ';
      out.text += text;
    }
    out.pieces.push_back({static_cast<std::uint32_t>(out.text.size()), h.probabilities[i]});
  }
  return out;
}

std::vector<MemoryGuess> MemoryQuery::guess(std::size_t beam, std::size_t max_lines) const {
  if (inside_word_) return {};
  std::vector<Hypothesis> open(1), done, fresh;
  for (std::size_t step = 0; step < kMostLexemes && !open.empty(); ++step) {
    fresh.clear();
    for (const Hypothesis& h : open) {
      const NextStep next_step = next(h.lexemes);
      for (std::size_t c = 0; c < next_step.candidates.size() && c < beam; ++c) {
        const auto& candidate = next_step.candidates[c];
        const double log_probability = h.log_probability + std::log(candidate.probability);
        if (log_probability < std::log(kHopeless)) break;
        const LexemeId id = id_of(candidate.lexeme);
        Hypothesis longer = h;
        longer.log_probability = log_probability;
        longer.probabilities.push_back(static_cast<float>(candidate.probability));
        const bool meets_rest = !rest_of_line_.empty() && id == rest_of_line_[0] && h.depth <= 0;
        if (is_line_start(id) || meets_rest) {
          // A line that ends where the cursor stands offers nothing.
          if (h.lexemes.empty()) continue;
          longer.ended = true;
          done.push_back(std::move(longer));
          if (is_line_start(id)) continue;
          longer = h;
          longer.log_probability = log_probability;
          longer.probabilities.push_back(static_cast<float>(candidate.probability));
        }
        longer.lexemes.push_back(candidate.lexeme);
        longer.depth += bracket_step(words_.text(id));
        fresh.push_back(std::move(longer));
      }
    }
    const auto better = [](const Hypothesis& a, const Hypothesis& b) {
      return a.log_probability > b.log_probability;
    };
    std::stable_sort(fresh.begin(), fresh.end(), better);
    if (fresh.size() > beam) fresh.resize(beam);
    std::stable_sort(done.begin(), done.end(), better);
    if (done.size() > beam) done.resize(beam);
    // Nothing that is still open can become better than what is done.
    if (done.size() == beam && !fresh.empty() &&
        fresh[0].log_probability < done.back().log_probability) {
      fresh.clear();
    }
    open.swap(fresh);
  }
  std::vector<MemoryGuess> out;
  for (const auto& h : done) {
    MemoryGuess guess = render(h);
    if (guess.text.empty()) continue;
    // The same text with another kind of line behind it is the same guess, likelier.
    const auto known = std::find_if(out.begin(), out.end(),
                                    [&](const auto& other) { return other.text == guess.text; });
    if (known != out.end()) {
      known->log_probability =
          std::log(std::exp(known->log_probability) + std::exp(guess.log_probability));
      continue;
    }
    if (out.empty() && max_lines > 1 && rest_of_line_.empty()) grow_lines(guess, h, max_lines);
    out.push_back(std::move(guess));
  }
  return out;
}

std::string MemoryQuery::line_start_text(std::size_t column) const {
  return "\n" + (tabs_ ? std::string(column / 4, '\t') : std::string(column, ' '));
}

std::vector<MemoryKey> MemoryQuery::likely_keys() const {
  std::map<std::string, double> keys;
  if (inside_word_) return {};
  const auto count = [&](const NextStep& step, std::string_view prefix, bool spaced, double share) {
    for (const auto& candidate : step.candidates) {
      const auto id = id_of(candidate.lexeme);
      const auto text = words_.text(id);
      std::string key;
      if (is_line_start(id)) {
        key = line_start_text(indents_.column_of(id, unit_));
      } else if (prefix.empty() && space_of(candidate.lexeme) != 0 && !spaced) {
        key = " ";
      } else if (text.size() > prefix.size()) {
        key = text.substr(prefix.size(), 1);
      }
      if (!key.empty() && static_cast<unsigned char>(key[0]) < 0x80) {
        keys[key] += share * candidate.probability;
      }
    }
  };
  const auto first = next({});
  count(first, prefix_, after_space_ || fresh_line_, 1);
  // The word may be finished as it is.
  for (const auto& candidate : first.candidates) {
    if (prefix_.empty() || words_.text(id_of(candidate.lexeme)) != prefix_) continue;
    const std::array<Lexeme, 1> word{candidate.lexeme};
    count(next(word), {}, false, candidate.probability);
  }
  std::vector<MemoryKey> out;
  for (const auto& [text, probability] : keys) out.push_back({text, probability});
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.probability > b.probability; });
  return out;
}

void MemoryQuery::grow_lines(MemoryGuess& guess, const Hypothesis& h, std::size_t max_lines) const {
  IndentStack indents = indents_;
  const std::size_t base = indents.column_of(kLineSame, unit_);
  std::vector<Lexeme> lexemes = h.lexemes;
  for (std::size_t line = 1; line < max_lines; ++line) {
    std::string text;
    std::vector<MemoryGuess::Piece> pieces;
    double log_probability = 0;
    bool whole = false;
    std::size_t column = 0;
    std::vector<Lexeme> grown = lexemes;
    for (std::size_t step = 0; step < kMostLexemes; ++step) {
      const NextStep next_step = next(grown);
      if (next_step.candidates.empty()) break;
      const auto& best = next_step.candidates[0];
      const LexemeId id = id_of(best.lexeme);
      log_probability += std::log(best.probability);
      if (log_probability < std::log(kLikelyLine)) break;
      if (step == 0) {
        // Only what stands inside the block that was opened, and its end.
        if (!is_line_start(id)) break;
        column = indents.column_of(id, unit_);
        if (line == 1 && id != kLineDeeper) break;
        if (column < base) break;
        text += line_start_text(column);
      } else if (is_line_start(id)) {
        whole = true;
        break;
      } else {
        if (step > 1 && space_of(best.lexeme) != 0) text += ' ';
        text += words_.text(id);
      }
      grown.push_back(best.lexeme);
      pieces.push_back({static_cast<std::uint32_t>(guess.text.size() + text.size()),
                        static_cast<float>(best.probability)});
    }
    if (!whole) return;
    (void)indents.step(column);
    guess.text += text;
    guess.log_probability += log_probability;
    guess.pieces.insert(guess.pieces.end(), pieces.begin(), pieces.end());
    lexemes = std::move(grown);
    if (column == base) return;  // the block is closed
  }
}

}  // namespace ambit::inference
