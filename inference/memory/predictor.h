// How the text at a cursor goes on, by what the repository says: each context of the last lexemes
// that occurs elsewhere votes for what followed it there. Voters differ in how long the common
// context is, where it stands (this file, near it, elsewhere) and whether names are compared by
// text or by their place; what each is worth was learnt from other repositories
// (tests/bench/completion, weights.h).
//
// One thread; the view and the texts must outlive the query.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inference/memory/repository_memory.h"

namespace ambit::inference {

struct MemoryDocument {
  std::string path;  // relative to the root
  std::string_view before, after;
};
// Open buffers beside it, most recently used first.
struct MemoryBuffer {
  std::string path;
  std::string_view text;
};

// The voters. Lexical ones: a context of at least kDepths[i] lexemes, in three places; then those
// of shape, here and elsewhere; then the names of this file, most recent first; then, once a word
// was begun, all words of the repository that begin so, by how often they are written.
inline constexpr std::array<std::size_t, 8> kDepths{1, 2, 3, 4, 5, 7, 10, 15};
inline constexpr std::array<std::size_t, 5> kShapeDepths{3, 5, 7, 10, 15};
inline constexpr std::size_t kHere = 0, kNear = 1, kElsewhere = 2;
inline constexpr std::size_t kVoters = kDepths.size() * 3 + kShapeDepths.size() * 2 + 2;
[[nodiscard]] constexpr std::size_t lexical_voter(std::size_t depth, std::size_t place) {
  return depth * 3 + place;
}
[[nodiscard]] constexpr std::size_t shape_voter(std::size_t depth, std::size_t elsewhere) {
  return kDepths.size() * 3 + depth * 2 + elsewhere;
}
inline constexpr std::size_t kNamesVoter = kVoters - 2, kWordsVoter = kVoters - 1;
inline constexpr std::size_t kVoterFeatures = 6, kEscapeFeatures = 4;

// What one voter says at one step: its features, and whom it votes for by share.
struct Ballot {
  std::size_t voter = 0;
  std::array<float, kVoterFeatures> features{};
  std::vector<std::pair<std::uint32_t, float>> shares;  // index of a candidate, share
};
struct NextLexeme {
  Lexeme lexeme = 0;
  double probability = 0;
};
struct NextStep {
  std::vector<NextLexeme> candidates;  // most likely first
  double novel = 1;                    // probability of something that no voter knows
  // For learning: filled when asked for.
  std::vector<Ballot> ballots;
  std::array<float, kEscapeFeatures> escape{};
  std::vector<Lexeme> by_index;
};

struct MemoryGuess {
  struct Piece {
    std::uint32_t end = 0;  // byte of text where it ends
    float probability = 0;  // given what stands before it
  };
  std::string text;            // to be inserted at the cursor; without the last line break
  double log_probability = 0;  // of the text and of ending there
  std::vector<Piece> pieces;   // one per lexeme, line starts included
  bool ends_line = false;      // false: it was given up in the middle
};

// What somebody may type next: a character, or a line break with the next line's indentation.
struct MemoryKey {
  std::string text;
  double probability = 0;
};

class MemoryQuery {
 public:
  MemoryQuery(std::shared_ptr<const MemoryView> view, const MemoryDocument& document,
              std::span<const MemoryBuffer> open = {});

  // The cursor stands inside a word: nothing is worth predicting.
  [[nodiscard]] bool inside_word() const { return inside_word_; }

  // Completions of the line, best first, by a search over `beam` hypotheses. After those that open
  // a block more lines follow, up to `max_lines`, while they are likely.
  [[nodiscard]] std::vector<MemoryGuess> guess(std::size_t beam, std::size_t max_lines) const;

  // Most likely first.
  [[nodiscard]] std::vector<MemoryKey> likely_keys() const;

  // One step after `grown`, which continues the text at the cursor.
  [[nodiscard]] NextStep next(std::span<const Lexeme> grown, bool ballots = false) const;

  // `text` as it would be read at the cursor: for learning and for scoring other texts.
  [[nodiscard]] std::vector<Lexeme> read(std::string_view text) const;
  [[nodiscard]] std::string_view text_of(LexemeId id) const { return words_.text(id); }

 private:
  struct Votes;
  struct Hypothesis;
  void add_text(std::string_view text, Lexer& lexer);
  void index_own();
  void own_votes(std::span<const LexemeId> context, std::span<const Shape> shapes,
                 Votes& votes) const;
  void memory_votes(std::span<const LexemeId> context, std::span<const Shape> shapes,
                    Votes& votes) const;
  void word_votes(Votes& votes) const;
  [[nodiscard]] MemoryGuess render(const Hypothesis& h) const;
  [[nodiscard]] std::string line_start_text(std::size_t column) const;
  void grow_lines(MemoryGuess& guess, const Hypothesis& h, std::size_t max_lines) const;

  std::shared_ptr<const MemoryView> view_;
  std::uint32_t directory_ = 0, kind_ = 0;
  std::vector<std::vector<bool>> skip_;  // per part and file: replaced by an open text
  std::unordered_map<LexemeId, std::uint32_t> replaced_words_;  // in those files, how often
  mutable LocalTable words_;

  // This file up to the cursor, an edge, the rest of it; then the other open texts.
  std::vector<Lexeme> own_;
  std::vector<Shape> own_shapes_;
  std::size_t cursor_ = 0;    // length of the part before the cursor
  std::size_t own_file_ = 0;  // end of this file
  std::unordered_map<LexemeId, std::vector<std::uint32_t>> after_word_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> after_shape_;
  std::vector<std::pair<LexemeId, float>> names_;

  IndentStack indents_;  // at the cursor's line
  std::string prefix_;   // the part of a word that stands before the cursor
  bool after_space_ = false, fresh_line_ = false, inside_word_ = false;
  std::vector<LexemeId> rest_of_line_;  // the lexemes after the cursor on its line
  bool tabs_ = false;
  std::size_t unit_ = 4;
};

}  // namespace ambit::inference
