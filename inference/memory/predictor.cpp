#include "inference/memory/predictor.h"

#include <algorithm>
#include <cmath>

#include "inference/memory/votes.h"
#include "inference/memory/weights.h"

namespace ambit::inference {
namespace {

constexpr std::size_t kMostOwn = 120000;    // lexemes of open texts
constexpr std::size_t kMostOwnVotes = 768;  // of one step
constexpr std::size_t kSample = 64, kSampleWithPrefix = 768;
// Of voters that say nothing about spaces: too light to outvote anybody there.
constexpr float kNoSpaces = 1e-3F;

std::uint64_t shape_key(std::span<const Shape> shapes) {
  const std::size_t n = shapes.size();
  return static_cast<std::uint64_t>(shape_class(shapes[n - 1])) |
         static_cast<std::uint64_t>(shape_class(shapes[n - 2])) << 16U |
         static_cast<std::uint64_t>(shape_class(shapes[n - 3])) << 32U;
}

std::size_t bucket(std::span<const std::size_t> depths, std::size_t depth) {
  std::size_t b = 0;
  while (b < depths.size() && depths[b] <= depth) ++b;
  return b;
}

}  // namespace

MemoryQuery::MemoryQuery(std::shared_ptr<const MemoryView> view, const MemoryDocument& document,
                         std::span<const MemoryBuffer> open)
    : view_(std::move(view)),
      directory_(directory_of(document.path)),
      kind_(file_kind_of(document.path)),
      words_(*view_->table) {
  const auto replaced = [&](const std::string& path) {
    return path == document.path || std::any_of(open.begin(), open.end(), [&](const auto& buffer) {
             return buffer.path == path;
           });
  };
  for (const auto& part : view_->parts) {
    std::vector<bool> skip = *part.dead;
    const auto& files = part.segment->files();
    for (std::size_t f = 0; f < files.size(); ++f) {
      if (skip[f] || !replaced(files[f].path)) continue;
      skip[f] = true;
      const auto run = part.segment->run();
      for (auto at = files[f].begin; at < files[f].end; ++at) ++replaced_words_[id_of(run[at])];
    }
    skip_.push_back(std::move(skip));
  }

  std::string_view before = document.before, after = document.after;
  // Files of hundreds of thousands of lines: the near part.
  constexpr std::size_t kMostBytes = 400000;
  if (before.size() > kMostBytes) {
    before.remove_prefix(before.size() - kMostBytes);
    before.remove_prefix(std::min(before.find('\n') + 1, before.size()));
  }
  after = after.substr(0, kMostBytes);
  inside_word_ = !after.empty() && is_word_byte(static_cast<unsigned char>(after[0]));
  std::size_t word = before.size();
  while (word > 0 && is_word_byte(static_cast<unsigned char>(before[word - 1])) &&
         before.size() - word < kLongestWord) {
    --word;
  }
  prefix_ = before.substr(word);
  before = before.substr(0, word);
  after_space_ = !before.empty() && (before.back() == ' ' || before.back() == '\t');
  const auto line = before.substr(before.rfind('\n') + 1);
  fresh_line_ = line.find_first_not_of(" \t") == std::string_view::npos;

  own_.push_back(kNoLexeme);
  Lexer lexer;
  add_text(before, lexer);
  if (fresh_line_) own_.push_back(lexer.line_at(column_of_space(line)) << 2U);
  indents_ = lexer.indents();
  cursor_ = own_.size();
  own_.push_back(kNoLexeme);
  const auto rest = after.substr(0, after.find('\n'));
  if (rest.find_first_not_of(" \t\r") != std::string_view::npos) {
    Lexer rest_lexer;
    rest_lexer.run(
        rest,
        [&](std::string_view text, std::uint32_t space) {
          const auto id = words_.intern(text);
          own_.push_back(id << 2U | space);
          rest_of_line_.push_back(id);
        },
        [](LexemeId, bool) {});
  }
  add_text(after.substr(rest.size()), lexer);
  own_.push_back(kNoLexeme);
  own_file_ = own_.size();
  for (const auto& buffer : open) {
    if (buffer.path == document.path || own_.size() > kMostOwn) continue;
    Lexer other;
    add_text(buffer.text.substr(0, kMostBytes), other);
    own_.push_back(kNoLexeme);
  }
  index_own();

  std::size_t tabs = 0, spaces = 0, smallest = 0;
  for (const std::string_view text : {document.before, document.after}) {
    for (std::size_t at = 0; at < text.size() && tabs + spaces < 2000;) {
      const std::size_t n = std::min(text.find_first_not_of(" \t", at), text.size()) - at;
      if (n > 0 && text[at] == '\t') ++tabs;
      if (n > 1 && text[at] == ' ') {
        ++spaces;
        if (smallest == 0 || n < smallest) smallest = n;
      }
      at = std::min(text.find('\n', at), text.size()) + 1;
    }
  }
  tabs_ = tabs > spaces;
  unit_ = tabs_ || smallest == 0 ? 4 : std::min<std::size_t>(smallest, 8);
}

void MemoryQuery::add_text(std::string_view text, Lexer& lexer) {
  append_run(text, lexer, own_, [&](std::string_view word) { return words_.intern(word); });
}

void MemoryQuery::index_own() {
  own_shapes_.resize(own_.size());
  std::unordered_map<LexemeId, float> names;
  for (std::size_t i = 0; i < own_.size(); ++i) {
    const LexemeId id = id_of(own_[i]);
    const auto kind = words_.kind(id);
    own_shapes_[i] = shape_at(own_, i, kind);
    // What was hidden at the cursor is no end of a file; the other edges are.
    if (i == 0 || i == cursor_) continue;
    if (i > 0) after_word_[id_of(own_[i - 1])].push_back(static_cast<std::uint32_t>(i));
    if (i > 3) {
      after_shape_[shape_key(std::span(own_shapes_).first(i))].push_back(
          static_cast<std::uint32_t>(i));
    }
    if (id != kNoLexeme && (kind == LexemeKind::kName || kind == LexemeKind::kKeyword)) {
      const std::size_t away = i < cursor_ ? cursor_ - i : i - cursor_;
      names[id] += 1.0F / (1.0F + static_cast<float>(away) / 256.0F);
    }
  }
  names_.assign(names.begin(), names.end());
  std::sort(names_.begin(), names_.end());
}

void MemoryQuery::own_votes(std::span<const LexemeId> context, std::span<const Shape> shapes,
                            Votes& votes) const {
  const auto weight_at = [&](std::size_t p) {
    if (p > own_file_) return 1.0F;
    const std::size_t away = p < cursor_ ? cursor_ - p : p - cursor_;
    return 1.0F / (1.0F + static_cast<float>(away) / 512.0F);
  };
  // Of many places, those nearest to the cursor.
  const auto near = [&](const std::vector<std::uint32_t>& places) {
    const auto middle = std::lower_bound(places.begin(), places.end(), cursor_) - places.begin();
    const auto half = static_cast<std::ptrdiff_t>(kMostOwnVotes / 2);
    const auto size = static_cast<std::ptrdiff_t>(places.size());
    const auto from = std::max<std::ptrdiff_t>(0, std::min(middle - half, size - 2 * half));
    return std::span(places).subspan(
        static_cast<std::size_t>(from),
        std::min(kMostOwnVotes, places.size() - static_cast<std::size_t>(from)));
  };
  const std::size_t n = context.size();
  if (const auto found = after_word_.find(context[n - 1]); found != after_word_.end()) {
    for (const auto p : near(found->second)) {
      std::size_t depth = 1;
      while (depth < kDepths.back() && depth < n && p > depth &&
             id_of(own_[p - 1 - depth]) == context[n - 1 - depth]) {
        ++depth;
      }
      const float weight = weight_at(p);
      const std::size_t place = p < own_file_ ? kHere : kNear;
      for (std::size_t b = bucket(kDepths, depth); b-- > 0;) {
        votes.add(lexical_voter(b, place), own_[p], weight);
      }
    }
  }
  if (n < 4) return;
  if (const auto found = after_shape_.find(shape_key(shapes)); found != after_shape_.end()) {
    for (const auto p : near(found->second)) {
      std::size_t depth = 3;
      while (depth < kShapeDepths.back() && depth < n && p > depth &&
             shape_class(own_shapes_[p - 1 - depth]) == shape_class(shapes[n - 1 - depth])) {
        ++depth;
      }
      const std::size_t distance = repeat_distance(own_shapes_[p]);
      Lexeme lexeme = own_[p];
      if (distance > 0 && distance <= n) lexeme = context[n - distance] << 2U | space_of(lexeme);
      const float weight = weight_at(p);
      for (std::size_t b = bucket(kShapeDepths, depth); b-- > 0;) {
        votes.add(shape_voter(b, p < own_file_ ? 0 : 1), lexeme, weight);
      }
    }
  }
}

void MemoryQuery::memory_votes(std::span<const LexemeId> context, std::span<const Shape> shapes,
                               Votes& votes) const {
  const std::size_t n = context.size();
  const std::size_t sample = votes.prefix.empty() ? kSample : kSampleWithPrefix;
  // Evenly over the range, which is in no order of worth.
  const auto visit = [&](MemorySegment::Range range, auto&& at) {
    const std::size_t step = std::max<std::size_t>(1, range.size() / sample);
    for (std::size_t i = range.begin; i < range.end; i += step) at(static_cast<std::uint32_t>(i));
  };
  for (std::size_t s = 0; s < view_->parts.size(); ++s) {
    const MemorySegment& segment = *view_->parts[s].segment;
    const auto& skip = skip_[s];
    const auto weight_of = [&](std::size_t file) {
      return segment.files()[file].kind == kind_ ? 1.0F : 0.2F;
    };
    auto range = segment.all();
    std::size_t b = 0;
    for (std::size_t depth = 0; depth < kDepths.back() && depth < n; ++depth) {
      if (context[n - 1 - depth] >= kFirstLocal) break;
      range = segment.narrow(range, depth, context[n - 1 - depth]);
      if (range.size() == 0) break;
      if (depth + 1 != kDepths[b]) continue;
      visit(range, [&](std::uint32_t i) {
        const auto p = segment.position(i);
        const std::size_t file = segment.file_at(p);
        if (skip[file]) return;
        const bool near = segment.files()[file].directory == directory_;
        votes.add(lexical_voter(b, near ? kNear : kElsewhere), segment.run()[p], weight_of(file));
      });
      ++b;
    }
    range = segment.all();
    b = 0;
    for (std::size_t depth = 0; depth < kShapeDepths.back() && depth < n; ++depth) {
      range = segment.narrow_shape(range, depth, shape_class(shapes[n - 1 - depth]));
      if (range.size() == 0) break;
      if (depth + 1 != kShapeDepths[b]) continue;
      visit(range, [&](std::uint32_t i) {
        const auto p = segment.shape_position(i);
        const std::size_t file = segment.file_at(p);
        if (skip[file]) return;
        Lexeme lexeme = segment.run()[p];
        const std::size_t distance = repeat_distance(segment.shapes()[p]);
        if (distance > 0 && distance <= n) lexeme = context[n - distance] << 2U | space_of(lexeme);
        votes.add(shape_voter(b, 1), lexeme, weight_of(file));
      });
      ++b;
    }
  }
}

void MemoryQuery::word_votes(Votes& votes) const {
  std::vector<MemorySegment::Word> words;
  for (const auto& part : view_->parts) {
    const auto found = part.segment->words(votes.prefix, *view_->table);
    words.insert(words.end(), found.begin(), found.end());
  }
  for (auto& word : words) {
    const auto replaced = replaced_words_.find(word.id);
    if (replaced != replaced_words_.end()) word.count -= std::min(word.count, replaced->second);
  }
  const std::size_t keep = std::min(words.size(), kSample);
  std::partial_sort(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(keep), words.end(),
                    [](const auto& a, const auto& b) {
                      return a.count > b.count || (a.count == b.count && a.id < b.id);
                    });
  for (std::size_t i = 0; i < words.size() && words[i].count > 0; ++i) {
    const float weight = static_cast<float>(words[i].count) * kNoSpaces;
    if (i < keep) {
      votes.add(kWordsVoter, words[i].id << 2U | 1U, weight);
    } else {
      votes.tallies[kWordsVoter].total += weight;
    }
  }
}

NextStep MemoryQuery::next(std::span<const Lexeme> grown, bool ballots) const {
  // The last lexemes before the next one: as far back as any voter looks.
  std::vector<Lexeme> tail;
  const std::size_t own = std::min<std::size_t>(cursor_, kShapeReach + kDepths.back());
  tail.assign(own_.begin() + static_cast<std::ptrdiff_t>(cursor_ - own),
              own_.begin() + static_cast<std::ptrdiff_t>(cursor_));
  tail.insert(tail.end(), grown.begin(), grown.end());
  std::vector<LexemeId> context;
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < tail.size(); ++i) {
    context.push_back(id_of(tail[i]));
    shapes.push_back(shape_at(tail, i, words_.kind(id_of(tail[i]))));
  }

  Votes votes;
  votes.query = this;
  votes.first = grown.empty();
  if (votes.first) votes.prefix = prefix_;
  votes.after_space = after_space_ && !fresh_line_;
  own_votes(context, shapes, votes);
  memory_votes(context, shapes, votes);
  for (const auto& [id, weight] : names_) votes.add(kNamesVoter, id << 2U | 1U, weight * kNoSpaces);
  if (!votes.prefix.empty()) word_votes(votes);
  std::size_t deepest = 0;
  for (std::size_t v = 0; v < kDepths.size() * 3; ++v) {
    if (votes.tallies[v].total > 0) deepest = std::max(deepest, v / 3 + 1);
  }

  NextStep out;
  const float has_prefix = votes.prefix.empty() ? 0.0F : 1.0F;
  out.escape = {1.0F, has_prefix,
                has_prefix * std::min(1.0F, static_cast<float>(votes.prefix.size()) / 4.0F),
                static_cast<float>(deepest) / 8.0F};
  double sum = 0;
  std::array<double, kVoters> weights{};
  for (std::size_t v = 0; v < kVoters; ++v) {
    const auto& tally = votes.tallies[v];
    if (tally.total <= 0) continue;
    float top = 0;
    for (const auto& [index, weight] : tally.votes) top = std::max(top, weight / tally.total);
    const std::size_t length = v / 3 + 1;
    const float depth =
        v < kDepths.size() * 3 ? static_cast<float>(length) / static_cast<float>(deepest) : 0.0F;
    std::array<float, kVoterFeatures> x{1.0F,       std::log2(1.0F + tally.total) / 8.0F,
                                        top,        tally.votes.size() == 1 ? 1.0F : 0.0F,
                                        has_prefix, depth};
    // Of words that begin so, more is known the more of the word is there.
    if (v == kWordsVoter) x[4] = std::min(1.0F, static_cast<float>(votes.prefix.size()) / 8.0F);
    double score = 0;
    for (std::size_t f = 0; f < kVoterFeatures; ++f) {
      score += static_cast<double>(x[f]) * static_cast<double>(kVoterWeights[v][f]);
    }
    sum += weights[v] = std::exp(score);
    if (ballots) {
      Ballot ballot{v, x, tally.votes};
      for (auto& [index, share] : ballot.shares) share /= tally.total;
      out.ballots.push_back(std::move(ballot));
    }
  }
  double novel = 0;
  for (std::size_t f = 0; f < kEscapeFeatures; ++f) {
    novel += static_cast<double>(out.escape[f]) * static_cast<double>(kEscapeWeights[f]);
  }
  novel = std::exp(novel);
  sum += novel;
  out.novel = novel / sum;
  std::vector<double> probability(votes.candidates.size());
  for (std::size_t v = 0; v < kVoters; ++v) {
    const auto& tally = votes.tallies[v];
    for (const auto& [index, weight] : tally.votes) {
      probability[index] += weights[v] / sum * static_cast<double>(weight / tally.total);
    }
  }
  for (std::size_t i = 0; i < votes.candidates.size(); ++i) {
    const auto& candidate = votes.candidates[i];
    const auto& spaces = candidate.spaces;
    const auto space =
        static_cast<Lexeme>(std::max_element(spaces.begin(), spaces.end()) - spaces.begin());
    out.candidates.push_back({candidate.id << 2U | space, probability[i]});
    if (ballots) out.by_index.push_back(candidate.id << 2U | space);
  }
  const auto likelier = [](const NextLexeme& a, const NextLexeme& b) {
    return a.probability > b.probability || (a.probability == b.probability && a.lexeme < b.lexeme);
  };
  const std::size_t keep = std::min<std::size_t>(out.candidates.size(), 16);
  std::partial_sort(out.candidates.begin(),
                    out.candidates.begin() + static_cast<std::ptrdiff_t>(keep),
                    out.candidates.end(), likelier);
  out.candidates.resize(keep);
  return out;
}

std::vector<Lexeme> MemoryQuery::read(std::string_view text) const {
  std::vector<Lexeme> out;
  const std::string whole = prefix_ + std::string(text);
  Lexer lexer;
  bool first = true;
  lexer.run(
      whole,
      [&](std::string_view word, std::uint32_t space) {
        out.push_back(words_.intern(word) << 2U | space);
      },
      [&](LexemeId id, bool blank) {
        // The first line goes on; of the others only that they start is known here.
        if (!std::exchange(first, false)) out.push_back(id << 2U | (blank ? 1U : 0U));
      });
  return out;
}

}  // namespace ambit::inference
