// An immutable run of files, sorted twice by what stands before each lexeme: by the lexemes
// themselves, and by their skeleton, in which a name is only "the same as the one 5 back" or "a new
// one". A context is found by binary search, its continuations stand together.
//
// Memory: 14 bytes per lexeme (lexeme 4, skeleton 2, two orders of 4), 8 per different word, and 24
// per file beside its path. Source code has about five bytes per lexeme.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/memory/lexemes.h"

namespace ambit::inference {

// kNoLexeme stands before the first and behind the last lexeme.
using LexemeRun = std::vector<Lexeme>;

// One symbol of a skeleton. Equal symbols mean the same shape; unequal texts may share a symbol
// (16 bits), which costs a wrong guess at most.
using Shape = std::uint16_t;
// How far back a name is recognised as a repeated one.
inline constexpr std::size_t kShapeReach = 32;
inline constexpr Shape kNewName = 0x8000;       // a name that is not within reach
inline constexpr Shape kNumberShape = 0x8001;   // any number
inline constexpr Shape kRepeatedName = 0xC000;  // + distance: the name so many lexemes back
[[nodiscard]] constexpr std::size_t repeat_distance(Shape s) {
  return s >= kRepeatedName ? s - kRepeatedName : 0;
}
// As contexts are compared: how far back exactly counts within a line only.
[[nodiscard]] constexpr Shape shape_class(Shape s) {
  return s > kRepeatedName + 7 ? kRepeatedName : s;
}

// The symbol of run[at]; `kind` of its id.
[[nodiscard]] Shape shape_at(std::span<const Lexeme> run, std::size_t at, LexemeKind kind);

struct MemoryFile {
  std::string path;  // relative to the root
  std::uint32_t begin = 0, end = 0;
  std::uint32_t directory = 0;  // hash of its folder
  std::uint32_t kind = 0;       // hash of its extension
};
[[nodiscard]] std::uint32_t directory_of(std::string_view path);
[[nodiscard]] std::uint32_t file_kind_of(std::string_view path);  // headers are as sources

class MemorySegment {
 public:
  struct Input {
    std::string path;
    std::span<const Lexeme> run;
  };
  // How far contexts are sorted. Longer matches are told by looking at the run.
  static constexpr std::size_t kSortedDepth = 16;

  // Cost: about a microsecond per lexeme.
  MemorySegment(const std::vector<Input>& inputs, const LexemeTable& table);

  struct Range {
    std::uint32_t begin = 0, end = 0;
    [[nodiscard]] std::uint32_t size() const { return end - begin; }
  };
  [[nodiscard]] Range all() const { return {0, static_cast<std::uint32_t>(order_.size())}; }
  // Of a range whose contexts agree in `depth` lexemes, those whose next one further back is `id`.
  [[nodiscard]] Range narrow(Range range, std::size_t depth, LexemeId id) const;
  [[nodiscard]] Range narrow_shape(Range range, std::size_t depth, Shape shape) const;
  [[nodiscard]] std::uint32_t position(std::uint32_t index) const { return order_[index]; }
  [[nodiscard]] std::uint32_t shape_position(std::uint32_t index) const {
    return shape_order_[index];
  }

  // A name or keyword, and how often it stands in the run.
  struct Word {
    LexemeId id = 0;
    std::uint32_t count = 0;
  };
  // Those that begin with `prefix`, by text; the table that the segment was made with.
  [[nodiscard]] std::span<const Word> words(std::string_view prefix,
                                            const LexemeTable& table) const;

  [[nodiscard]] std::span<const Lexeme> run() const { return run_; }
  [[nodiscard]] std::span<const Shape> shapes() const { return shapes_; }
  [[nodiscard]] const std::vector<MemoryFile>& files() const { return files_; }
  [[nodiscard]] std::size_t file_at(std::uint32_t position) const;  // index into files()
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<Lexeme> run_;
  std::vector<Shape> shapes_;
  std::vector<std::uint32_t> order_, shape_order_;
  std::vector<Word> words_;  // by text
  std::vector<MemoryFile> files_;
};

}  // namespace ambit::inference
