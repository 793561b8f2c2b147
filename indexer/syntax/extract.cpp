#include "indexer/syntax/extract.h"

#include <tree_sitter/api.h>

#include <algorithm>

#include "indexer/syntax/grammars.h"
#include "indexer/syntax/parse_time.h"
#include "indexer/syntax/soften.h"
#include "indexer/syntax/walk.h"

namespace ambit::indexer {
namespace {

// Lines of positions that ascend.
struct Counter {
  std::string_view text;
  std::uint32_t line = 0, line_start = 0, at = 0;
  void go(std::uint32_t to) {
    while (at < to) {
      const auto newline = text.find('\n', at);
      if (newline >= to) break;
      ++line;
      at = line_start = static_cast<std::uint32_t>(newline + 1);
    }
    at = to;
  }
  [[nodiscard]] std::uint32_t column() const { return at - line_start; }
};

// Macros that the parser did not see.
void add_macros(std::string_view text, const std::vector<MacroLine>& lines,
                std::vector<Definition>& all) {
  if (lines.empty()) return;
  std::vector<Definition> macros;
  macros.reserve(lines.size());
  Counter at{text};
  for (const auto& line : lines) {
    at.go(line.name.begin);
    Definition d;
    d.name = line.name;
    d.line = at.line;
    d.column = at.column();
    d.declaration = line.line.begin;
    d.span = {line.doc.size() != 0 ? line.doc.begin : d.declaration, line.line.end};
    d.doc = line.doc;
    d.signature_end = line.line.end;
    d.end_line = d.line + static_cast<std::uint32_t>(std::count(text.begin() + d.name.end,
                                                                text.begin() + d.span.end, '\n'));
    d.kind = SymbolKind::kMacro;
    macros.push_back(std::move(d));
  }
  // By position of the name; parents are indices, so they move along.
  std::vector<Definition> merged;
  merged.reserve(all.size() + macros.size());
  std::vector<std::int32_t> moved(all.size());
  std::size_t m = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    while (m < macros.size() && macros[m].name.begin < all[i].name.begin)
      merged.push_back(std::move(macros[m++]));
    moved[i] = static_cast<std::int32_t>(merged.size());
    if (all[i].parent >= 0) all[i].parent = moved[static_cast<std::size_t>(all[i].parent)];
    merged.push_back(std::move(all[i]));
  }
  while (m < macros.size()) merged.push_back(std::move(macros[m++]));
  all = std::move(merged);
}

// What softening took out of the text that was parsed whole.
void add_words(std::string_view text, const std::vector<ByteSpan>& words, Facts& out) {
  Counter at{text};
  for (const auto w : words) {
    at.go(w.begin);
    out.mentions.push_back({w, at.line, at.column(), ReferenceKind::kOther});
  }
  const auto by_begin = [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; };
  if (!std::is_sorted(out.mentions.begin(), out.mentions.end(), by_begin))
    std::stable_sort(out.mentions.begin(), out.mentions.end(), by_begin);
  out.mentions.erase(std::unique(out.mentions.begin(), out.mentions.end(),
                                 [](const auto& a, const auto& b) { return a.span == b.span; }),
                     out.mentions.end());
}

// The outline's definitions in place of those of the whole parse: the same in good text, and better
// where the grammar loses its way inside a body.
void adopt(Facts outline, Facts& out) {
  out.definitions = std::move(outline.definitions);
  out.imports = std::move(outline.imports);
  out.errors = std::move(outline.errors);
  auto d = out.definitions.begin();
  std::erase_if(out.mentions, [&](const Mention& m) {
    while (d != out.definitions.end() && d->name.begin < m.span.begin) ++d;
    return d != out.definitions.end() && d->name == m.span;
  });
}

constexpr std::uint32_t kLargeNode = 2048;
constexpr std::uint8_t kMaxItemDepth = 24;

void add_items(TSTreeCursor& cursor, std::uint8_t depth, std::uint8_t to_depth,
               std::vector<Extractor::Item>& out) {
  if (!ts_tree_cursor_goto_first_child(&cursor)) return;
  do {
    const auto node = ts_tree_cursor_current_node(&cursor);
    const ByteSpan span{ts_node_start_byte(node), ts_node_end_byte(node)};
    if (span.size() == 0) continue;
    out.push_back({span, ts_node_symbol(node), depth, ts_node_is_named(node),
                   ts_node_has_error(node), ts_node_is_extra(node)});
    if ((span.size() >= kLargeNode && depth < kMaxItemDepth) || depth + 1 < to_depth)
      add_items(cursor, depth + 1, to_depth, out);
  } while (ts_tree_cursor_goto_next_sibling(&cursor));
  ts_tree_cursor_goto_parent(&cursor);
}

std::vector<Extractor::Item> items_of(TSNode root, std::uint8_t to_depth) {
  std::vector<Extractor::Item> out;
  TSTreeCursor cursor = ts_tree_cursor_new(root);
  add_items(cursor, 0, std::min(to_depth, kMaxItemDepth), out);
  ts_tree_cursor_delete(&cursor);
  return out;
}

// Nodes that are errors or missing, in the order of the text; not those inside of errors.
std::vector<ByteSpan> errors_below(TSNode root) {
  std::vector<ByteSpan> out;
  TSTreeCursor cursor = ts_tree_cursor_new(root);
  for (bool done = false; !done;) {
    const auto node = ts_tree_cursor_current_node(&cursor);
    const bool wrong = ts_node_is_error(node) || ts_node_is_missing(node);
    if (wrong) out.push_back({ts_node_start_byte(node), ts_node_end_byte(node)});
    if (!wrong && ts_node_has_error(node) && ts_tree_cursor_goto_first_child(&cursor)) continue;
    while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
      if (!ts_tree_cursor_goto_parent(&cursor)) {
        done = true;
        break;
      }
    }
  }
  ts_tree_cursor_delete(&cursor);
  return out;
}

struct Deadline {
  ParseTime time;
  std::stop_token stop;
};

bool keep_out(TSParseState* state) {
  const auto* d = static_cast<const Deadline*>(state->payload);
  return d->stop.stop_requested() || d->time.over();
}

}  // namespace

struct Extractor::State {
  TSParser* parser = ts_parser_new();
  Softened soft;
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ts_parser_delete(parser); }

  // The tree of `text`, or why there is none. The caller deletes it.
  Result<TSTree*> parse(const Grammar& g, std::string_view text, const ExtractLimits& limits,
                        const TSTree* old = nullptr) const;
};

Extractor::Extractor() : state_(std::make_unique<State>()) {}
Extractor::Extractor(Extractor&&) noexcept = default;
Extractor& Extractor::operator=(Extractor&&) noexcept = default;
Extractor::~Extractor() = default;

Result<TSTree*> Extractor::State::parse(const Grammar& g, std::string_view text,
                                        const ExtractLimits& limits, const TSTree* old) const {
  if (!ts_parser_set_language(parser, g.language)) {
    return make_error(Code::kInternal, "the grammar does not fit the tree-sitter core");
  }
  Deadline deadline{ParseTime(limits.time), limits.stop};
  TSInput input{};
  input.payload = &text;
  input.encoding = TSInputEncodingUTF8;
  input.read = [](void* payload, std::uint32_t at, TSPoint, std::uint32_t* n) -> const char* {
    const auto& t = *static_cast<std::string_view*>(payload);
    if (at >= t.size()) {
      *n = 0;
      return "";
    }
    *n = static_cast<std::uint32_t>(t.size() - at);
    return t.data() + at;
  };
  TSParseOptions options{};
  options.payload = &deadline;
  options.progress_callback = keep_out;
  TSTree* tree = ts_parser_parse_with_options(parser, old, input, options);
  if (tree != nullptr) return tree;
  ts_parser_reset(parser);
  if (limits.stop.stop_requested()) return make_error(Code::kCancelled, "parsing was cancelled");
  return make_error(Code::kTimeout, "parsing took longer than its limit");
}

Result<const Grammar*> Extractor::usable(Language language, std::string_view text,
                                         const ExtractLimits& limits) {
  const auto* g = grammar_of(language);
  if (g == nullptr) {
    return make_error(Code::kUnsupported,
                      "no grammar for " + std::string(language_info(language).name));
  }
  if (!g->error.empty()) {
    return make_error(Code::kInternal, "the rules for " +
                                           std::string(language_info(language).name) +
                                           " do not fit the grammar: " + g->error);
  }
  if (text.size() > limits.max_bytes || text.size() > 0xFFFFFFF0U) {
    return make_error(Code::kResourceExhausted, "the text is larger than the parse limit");
  }
  return g;
}

KeptTree edited(const KeptTree& tree, std::string_view old_text, std::string_view text,
                std::uint32_t begin, std::uint32_t old_end, std::uint32_t new_end) {
  if (tree == nullptr) return nullptr;
  const auto point = [](std::string_view of, std::uint32_t at) {
    const auto before = of.substr(0, at);
    const auto newline = before.rfind('\n');
    const auto start = newline == std::string_view::npos ? 0 : newline + 1;
    return TSPoint{static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')),
                   static_cast<std::uint32_t>(at - start)};
  };
  const TSInputEdit edit{begin,
                         old_end,
                         new_end,
                         point(old_text, begin),
                         point(old_text, old_end),
                         point(text, new_end)};
  KeptTree out(ts_tree_copy(tree.get()), ts_tree_delete);
  ts_tree_edit(out.get(), &edit);
  return out;
}

Result<Facts> Extractor::extract(Language language, std::string_view text,
                                 const ExtractLimits& limits, std::vector<Item>* items,
                                 KeptTree* kept) {
  AMBIT_TRY(g, usable(language, text, limits));
  auto& soft = state_->soft;
  const bool softened = soften(language, text, soft);
  const auto* const old = kept == nullptr || softened ? nullptr : kept->get();
  AMBIT_TRY(parsed, state_->parse(*g, softened ? std::string_view(soft.text) : text, limits, old));
  const KeptTree tree(parsed, ts_tree_delete);
  Facts out;
  walk_tree(*g, ts_tree_root_node(tree.get()), text, out);
  if (items != nullptr) *items = items_of(ts_tree_root_node(tree.get()), limits.item_depth);
  if (kept != nullptr) *kept = softened ? nullptr : tree;
  if (softened) add_macros(text, soft.macros, out.definitions);
  add_words(text, softened ? soft.words : std::vector<ByteSpan>{}, out);
  if (has_outline(language)) {
    AMBIT_TRY(outlined, outline(language, text, limits));
    adopt(std::move(outlined), out);
  }
  return out;
}

Result<std::vector<ByteSpan>> Extractor::grammar_errors(Language language, std::string_view text,
                                                        const ExtractLimits& limits) {
  AMBIT_TRY(g, usable(language, text, limits));
  auto& soft = state_->soft;
  const bool softened = soften(language, text, soft);
  AMBIT_TRY(tree, state_->parse(*g, softened ? std::string_view(soft.text) : text, limits));
  auto out = errors_below(ts_tree_root_node(tree));
  ts_tree_delete(tree);
  return out;
}

Result<Facts> Extractor::outline(Language language, std::string_view text,
                                 const ExtractLimits& limits, std::vector<Item>* items) {
  if (!has_outline(language)) return extract(language, text, limits, items);
  AMBIT_TRY(g, usable(language, text, limits));
  auto& soft = state_->soft;
  const bool softened = soften_outline(language, text, soft);
  const auto parsed = softened ? std::string_view(soft.text) : text;
  AMBIT_TRY(tree, state_->parse(*g, parsed, limits));
  Facts out;
  walk_tree(*g, ts_tree_root_node(tree), parsed, out);
  if (items != nullptr) *items = items_of(ts_tree_root_node(tree), limits.item_depth);
  ts_tree_delete(tree);
  out.locals.clear();
  if (!softened && items != nullptr) out.mentions.clear();
  if (!softened) return out;
  soft.cuts.restore(text, out);
  add_macros(text, soft.macros, out.definitions);
  if (items != nullptr) {
    for (auto& i : *items) i.span = soft.cuts.original(i.span);
    out.mentions.clear();
    return out;
  }
  out.mentions.reserve(out.mentions.size() + soft.words.size());
  for (const auto w : soft.words) out.mentions.push_back({w, 0, 0, ReferenceKind::kOther});
  return out;
}

}  // namespace ambit::indexer
