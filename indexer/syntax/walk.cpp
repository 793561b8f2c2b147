#include "indexer/syntax/walk.h"

#include <algorithm>

// One pre-order walk with a stack of frames. A frame knows its *effective* parent: the nearest
// ancestor after nodes that the rules see through (declarators), so patterns stay short. Names are
// matched bottom-up against the frames; comments wait in the parent's frame for the node after
// them.
namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxFrames = 10'000;  // deeper than this is not looked at
constexpr std::size_t kMaxErrors = 100;

struct Frame {
  TSNode node;
  NodeType type = 0;
  FieldId field = 0;             // effective field
  std::int32_t parent = -1;      // effective parent
  std::int32_t above = -1;       // real parent
  std::int32_t definition = -1;  // first definition that this node is
  std::int32_t locals = -1;      // nearest frame whose variables are local
  ByteSpan doc;                  // comment before this node
  ByteSpan pending;              // comment that waits for the next child
  std::uint32_t pending_row = 0;
  std::string owner;
};

class Walk {
 public:
  Walk(const Grammar& g, std::string_view text, Facts& out) : g_(g), text_(text), out_(out) {}

  void run(TSNode root) {
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    push(root, 0);
    bool framed = true;  // the node under the cursor has a frame
    for (bool down = true;;) {
      if (down && ts_tree_cursor_goto_first_child(&cursor)) {
        framed = enter(cursor, down);
        continue;
      }
      if (ts_tree_cursor_goto_next_sibling(&cursor)) {
        if (framed) pop();
        framed = enter(cursor, down);
        continue;
      }
      if (!ts_tree_cursor_goto_parent(&cursor)) break;
      if (framed) pop();
      framed = true;
      down = false;
    }
    ts_tree_cursor_delete(&cursor);
  }

 private:
  [[nodiscard]] std::string_view slice(ByteSpan s) const {
    return text_.substr(s.begin, s.end - s.begin);
  }
  static ByteSpan span_of(TSNode n) { return {ts_node_start_byte(n), ts_node_end_byte(n)}; }

  // False for punctuation and keywords, which get no frame: half of all nodes.
  bool enter(TSTreeCursor& cursor, bool& down) {
    const TSNode node = ts_tree_cursor_current_node(&cursor);
    const auto type = ts_node_symbol(node);
    if (type < g_.types.size() && g_.types[type].token && !ts_node_is_missing(node)) {
      frames_.back().pending = {};
      down = false;
      return false;
    }
    down = enter_frame(cursor, node);
    return true;
  }

  // True when the walk may go below the node under the cursor.
  bool enter_frame(TSTreeCursor& cursor, TSNode node) {
    push(node, ts_tree_cursor_current_field_id(&cursor));
    auto& f = frames_.back();
    if (ts_node_is_error(node) || ts_node_is_missing(node)) note_error(f);
    if (f.type >= g_.types.size()) return frames_.size() < kMaxFrames;
    const auto& traits = g_.types[f.type];
    auto& parent = frames_[static_cast<std::size_t>(f.above)];
    if (traits.comment) {
      comment(parent, node);
      return false;
    }
    if (parent.pending.end != 0) {
      if (ts_node_start_point(node).row <= parent.pending_row + 1) f.doc = parent.pending;
      parent.pending = {};
    }
    if (traits.locals) f.locals = static_cast<std::int32_t>(frames_.size()) - 1;
    if (!traits.patterns.empty()) match(traits);
    if (traits.text) {
      words(node);
      return false;
    }
    return frames_.size() < kMaxFrames;
  }

  void push(TSNode node, FieldId field) {
    Frame f;
    f.node = node;
    f.type = ts_node_symbol(node);
    f.field = field;
    if (!frames_.empty()) {
      f.above = f.parent = static_cast<std::int32_t>(frames_.size()) - 1;
      const auto& up = frames_.back();
      f.locals = up.locals;
      if (up.type < g_.types.size()) {
        const auto& t = g_.types[up.type];
        if (t.through_any ||
            std::find(t.through.begin(), t.through.end(), field) != t.through.end()) {
          if (up.parent >= 0) {
            f.parent = up.parent;
            f.field = up.field;
          }
        }
      }
    }
    frames_.push_back(std::move(f));
  }
  void pop() { frames_.pop_back(); }

  void note_error(const Frame& f) {
    const auto s = span_of(f.node);
    if (out_.errors.size() >= kMaxErrors) return;
    if (!out_.errors.empty() && s.begin < out_.errors.back().end) return;
    out_.errors.push_back({s.begin, std::max(s.end, s.begin + 1)});
  }

  // A comment on lines of its own documents what follows without an empty line.
  void comment(Frame& parent, TSNode node) {
    auto s = span_of(node);
    while (s.end > s.begin && (text_[s.end - 1] == '\n' || text_[s.end - 1] == '\r')) --s.end;
    auto at = s.begin;
    while (at > 0 && (text_[at - 1] == ' ' || text_[at - 1] == '\t')) --at;
    if (at != 0 && text_[at - 1] != '\n') {
      parent.pending = {};
      return;
    }
    const auto start_row = ts_node_start_point(node).row;
    if (parent.pending.end != 0 && start_row <= parent.pending_row + 1) {
      parent.pending.end = s.end;
    } else {
      parent.pending = s;
    }
    const auto end = ts_node_end_point(node);
    parent.pending_row = end.column == 0 && end.row > start_row ? end.row - 1 : end.row;
  }

  // Identifiers in text that the grammar leaves as it is.
  void words(TSNode node) {
    const auto s = span_of(node);
    const auto point = ts_node_start_point(node);
    auto line = point.row;
    auto line_start = s.begin - point.column;
    for (auto at = s.begin; at < s.end;) {
      const auto c = static_cast<unsigned char>(text_[at]);
      if (c == '\n') {
        ++line;
        line_start = at + 1;
      }
      if (c == '"') {  // no words from inside a string
        for (++at; at < s.end && text_[at] != '"' && text_[at] != '\n'; ++at) {
          if (text_[at] == '\\') ++at;
        }
        ++at;
        continue;
      }
      if (!word_start(c)) {
        ++at;
        if (c >= '0' && c <= '9') {
          while (at < s.end && (word_start(static_cast<unsigned char>(text_[at])) ||
                                (text_[at] >= '0' && text_[at] <= '9'))) {
            ++at;
          }
        }
        continue;
      }
      const auto begin = at;
      while (at < s.end && (word_start(static_cast<unsigned char>(text_[at])) ||
                            (text_[at] >= '0' && text_[at] <= '9'))) {
        ++at;
      }
      auto next = at;
      while (next < s.end && text_[next] == ' ') ++next;
      const auto kind =
          next < s.end && text_[next] == '(' ? ReferenceKind::kCall : ReferenceKind::kOther;
      out_.mentions.push_back({{begin, at}, line, begin - line_start, kind});
    }
  }
  static bool word_start(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
  }

  static bool one_of(NodeType t, const std::vector<NodeType>& types) {
    return types.empty() || std::find(types.begin(), types.end(), t) != types.end();
  }

  void match(const TypeTraits& traits) {
    for (const auto index : traits.patterns) {
      const auto& p = g_.patterns[index];
      auto at = static_cast<std::int32_t>(frames_.size()) - 1;
      std::size_t step = 0;
      chain_.clear();
      for (;; ++step) {
        const auto& f = frames_[static_cast<std::size_t>(at)];
        const auto& s = p.steps[step];
        if (!one_of(f.type, s.types)) break;
        if (s.field != kAnyField && s.field != f.field) break;
        chain_.push_back(at);
        if (step + 1 == p.steps.size()) {
          if (conditions(p)) {
            apply(p, chain_[p.outer]);
            return;
          }
          break;
        }
        at = f.parent;
        if (at < 0) break;
      }
    }
  }

  bool conditions(const Pattern& p) const {
    for (const auto& c : p.conditions) {
      const auto& f = frames_[static_cast<std::size_t>(chain_[c.step])];
      if (c.field == 0xFFFF) {
        if (slice(span_of(f.node)) != c.text) return false;
        continue;
      }
      const auto fits = [&](TSNode child) {
        return !ts_node_is_null(child) && one_of(ts_node_symbol(child), c.types) &&
               (c.text.empty() || slice(span_of(child)) == c.text);
      };
      if (c.field != kAnyField) {
        if (!fits(ts_node_child_by_field_id(f.node, c.field))) return false;
        continue;
      }
      bool found = false;
      const auto n = std::min(ts_node_child_count(f.node), 64U);
      for (std::uint32_t i = 0; i < n && !found; ++i) found = fits(ts_node_child(f.node, i));
      if (!found) return false;
    }
    return true;
  }

  void apply(const Pattern& p, std::int32_t outer_index) {
    auto& name = frames_.back();
    const auto span = span_of(name.node);
    const auto point = ts_node_start_point(name.node);
    auto& outer = frames_[static_cast<std::size_t>(outer_index)];
    switch (p.meaning) {
      case Meaning::kIgnore:
        return;
      case Meaning::kOwner:
      case Meaning::kScope:
        if (!outer.owner.empty()) outer.owner += kOwnerSeparator;
        outer.owner += slice(span);
        // The same words are also a mention of that type.
        out_.mentions.push_back({span, point.row, point.column, ReferenceKind::kType});
        return;
      case Meaning::kImport:
        out_.imports.push_back({span, span_of(outer.node)});
        return;
      case Meaning::kReference:
        if (span.begin != span.end) {
          out_.mentions.push_back({span, point.row, point.column, p.reference});
        }
        return;
      case Meaning::kLocal:
        local(span, point, outer);
        return;
      case Meaning::kDeclaration:
        if (outer.locals >= 0) return;  // a prototype inside a function
        define(p, span, point, outer_index);
        return;
      case Meaning::kDefinition:
        if (p.kind == SymbolKind::kVariable || p.kind == SymbolKind::kConstant) {
          if (outer.locals >= 0 && outer.locals != outer_index) {
            local(span, point, outer);
            return;
          }
          // Indented, in a range that was not understood: a local of a function that was lost.
          if (point.column > 0 && g_.brace_blocks && in_error()) return;
        }
        define(p, span, point, outer_index);
        return;
    }
  }

  [[nodiscard]] bool in_error() const {
    return std::any_of(frames_.begin(), frames_.end(),
                       [](const Frame& f) { return ts_node_is_error(f.node); });
  }

  void local(ByteSpan name, TSPoint point, const Frame& outer) {
    const auto holder = outer.locals;
    if (holder < 0) return;
    out_.locals.push_back(
        {name, span_of(frames_[static_cast<std::size_t>(holder)].node), point.row, point.column});
  }

  void define(const Pattern& p, ByteSpan name, TSPoint point, std::int32_t index) {
    if (name.begin == name.end || g_.no_names.contains(slice(name))) return;
    auto kind = p.kind;
    Definition d;
    d.declaration_only = p.meaning == Meaning::kDeclaration;
    d.name = unquote(name);
    d.line = point.row;
    d.column = point.column + (d.name.begin - name.begin);
    auto top = index;  // the outermost wrapper
    bool wrapped_public = false;
    bool alone = true;
    while (frames_[static_cast<std::size_t>(top)].above >= 0) {
      const auto above = frames_[static_cast<std::size_t>(top)].above;
      const auto type = frames_[static_cast<std::size_t>(above)].type;
      if (type >= g_.types.size() || !g_.types[type].wrapper) break;
      if (g_.types[type].wrapper_single &&
          ts_node_named_child_count(frames_[static_cast<std::size_t>(above)].node) != 1) {
        alone = false;
      }
      top = above;
      if (std::find(g_.public_if.begin(), g_.public_if.end(), type) != g_.public_if.end()) {
        wrapped_public = true;
      }
    }
    auto& own = frames_[static_cast<std::size_t>(index)];
    const auto& outermost = frames_[static_cast<std::size_t>(alone ? top : index)];
    d.declaration = ts_node_start_byte(outermost.node);
    d.span = {d.declaration, ts_node_end_byte(outermost.node)};
    while (d.span.end > d.name.end &&
           (text_[d.span.end - 1] == '\n' || text_[d.span.end - 1] == '\r')) {
      --d.span.end;  // grammars that end a line inside the node (#define, Markdown)
    }
    d.end_line = point.row + static_cast<std::uint32_t>(std::count(
                                 text_.begin() + d.name.begin, text_.begin() + d.span.end, '\n'));
    d.signature_end = d.span.end;
    TSNode body{};
    bool has_body = false;
    for (const auto& path : g_.bodies) {
      TSNode n = own.node;
      for (const auto field : path) {
        n = ts_node_child_by_field_id(n, field);
        if (ts_node_is_null(n)) break;
      }
      if (!ts_node_is_null(n)) {
        body = n;
        has_body = true;
        d.signature_end = ts_node_start_byte(n);
        break;
      }
    }
    d.doc = outermost.doc;
    if (d.doc.end != 0) d.span.begin = std::min(d.span.begin, d.doc.begin);
    if (has_body && !g_.docstring.empty()) docstring(body, d);
    // Scope: the nearest frame that is a definition, and the owners on the way.
    std::string owner;
    for (auto i = index;;) {
      const auto& f = frames_[static_cast<std::size_t>(i)];
      if (!f.owner.empty()) owner = owner.empty() ? f.owner : f.owner + kOwnerSeparator + owner;
      i = f.above;
      if (i < 0) break;
      if (frames_[static_cast<std::size_t>(i)].definition >= 0) {
        d.parent = frames_[static_cast<std::size_t>(i)].definition;
        break;
      }
    }
    if ((kind == SymbolKind::kField || kind == SymbolKind::kProperty) && d.parent >= 0) {
      // A field that its class declares inside a method: self.x, constructor(private x).
      const auto& in = out_.definitions[static_cast<std::size_t>(d.parent)];
      if (in.kind == SymbolKind::kMethod || in.kind == SymbolKind::kConstructor) {
        owner = in.owner;
        d.parent = in.parent;
      }
    }
    d.owner = std::move(owner);
    d.exported = exported(own, slice(d.name), wrapped_public);
    if (!d.exported && !g_.public_if.empty() && d.parent >= 0) {
      const auto& in = out_.definitions[static_cast<std::size_t>(d.parent)];
      if (kind == SymbolKind::kEnumerator || in.kind == SymbolKind::kTrait ||
          in.kind == SymbolKind::kInterface || g_.types[g_.public_if.front()].wrapper) {
        d.exported = in.exported && !has_private(own);
      }
    }
    if (kind == SymbolKind::kFunction) {
      const auto in = d.parent < 0 ? SymbolKind::kFunction
                                   : out_.definitions[static_cast<std::size_t>(d.parent)].kind;
      if (!d.owner.empty() || in == SymbolKind::kClass || in == SymbolKind::kStruct ||
          in == SymbolKind::kInterface || in == SymbolKind::kTrait || in == SymbolKind::kUnion ||
          in == SymbolKind::kEnum) {
        kind = SymbolKind::kMethod;
      }
    }
    d.kind = kind;
    if (own.definition < 0) own.definition = static_cast<std::int32_t>(out_.definitions.size());
    out_.definitions.push_back(std::move(d));
  }

  [[nodiscard]] ByteSpan unquote(ByteSpan s) const {
    const char c = text_[s.begin];
    if (c == ':' && s.end - s.begin >= 2) return {s.begin + 1, s.end};  // Ruby's :name
    if (s.end - s.begin >= 2 && (c == '"' || c == '\'' || c == '`') && text_[s.end - 1] == c) {
      return {s.begin + 1, s.end - 1};
    }
    return s;
  }

  void docstring(TSNode body, Definition& d) const {
    TSNode n = body;
    for (const auto type : g_.docstring) {
      n = ts_node_named_child(n, 0);
      if (ts_node_is_null(n) || ts_node_symbol(n) != type) return;
    }
    d.doc = span_of(n);
  }

  bool exported(const Frame& own, std::string_view name, bool wrapped_public) const {
    if (g_.public_uppercase)
      return !name.empty() && (name[0] < 'a' || name[0] > 'z') && name[0] != '_';
    if (!g_.private_prefix.empty() && name.starts_with(g_.private_prefix)) {
      return name.starts_with("__") && name.ends_with("__") && name.size() > 4;
    }
    if (!g_.private_if.empty() || (!g_.public_if.empty() && !wrapped_public)) {
      bool is_public = g_.public_if.empty();
      const auto n = std::min(ts_node_child_count(own.node), 8U);
      for (std::uint32_t i = 0; i < n; ++i) {
        const auto child = ts_node_child(own.node, i);
        const auto type = ts_node_symbol(child);
        for (const auto& [t, word] : g_.private_if) {
          if (type != t) continue;
          const auto words = slice(span_of(child));
          if (words.find(word) != std::string_view::npos) return false;
        }
        if (std::find(g_.public_if.begin(), g_.public_if.end(), type) != g_.public_if.end()) {
          is_public = true;
        }
      }
      return is_public;
    }
    return true;
  }

  [[nodiscard]] bool has_private(const Frame& own) const {
    const auto n = std::min(ts_node_child_count(own.node), 8U);
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto words = slice(span_of(ts_node_child(own.node, i)));
      if (words == "private" || words.starts_with('#')) return true;
    }
    return false;
  }

  static constexpr char kOwnerSeparator = '\x1f';
  const Grammar& g_;
  std::string_view text_;
  Facts& out_;
  std::vector<Frame> frames_;
  std::vector<std::int32_t> chain_;
};

}  // namespace

void walk_tree(const Grammar& g, TSNode root, std::string_view text, Facts& out) {
  Walk(g, text, out).run(root);
}

}  // namespace ambit::indexer
