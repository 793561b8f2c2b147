// Moves a definition of C or C++. What must hold afterwards: the new home sees every name that the
// definition uses, through includes that it has or gets; everybody who saw the definition still
// does. A function of a source file leaves a prototype behind where its file calls it; a definition
// of a header is found through the old header, which includes the new one. What the index cannot
// answer for (static helpers, conditional code, using-directives) is refused with its place.
#include <algorithm>
#include <set>

#include "daemon/assists/refactor/c_needs.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/site_text.h"
#include "indexer/git/repository.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Definition;
using indexer::kNoNode;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;
using indexer::SyntaxTree;

namespace {

class CMover {
 public:
  CMover(const Snapshot& snapshot, const Symbol& symbol, const std::string& to)
      : snapshot_(snapshot),
        imports_(snapshot),
        graph_(snapshot, imports_),
        symbol_(symbol),
        to_(to),
        header_(is_header(symbol.path)) {}

  Result<PlanStep> plan() {
    if (is_header(to_) != header_) {
      return no(header_
                    ? symbol_.path + " is a header, so its users include it; " + to_ + " is none"
                    : to_ + " is a header; a function there would be defined in every user");
    }
    AMBIT_TRY(from, load_source(snapshot_, symbol_.path));
    from_ = std::move(from);
    if (snapshot_.file(to_)) {
      AMBIT_TRY(target, load_source(snapshot_, to_));
      target_ = std::move(target);
    } else if (!header_) {
      return no("there is no " + to_ + "; make it and name it in your build first");
    }
    AMBIT_CHECK_OK(find_definition());
    AMBIT_CHECK_OK(check_surroundings());
    AMBIT_TRY(needs, needs_of(snapshot_, graph_,
                              {symbol_, to_, header_, from_, target_ ? &*target_ : nullptr,
                               *definition_, span_, namespaces_}));
    needs_ = std::move(needs);
    AMBIT_CHECK_OK(leave());
    AMBIT_CHECK_OK(arrive());
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

 private:
  void edit(const SourceFile& f, ByteSpan span, std::string text) {
    edits_.edit(f, span, std::move(text));
  }

  Result<void> find_definition() {
    for (const auto& d : from_.facts.definitions) {
      if (d.name == symbol_.name_span) definition_ = &d;
    }
    if (definition_ == nullptr) return no(symbol_.path + " has changed; try again");
    AMBIT_TRY(span, whole_lines(from_, symbol_, definition_->span));
    span_ = span;
    return {};
  }

  // Namespaces around it, and nothing else.
  Result<void> check_surroundings() {
    const auto& tree = *from_.tree;
    auto at = tree.around(symbol_.name_span);
    auto outermost = at;
    bool reached = false;
    for (; at != kNoNode; at = tree[at].parent) {
      const auto& n = tree[at];
      const auto here = [&](const std::string& why) {
        return refusal(symbol_.path, symbol_.line, why);
      };
      if (!reached && inside(n.span, span_)) {
        outermost = at;
        continue;
      }
      reached = true;
      if (n.type == "namespace_definition") {
        const auto name = tree.child(at, "name");
        if (name == kNoNode) return here("is in an unnamed namespace: only its file can use it");
        namespaces_.insert(namespaces_.begin(), std::string(from_.slice(tree[name].span)));
      } else if (n.type.starts_with("preproc_")) {
        const bool guard = end_of_guard(from_.text).has_value() && n.type == "preproc_ifdef" &&
                           tree[n.parent].parent == kNoNode;
        if (!guard) return here("stands inside of an #if");
        if (from_.slice(tree[tree.child(at, "name")].span) == symbol_.name) {
          return here("keeps its header from being read twice");
        }
      } else if (n.type == "linkage_specification") {
        return here("stands inside of extern \"C\" { }");
      } else if (n.type.ends_with("_specifier") || n.type == "function_definition") {
        return here("is a member");
      }
    }
    if (tree.holds_error(outermost)) {
      return refusal(symbol_.path, symbol_.line, "is not understood whole by the grammar");
    }
    const auto head = from_.text.substr(definition_->span.begin,
                                        definition_->signature_end - definition_->span.begin);
    if (!header_) {
      if (symbol_.kind != SymbolKind::kFunction) {
        return refusal(symbol_.path, symbol_.line,
                       "is a " + std::string(to_string(symbol_.kind)) +
                           " of a source file; of those only functions can be moved");
      }
      for (const auto* word : {"static", "inline", "template", "constexpr"}) {
        if (has_word(head, word)) {
          return refusal(symbol_.path, symbol_.line,
                         "is " + std::string(word) + ": only its file can use it");
        }
      }
    } else if (!definition_->owner.empty()) {
      return refusal(symbol_.path, symbol_.line, "is a member");
    } else if (symbol_.kind == SymbolKind::kFunction && !has_word(head, "inline") &&
               !has_word(head, "template") && !has_word(head, "constexpr") &&
               !has_word(head, "static")) {
      return refusal(symbol_.path, symbol_.line, "is a function in a header that is not inline");
    }
    if (target_) {
      for (const auto& d : target_->facts.definitions) {
        if (target_->slice(d.name) == symbol_.name && !d.declaration_only && d.parent < 0) {
          return refusal(to_, d.line, "defines " + symbol_.name + " already");
        }
      }
      if (header_) {
        for (const auto& m : target_->facts.mentions) {
          if (target_->slice(m.span) == symbol_.name) {
            return refusal(to_, m.line,
                           "uses " + symbol_.name + " above the place where it would stand");
          }
        }
        AMBIT_CHECK_OK(check_rivals());
      }
    }
    return {};
  }

  // The old header will include the new one: a type that both bring would be defined twice.
  Result<void> check_rivals() {
    const auto& seen = graph_.closure(symbol_.path);
    if (seen.contains(to_)) return {};
    for (const auto& mine : snapshot_.symbols_in(to_)) {
      const bool type = mine.kind == SymbolKind::kClass || mine.kind == SymbolKind::kStruct ||
                        mine.kind == SymbolKind::kEnum || mine.kind == SymbolKind::kUnion;
      if (!type || mine.declaration_only) continue;
      for (const auto& other : snapshot_.definitions(mine.name, 200)) {
        if (other.path != to_ && !other.declaration_only && other.kind == mine.kind &&
            other.scope == mine.scope && seen.contains(other.path)) {
          return refusal(to_, mine.line,
                         "defines " + mine.name + ", as " + other.path + " does, which " +
                             symbol_.path + " includes");
        }
      }
    }
    return {};
  }

  // What stays behind.
  Result<void> leave() {
    const auto& text = from_.text;
    bool used = false;
    std::uint32_t first = 0;
    for (const auto& m : from_.facts.mentions) {
      if (from_.slice(m.span) != symbol_.name || inside(m.span, span_)) continue;
      if (!used) first = m.span.begin;
      used = true;
    }
    const auto span = with_gap(from_, span_);
    if (header_) {
      if (graph_.closure(symbol_.path).contains(to_)) {
        edit(from_, span, "");
        return {};
      }
      if (target_ && graph_.closure(to_).contains(symbol_.path)) {
        return no(to_ + " includes " + symbol_.path + ", whose users would not find " +
                  symbol_.name + " any more");
      }
      for (const auto& [path, words] : needs_.files) {
        if (graph_.closure(path).contains(symbol_.path)) {
          return no(to_ + " would need " + path + ", which includes " + symbol_.path);
        }
      }
      edit(from_, span, "");
      add_includes(from_, {include_words(symbol_.path, to_)});
      return {};
    }
    bool declared = false;
    for (const auto& s : snapshot_.definitions(symbol_.name, 400)) {
      const bool here = s.path == symbol_.path && s.name_span.begin < first;
      declared =
          declared ||
          (s.declaration_only && s.scope == symbol_.scope &&
           (here || (s.path != symbol_.path && graph_.closure(symbol_.path).contains(s.path))));
    }
    if (!used || declared) {
      edit(from_, span, "");
      return {};
    }
    auto prototype = text.substr(definition_->declaration,
                                 definition_->signature_end - definition_->declaration);
    while (!prototype.empty() &&
           std::string_view(" \t\r\n").find(prototype.back()) != std::string_view::npos) {
      prototype.pop_back();
    }
    edit(from_, span_, prototype + ";" + std::string(line_end_of(text)));
    return {};
  }

  // How `importer` names a file, in the style in which includes are written there.
  [[nodiscard]] std::string include_words(const std::string& importer, const std::string& target) {
    for (const auto& file : {importer, symbol_.path, to_}) {
      if (!snapshot_.file(file)) continue;
      for (const auto& i : graph_.of(file)) {
        if (!i.target || !i.words.starts_with('"')) continue;
        if (auto words = imports_.words_for(file, *i.target, i.words, importer, target)) {
          return *words;
        }
      }
    }
    // As others include the old file.
    const auto found = snapshot_.search(base_of(symbol_.path), false, 50);
    for (const auto& r : found ? *found : std::vector<indexer::TextMatch>()) {
      for (const auto& i : graph_.of(r.path)) {
        if (i.target != symbol_.path) continue;
        if (auto words = imports_.words_for(r.path, symbol_.path, i.words, importer, target)) {
          return *words;
        }
      }
    }
    return '"' + std::string(base_of(target)) + '"';
  }

  void add_includes(const SourceFile& f, const std::vector<std::string>& words) {
    if (words.empty()) return;
    const auto lines = include_lines(f, words);
    edit(f, {lines.at, lines.at}, lines.text);
  }

  [[nodiscard]] std::string opened() const {
    std::string out;
    for (const auto& n : namespaces_) out += "namespace " + n + " {\n";
    return out.empty() ? out : out + "\n";
  }
  [[nodiscard]] std::string closed() const {
    std::string out;
    for (auto n = namespaces_.rbegin(); n != namespaces_.rend(); ++n) {
      out += "}  // namespace " + *n + "\n";
    }
    return out.empty() ? out : "\n" + out;
  }

  Result<void> arrive() {
    std::vector<std::string> words = needs_.foreign;
    for (const auto& [path, old_words] : needs_.files) {
      const auto now = imports_.words_for(symbol_.path, path, old_words, to_, path);
      words.push_back(now ? *now : include_words(to_, path));
    }
    const auto body = needs_.announced + (needs_.announced.empty() ? "" : "\n") +
                      with_line_ends(std::string(from_.slice(span_)), "\n");
    if (!target_) {
      std::string text = "#pragma once\n";
      for (const auto& w : words)
        text += (&w == &words.front() ? "\n#include " : "#include ") + w + "\n";
      edits_.create(to_, text + "\n" + opened() + body + closed());
      return {};
    }
    const auto& f = *target_;
    const auto end = std::string(line_end_of(f.text));
    add_includes(f, std::move(words));
    if (!namespaces_.empty()) {
      if (const auto at = end_of_namespace(*target_, namespaces_)) {
        const bool blank = f.text.substr(0, *at).ends_with("\n\n");
        edit(f, {*at, *at}, with_line_ends((blank ? "" : "\n") + body + "\n", end));
        return {};
      }
    }
    const auto guard = header_ ? end_of_guard(f.text) : std::nullopt;
    const auto size = static_cast<std::uint32_t>(f.text.size());
    const auto at = guard.value_or(size);
    const auto before = std::string_view(f.text).substr(0, at);
    const std::string gap = before.empty() || before.ends_with("\n\n") ? ""
                            : before.ends_with('\n')                   ? "\n"
                                                                       : "\n\n";
    edit(f, {at, at}, with_line_ends(gap + opened() + body + closed() + (guard ? "\n" : ""), end));
    return {};
  }

  const Snapshot& snapshot_;
  const Imports imports_;
  IncludeGraph graph_;
  const Symbol& symbol_;
  const std::string to_;
  const bool header_;
  SourceFile from_;
  std::optional<SourceFile> target_;
  const Definition* definition_ = nullptr;
  ByteSpan span_;
  std::vector<std::string> namespaces_;  // around it, outermost first
  CNeeds needs_;
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_c_move(const Snapshot& snapshot, const Symbol& symbol,
                             const std::string& to) {
  return CMover(snapshot, symbol, to).plan();
}

}  // namespace ambit::daemon
