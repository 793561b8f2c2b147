#include "daemon/assists/refactor/c_needs.h"

#include <algorithm>
#include <set>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Definition;
using indexer::kNoNode;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

Error cannot(const std::string& why) {
  return make_error(Code::kInvalidArgument, why);
}

class Finder {
 public:
  Finder(const Snapshot& snapshot, IncludeGraph& graph, const CMove& move)
      : snapshot_(snapshot),
        graph_(graph),
        symbol_(move.symbol),
        to_(move.to),
        header_(move.header),
        from_(move.from),
        target_(move.target),
        definition_(move.definition),
        span_(move.span),
        namespaces_(move.namespaces) {}

  Result<CNeeds> collect() {
    auto open = used_names();
    AMBIT_CHECK_OK(check_usings(open));
    const auto there = target_ ? graph_.closure(to_, true) : std::set<std::string>{to_};
    bool foreign = false;
    std::set<std::string> done;
    while (!open.empty()) {
      const auto name = *open.begin();
      open.erase(open.begin());
      if (!done.insert(name).second) continue;
      std::set<std::string> more;
      const auto origin = origin_of(name, more);
      for (const auto& m : more) {
        if (!done.contains(m)) open.insert(m);
      }
      if (origin.own != nullptr && name != symbol_.name && origin.files.empty()) {
        return refusal(
            symbol_.path, origin.own->line,
            header_ ? "is " + name + ", which " + symbol_.name +
                          " uses: the two headers would need each other; move it first"
                    : "is " + name + ", which only its file knows and " + symbol_.name + " uses");
      }
      if (origin.files.empty()) {
        AMBIT_TRY(announced, announce(name));
        if (announced) continue;
        foreign = foreign || name != symbol_.name;
        continue;
      }
      if (std::any_of(origin.files.begin(), origin.files.end(),
                      [&](const auto& p) { return there.contains(p); })) {
        continue;
      }
      AMBIT_CHECK_OK(need(origin.files, name));
    }
    AMBIT_CHECK_OK(need_members(there));
    if (foreign) AMBIT_CHECK_OK(need_foreign(there));
    return std::move(out_);
  }

 private:
  // Names that the definition uses and does not bring itself.
  [[nodiscard]] std::set<std::string> used_names() const {
    std::set<std::string> out{symbol_.name};
    const auto& text = from_.text;
    for (const auto& m : from_.facts.mentions) {
      if (!inside(m.span, span_)) continue;
      const auto before = std::string_view(text).substr(0, m.span.begin);
      if (before.ends_with('.') || before.ends_with("->")) continue;
      if (before.ends_with("::") && before.size() > 2 && word_byte(before[before.size() - 3])) {
        continue;  // what stands in front of it is found on its own
      }
      out.emplace(from_.slice(m.span));
    }
    for (const auto& l : from_.facts.locals) {
      if (inside(l.name, span_)) out.erase(std::string(from_.slice(l.name)));
    }
    for (const auto& d : from_.facts.definitions) {
      if (inside(d.name, span_) && d.name != definition_.name) {
        out.erase(std::string(from_.slice(d.name)));
      }
    }
    return out;
  }

  // using namespace x; using x::y; namespace a = b; of the old file that the new one does not have.
  Result<void> check_usings(const std::set<std::string>& used) const {
    const auto& tree = *from_.tree;
    for (std::uint32_t i = 0; i < tree.nodes().size(); ++i) {
      const auto& n = tree[i];
      if (n.type != "using_declaration" && n.type != "namespace_alias_definition") continue;
      if (inside(n.span, span_)) continue;
      bool in_function = false;
      for (auto p = n.parent; p != kNoNode; p = tree[p].parent) {
        in_function = in_function || tree[p].type == "compound_statement" ||
                      tree[p].type == "field_declaration_list";
      }
      if (in_function) continue;
      const auto words = std::string(from_.slice(n.span));
      if (target_ && target_->text.find(words) != std::string::npos) continue;
      const bool all = words.find("namespace ") < words.find('=') && n.type == "using_declaration";
      bool named = false;
      for (const auto& name : used) named = named || has_word(words, name);
      if (all || named) {
        return refusal(symbol_.path, from_.line_of(n.span.begin),
                       "says '" + words + "', and " + to_ + " does not");
      }
    }
    return {};
  }

  // Where the old file gets a name from. Of a type that is given a body somewhere only that counts:
  // its members may be used.
  struct Origin {
    std::set<std::string> files;
    const Definition* own = nullptr;  // of the old file itself
  };
  Origin origin_of(const std::string& name, std::set<std::string>& more) {
    Origin out;
    for (const auto& d : from_.facts.definitions) {
      if (from_.slice(d.name) != name || inside(d.name, span_) || !is_file_level(d)) continue;
      if (out.own == nullptr || !has_body(d.kind)) out.own = &d;
      if (has_body(d.kind) && !d.declaration_only) {
        out.own = &d;
        out.files.clear();
        return out;
      }
    }
    bool whole = false;
    const auto& seen = graph_.closure(symbol_.path);
    for (const auto& s : snapshot_.definitions(name, 400)) {
      if (s.path == symbol_.path || !seen.contains(s.path)) continue;
      // typedef struct tag name;
      if (s.kind == SymbolKind::kTypeAlias) {
        for (const std::string_view key : {"struct ", "union ", "enum "}) {
          const auto at = s.signature.find(key);
          if (at == std::string::npos) continue;
          const auto begin = at + key.size();
          auto end = begin;
          while (end < s.signature.size() && word_byte(s.signature[end])) ++end;
          more.insert(s.signature.substr(begin, end - begin));
        }
      }
      const bool body = has_body(s.kind) && !s.declaration_only;
      if (body && !whole) out.files.clear();
      whole = whole || body;
      if (body || !whole) out.files.insert(s.path);
    }
    return out;
  }
  static bool has_body(SymbolKind k) {
    return k == SymbolKind::kClass || k == SymbolKind::kStruct || k == SymbolKind::kUnion ||
           k == SymbolKind::kEnum;
  }

  [[nodiscard]] bool is_file_level(const Definition& d) const {
    for (auto p = d.parent; p >= 0;) {
      const auto& parent = from_.facts.definitions[static_cast<std::size_t>(p)];
      if (parent.kind != SymbolKind::kNamespace) return false;
      p = parent.parent;
    }
    return d.owner.empty() && d.kind != SymbolKind::kNamespace;
  }

  // "class name;" of the old file goes along.
  Result<bool> announce(const std::string& name) {
    const auto& tree = *from_.tree;
    for (std::uint32_t i = 0; i < tree.nodes().size(); ++i) {
      const auto& n = tree[i];
      if ((n.type != "class_specifier" && n.type != "struct_specifier") || inside(n.span, span_) ||
          tree.child(i, "body") != kNoNode || from_.text[n.span.end] != ';') {
        continue;
      }
      const auto child = tree.child(i, "name");
      if (child == kNoNode || from_.slice(tree[child].span) != name) continue;
      const auto around = namespaces_around(from_, i);
      if (around != namespaces_) {
        return refusal(
            symbol_.path, from_.line_of(n.span.begin),
            "announces " + name + " in another namespace, and " + symbol_.name + " uses it");
      }
      out_.announced += std::string(from_.slice(n.span)) + ";\n";
      return true;
    }
    return false;
  }

  // Fields that it reaches into: their types may not be named at all.
  Result<void> need_members(const std::set<std::string>& there) {
    std::set<std::string> done;
    const auto& seen = graph_.closure(symbol_.path);
    for (const auto& m : from_.facts.mentions) {
      if (!inside(m.span, span_)) continue;
      const auto before = std::string_view(from_.text).substr(0, m.span.begin);
      const auto name = std::string(from_.slice(m.span));
      if (!(before.ends_with('.') || before.ends_with("->")) || !done.insert(name).second) continue;
      std::set<std::string> files;
      for (const auto& s : snapshot_.definitions(name, 400)) {
        if (s.kind == SymbolKind::kField && (s.path == symbol_.path || seen.contains(s.path))) {
          files.insert(s.path);
        }
      }
      if (files.contains(symbol_.path)) {
        return refusal(symbol_.path, m.line,
                       "uses " + name + " of a type that " +
                           (header_ ? "its header" : "only its file") + " defines");
      }
      if (!files.empty() && std::none_of(files.begin(), files.end(), [&](const auto& p) {
            return there.contains(p) || out_.files.contains(p);
          })) {
        AMBIT_CHECK_OK(need(files, name));
      }
    }
    return {};
  }

  // The include of the old file that brings one of these files.
  Result<void> need(const std::set<std::string>& definers, const std::string& name) {
    const Include* best = nullptr;
    for (const auto& i : graph_.of(symbol_.path)) {
      if (!i.target) continue;
      const auto& brings = graph_.closure(*i.target);
      if (std::none_of(definers.begin(), definers.end(),
                       [&](const auto& p) { return brings.contains(p); })) {
        continue;
      }
      if (best == nullptr || (best->conditional && !i.conditional) ||
          (!definers.contains(*best->target) && definers.contains(*i.target))) {
        best = &i;
      }
    }
    if (best == nullptr)
      return cannot(symbol_.path + " gets " + name + " in a way that is not seen");
    return take(*best, name);
  }

  // Names from outside of the repository: whatever the old file includes that brings such headers.
  Result<void> need_foreign(const std::set<std::string>& there) {
    std::set<std::string> have;
    if (target_) have = graph_.foreign(to_);
    for (const auto& i : graph_.of(symbol_.path)) {
      if (i.target || have.contains(i.words)) continue;
      if (i.conditional) {
        return refusal(symbol_.path, from_.line_of(i.line.begin),
                       "includes " + i.words + " inside of an #if, and " + to_ + " does not");
      }
      if (std::find(out_.foreign.begin(), out_.foreign.end(), i.words) == out_.foreign.end()) {
        out_.foreign.push_back(i.words);
      }
      have.insert(i.words);
    }
    for (const auto& i : graph_.of(symbol_.path)) {
      if (!i.target || there.contains(*i.target) || out_.files.contains(*i.target)) continue;
      const auto brings = graph_.foreign(*i.target);
      if (std::all_of(brings.begin(), brings.end(),
                      [&](const auto& w) { return have.contains(w); })) {
        continue;
      }
      AMBIT_CHECK_OK(take(i, "what lies outside of the repository"));
      have.insert(brings.begin(), brings.end());
    }
    return {};
  }

  Result<void> take(const Include& include, const std::string& name) {
    if (include.conditional) {
      return refusal(symbol_.path, from_.line_of(include.line.begin),
                     "includes " + include.words + " inside of an #if, and " + symbol_.name +
                         " uses " + name + " of it");
    }
    if (graph_.closure(*include.target).contains(to_)) {
      return cannot(to_ + " would have to include " + *include.target + ", which includes it");
    }
    out_.files[*include.target] = include.words;
    return {};
  }

  const Snapshot& snapshot_;
  IncludeGraph& graph_;
  const Symbol& symbol_;
  const std::string& to_;
  const bool header_;
  const SourceFile& from_;
  const SourceFile* const target_;
  const Definition& definition_;
  const ByteSpan span_;
  const std::vector<std::string>& namespaces_;
  CNeeds out_;
};

}  // namespace

Result<CNeeds> needs_of(const Snapshot& snapshot, IncludeGraph& graph, const CMove& move) {
  return Finder(snapshot, graph, move).collect();
}

}  // namespace ambit::daemon
