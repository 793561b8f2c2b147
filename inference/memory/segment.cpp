#include "inference/memory/segment.h"

#include <algorithm>
#include <numeric>

namespace ambit::inference {
namespace {

std::uint32_t hash_of(std::string_view text) {
  std::uint32_t h = 2166136261U;  // FNV-1a
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h;
}

// Sorts positions by what stands before them, nearest first, then by position. First by the nearest
// symbol in one pass, so that the comparing sort works on small pieces.
template <class Symbol, class SymbolAt>
void sort_contexts(std::vector<std::uint32_t>& order, std::size_t depth, SymbolAt symbol_at) {
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return symbol_at(a, 0) < symbol_at(b, 0);
  });
  for (std::size_t from = 0; from < order.size();) {
    const Symbol first = symbol_at(order[from], 0);
    std::size_t to = from + 1;
    while (to < order.size() && symbol_at(order[to], 0) == first) ++to;
    std::sort(order.begin() + static_cast<std::ptrdiff_t>(from),
              order.begin() + static_cast<std::ptrdiff_t>(to),
              [&](std::uint32_t a, std::uint32_t b) {
                for (std::size_t d = 1; d < depth; ++d) {
                  const Symbol x = symbol_at(a, d), y = symbol_at(b, d);
                  if (x != y) return x < y;
                }
                return a < b;
              });
    from = to;
  }
}

template <class Symbol, class SymbolAt>
MemorySegment::Range narrowed(const std::vector<std::uint32_t>& order, MemorySegment::Range range,
                              Symbol wanted, SymbolAt symbol_at) {
  const auto begin = order.begin() + range.begin, end = order.begin() + range.end;
  const auto low = std::partition_point(
      begin, end, [&](std::uint32_t position) { return symbol_at(position) < wanted; });
  const auto high = std::partition_point(
      low, end, [&](std::uint32_t position) { return !(wanted < symbol_at(position)); });
  return {static_cast<std::uint32_t>(low - order.begin()),
          static_cast<std::uint32_t>(high - order.begin())};
}

}  // namespace

std::uint32_t directory_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return hash_of(path.substr(0, slash == std::string_view::npos ? 0 : slash));
}

std::uint32_t file_kind_of(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  const auto extension = dot == std::string_view::npos ? name : name.substr(dot + 1);
  for (const std::string_view c : {"c", "h", "cc", "hh", "cpp", "hpp", "cxx", "hxx", "inl", "cu"}) {
    if (extension == c) return 1;
  }
  for (const std::string_view js : {"js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts"}) {
    if (extension == js) return 2;
  }
  return hash_of(extension);
}

Shape shape_at(std::span<const Lexeme> run, std::size_t at, LexemeKind kind) {
  const LexemeId id = id_of(run[at]);
  if (kind == LexemeKind::kNumber) return kNumberShape;
  if (kind != LexemeKind::kName) return static_cast<Shape>(id % 0x7FF0U);
  for (std::size_t d = 1; d <= kShapeReach && d <= at; ++d) {
    const LexemeId other = id_of(run[at - d]);
    if (other == kNoLexeme) break;
    if (other == id) return static_cast<Shape>(kRepeatedName + d);
  }
  return kNewName;
}

MemorySegment::MemorySegment(const std::vector<Input>& inputs, const LexemeTable& table) {
  std::size_t total = 1;
  for (const auto& input : inputs) total += input.run.size() + 1;
  run_.reserve(total);
  run_.push_back(kNoLexeme);
  for (const auto& input : inputs) {
    MemoryFile file;
    file.path = input.path;
    file.begin = static_cast<std::uint32_t>(run_.size());
    run_.insert(run_.end(), input.run.begin(), input.run.end());
    file.end = static_cast<std::uint32_t>(run_.size());
    file.directory = directory_of(input.path);
    file.kind = file_kind_of(input.path);
    files_.push_back(std::move(file));
    run_.push_back(kNoLexeme);
  }
  std::vector<LexemeKind> kinds(table.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) kinds[i] = table.kind(static_cast<LexemeId>(i));
  shapes_.resize(run_.size());
  for (std::size_t i = 0; i < run_.size(); ++i)
    shapes_[i] = shape_at(run_, i, kinds[id_of(run_[i])]);

  std::vector<std::uint32_t> counts(kinds.size());
  for (const auto lexeme : run_) ++counts[id_of(lexeme)];
  for (LexemeId id = kFirstWord; id < counts.size(); ++id) {
    const bool word = kinds[id] == LexemeKind::kName || kinds[id] == LexemeKind::kKeyword;
    if (word && counts[id] > 0) words_.push_back({id, counts[id]});
  }
  std::sort(words_.begin(), words_.end(),
            [&](const Word& a, const Word& b) { return table.text(a.id) < table.text(b.id); });

  // Position 0 predicts nothing.
  order_.resize(run_.size() - 1);
  std::iota(order_.begin(), order_.end(), 1U);
  shape_order_ = order_;
  sort_contexts<LexemeId>(order_, kSortedDepth, [&](std::uint32_t p, std::size_t d) {
    return p > d ? id_of(run_[p - 1 - d]) : kNoLexeme;
  });
  sort_contexts<Shape>(shape_order_, kSortedDepth, [&](std::uint32_t p, std::size_t d) {
    return p > d ? shape_class(shapes_[p - 1 - d]) : Shape{0};
  });
}

MemorySegment::Range MemorySegment::narrow(Range range, std::size_t depth, LexemeId id) const {
  return narrowed<LexemeId>(order_, range, id, [&](std::uint32_t p) {
    return p > depth ? id_of(run_[p - 1 - depth]) : kNoLexeme;
  });
}

MemorySegment::Range MemorySegment::narrow_shape(Range range, std::size_t depth,
                                                 Shape shape) const {
  return narrowed<Shape>(shape_order_, range, shape, [&](std::uint32_t p) {
    return p > depth ? shape_class(shapes_[p - 1 - depth]) : Shape{0};
  });
}

std::span<const MemorySegment::Word> MemorySegment::words(std::string_view prefix,
                                                          const LexemeTable& table) const {
  const auto low = std::partition_point(
      words_.begin(), words_.end(), [&](const Word& word) { return table.text(word.id) < prefix; });
  const auto high = std::partition_point(
      low, words_.end(), [&](const Word& word) { return table.text(word.id).starts_with(prefix); });
  return {low, high};
}

std::size_t MemorySegment::file_at(std::uint32_t position) const {
  const auto after =
      std::upper_bound(files_.begin(), files_.end(), position,
                       [](std::uint32_t p, const MemoryFile& file) { return p < file.begin; });
  return after == files_.begin() ? 0 : static_cast<std::size_t>(after - files_.begin()) - 1;
}

std::size_t MemorySegment::bytes() const {
  std::size_t out = run_.size() * (sizeof(Lexeme) + sizeof(Shape) + 2 * sizeof(std::uint32_t));
  out += words_.size() * sizeof(Word);
  for (const auto& file : files_) out += sizeof(MemoryFile) + file.path.size();
  return out;
}

}  // namespace ambit::inference
