#include "indexer/syntax/tree.h"

#include <tree_sitter/api.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "indexer/syntax/grammars.h"
#include "indexer/syntax/parse_time.h"
#include "indexer/syntax/soften.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxNodes = 1'000'000;
constexpr std::chrono::seconds kMaxTime{2};

bool too_late(TSParseState* state) {
  return static_cast<const ParseTime*>(state->payload)->over();
}

}  // namespace

Result<SyntaxTree> SyntaxTree::parse(Language language, std::string_view text) {
  const auto* grammar = grammar_of(language);
  if (grammar == nullptr || grammar->language == nullptr) {
    return make_error(Code::kUnsupported, "there is no grammar for this file");
  }
  if (text.size() > kMaxBytes) {
    return make_error(Code::kResourceExhausted, "the file is larger than 4 MiB");
  }
  const std::unique_ptr<TSParser, decltype(&ts_parser_delete)> parser(ts_parser_new(),
                                                                      ts_parser_delete);
  if (!ts_parser_set_language(parser.get(), grammar->language)) {
    return make_error(Code::kInternal, "the grammar does not fit the tree-sitter core");
  }
  Softened soft;
  std::string_view parsed = soften(language, text, soft) ? std::string_view(soft.text) : text;
  TSInput input{};
  input.payload = &parsed;
  input.encoding = TSInputEncodingUTF8;
  input.read = [](void* payload, std::uint32_t at, TSPoint, std::uint32_t* n) -> const char* {
    const auto& t = *static_cast<std::string_view*>(payload);
    *n = at < t.size() ? static_cast<std::uint32_t>(t.size() - at) : 0;
    return at < t.size() ? t.data() + at : "";
  };
  ParseTime deadline(kMaxTime);
  TSParseOptions options{};
  options.payload = &deadline;
  options.progress_callback = too_late;
  const std::unique_ptr<TSTree, decltype(&ts_tree_delete)> tree(
      ts_parser_parse_with_options(parser.get(), nullptr, input, options), ts_tree_delete);
  if (!tree) return make_error(Code::kTimeout, "parsing took too long");

  SyntaxTree out;
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree.get()));
  std::vector<std::uint32_t> above;
  bool whole = true;
  for (bool down = true;;) {
    if (down) {
      if (out.nodes_.size() >= kMaxNodes) {
        whole = false;
        break;
      }
      const auto node = ts_tree_cursor_current_node(&cursor);
      const auto* field = ts_tree_cursor_current_field_name(&cursor);
      SyntaxNode one;
      one.type = ts_node_type(node);
      one.field = field == nullptr ? std::string_view() : std::string_view(field);
      one.span = {ts_node_start_byte(node), ts_node_end_byte(node)};
      one.parent = above.empty() ? kNoNode : above.back();
      one.named = ts_node_is_named(node);
      one.broken = ts_node_is_error(node) || ts_node_is_missing(node);
      above.push_back(static_cast<std::uint32_t>(out.nodes_.size()));
      out.nodes_.push_back(one);
      if (ts_tree_cursor_goto_first_child(&cursor)) continue;
    }
    out.nodes_[above.back()].after = static_cast<std::uint32_t>(out.nodes_.size());
    above.pop_back();
    if (ts_tree_cursor_goto_next_sibling(&cursor)) {
      down = true;
      continue;
    }
    if (!ts_tree_cursor_goto_parent(&cursor)) break;
    down = false;
  }
  ts_tree_cursor_delete(&cursor);
  if (!whole) return make_error(Code::kResourceExhausted, "the file has too many parts");
  return out;
}

std::uint32_t SyntaxTree::around(ByteSpan span) const {
  std::uint32_t best = 0;
  for (std::uint32_t i = 1; i < nodes_.size();) {
    const auto& n = nodes_[i];
    if (n.span.begin > span.begin && n.span.begin >= span.end) break;
    if (n.span.begin <= span.begin && span.end <= n.span.end) {
      if (nodes_[best].span == span && n.span == span) break;
      best = i++;
    } else {
      i = n.after;
    }
  }
  return best;
}

std::vector<std::uint32_t> SyntaxTree::children(std::uint32_t i) const {
  std::vector<std::uint32_t> out;
  for (auto c = i + 1; c < nodes_[i].after; c = nodes_[c].after) out.push_back(c);
  return out;
}

std::uint32_t SyntaxTree::child(std::uint32_t i, std::string_view field) const {
  for (auto c = i + 1; c < nodes_[i].after; c = nodes_[c].after) {
    if (nodes_[c].field == field) return c;
  }
  return kNoNode;
}

bool SyntaxTree::holds_error(std::uint32_t i) const {
  return std::any_of(nodes_.begin() + i, nodes_.begin() + nodes_[i].after,
                     [](const SyntaxNode& n) { return n.broken; });
}

}  // namespace ambit::indexer
