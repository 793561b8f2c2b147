// Moves a definition of C or C++. What must hold afterwards: the new home sees every name that the
// definition uses, through includes that it has or gets; everybody who saw the definition still
// does. A function of a source file leaves a prototype behind where its file calls it; a definition
// of a header is found through the old header, which includes the new one. What the index cannot
// answer for (static helpers, conditional code, using-directives) is refused with its place.
#include <algorithm>
#include <set>

#include "daemon/assists/refactor/includes.h"
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

struct CFile {
  std::string path, text;
  indexer::Facts facts;
  std::optional<SyntaxTree> tree;
  [[nodiscard]] std::string_view slice(ByteSpan s) const {
    return std::string_view(text).substr(s.begin, s.size());
  }
  [[nodiscard]] std::uint32_t line_of(std::size_t at) const {
    return static_cast<std::uint32_t>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  }
};

Result<CFile> load(const Snapshot& snapshot, const std::string& path) {
  CFile out;
  out.path = path;
  AMBIT_TRY(text, snapshot.text(path));
  out.text = std::move(text);
  const auto info = snapshot.file(path);
  const auto language = info ? info->language : indexer::language_of(path);
  indexer::Extractor extractor;
  AMBIT_TRY(facts, extractor.extract(language, out.text));
  out.facts = std::move(facts);
  AMBIT_TRY(tree, SyntaxTree::parse(language, out.text));
  out.tree = std::move(tree);
  return out;
}

bool inside(ByteSpan inner, ByteSpan outer) {
  return outer.begin <= inner.begin && inner.end <= outer.end;
}

Error no(const std::string& path, std::uint32_t line, const std::string& why) {
  return make_error(Code::kInvalidArgument, path + ":" + std::to_string(line + 1) + " " + why);
}
Error no(const std::string& why) {
  return make_error(Code::kInvalidArgument, why);
}

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
    AMBIT_TRY(from, load(snapshot_, symbol_.path));
    from_ = std::move(from);
    if (snapshot_.file(to_)) {
      AMBIT_TRY(target, load(snapshot_, to_));
      target_ = std::move(target);
    } else if (!header_) {
      return no("there is no " + to_ + "; make it and name it in your build first");
    }
    AMBIT_CHECK_OK(find_definition());
    AMBIT_CHECK_OK(check_surroundings());
    AMBIT_CHECK_OK(collect_includes());
    AMBIT_CHECK_OK(leave());
    AMBIT_CHECK_OK(arrive());
    PlanStep out;
    out.title = "move " + symbol_.name + " to " + to_;
    for (auto& [path, file] : files_) out.files.push_back(std::move(file));
    return out;
  }

 private:
  void edit(const CFile& f, ByteSpan span, std::string text) {
    auto& out = files_[f.path];
    out.path = f.path;
    out.blob = indexer::hash_blob(f.text).hex();
    out.edits.push_back(
        {site_of_offset(f.text, span.begin), std::string(f.slice(span)), std::move(text)});
  }

  Result<void> find_definition() {
    for (const auto& d : from_.facts.definitions) {
      if (d.name == symbol_.name_span) definition_ = &d;
    }
    if (definition_ == nullptr) return no(symbol_.path + " has changed; try again");
    const auto& text = from_.text;
    span_ = definition_->span;
    while (span_.begin > 0 && text[span_.begin - 1] != '\n') {
      if (text[span_.begin - 1] != ' ' && text[span_.begin - 1] != '\t') {
        return no(symbol_.path, symbol_.line, "stands behind something else on its line");
      }
      --span_.begin;
    }
    const auto end = std::min(text.find('\n', span_.end), text.size());
    if (text.substr(span_.end, end - span_.end).find_first_not_of(" \t\r;") != std::string::npos) {
      return no(symbol_.path, symbol_.line, "shares its last line with something else");
    }
    span_.end = static_cast<std::uint32_t>(std::min(end + 1, text.size()));
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
      const auto here = [&](const std::string& why) { return no(symbol_.path, symbol_.line, why); };
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
      } else if (n.type == "linkage_specification") {
        return here("stands inside of extern \"C\" { }");
      } else if (n.type.ends_with("_specifier") || n.type == "function_definition") {
        return here("is a member");
      }
    }
    if (tree.holds_error(outermost)) {
      return no(symbol_.path, symbol_.line, "is not understood whole by the grammar");
    }
    const auto head = from_.text.substr(definition_->span.begin,
                                        definition_->signature_end - definition_->span.begin);
    if (!header_) {
      if (symbol_.kind != SymbolKind::kFunction) {
        return no(symbol_.path, symbol_.line,
                  "is a " + std::string(to_string(symbol_.kind)) +
                      " of a source file; of those only functions can be moved");
      }
      for (const auto* word : {"static", "inline", "template", "constexpr"}) {
        if (has_word(head, word)) {
          return no(symbol_.path, symbol_.line,
                    "is " + std::string(word) + ": only its file can use it");
        }
      }
    } else if (symbol_.kind == SymbolKind::kFunction && !has_word(head, "inline") &&
               !has_word(head, "template") && !has_word(head, "constexpr") &&
               !has_word(head, "static")) {
      return no(symbol_.path, symbol_.line, "is a function in a header that is not inline");
    }
    if (target_) {
      for (const auto& d : target_->facts.definitions) {
        if (target_->slice(d.name) == symbol_.name && !d.declaration_only && d.parent < 0) {
          return no(to_, d.line, "defines " + symbol_.name + " already");
        }
      }
      if (header_) {
        for (const auto& m : target_->facts.mentions) {
          if (target_->slice(m.span) == symbol_.name) {
            return no(to_, m.line,
                      "uses " + symbol_.name + " above the place where it would stand");
          }
        }
      }
    }
    return {};
  }

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
      if (inside(d.name, span_) && d.name != definition_->name) {
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
        return no(symbol_.path, from_.line_of(n.span.begin),
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

  Result<void> collect_includes() {
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
        return no(symbol_.path, origin.own->line,
                  header_
                      ? "is " + name + ", which " + symbol_.name +
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
    return {};
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
      std::vector<std::string> around;
      for (auto p = n.parent; p != kNoNode; p = tree[p].parent) {
        if (tree[p].type != "namespace_definition") continue;
        const auto label = tree.child(p, "name");
        if (label != kNoNode)
          around.insert(around.begin(), std::string(from_.slice(tree[label].span)));
      }
      if (around != namespaces_) {
        return no(symbol_.path, from_.line_of(n.span.begin),
                  "announces " + name + " in another namespace, and " + symbol_.name + " uses it");
      }
      announced_ += std::string(from_.slice(n.span)) + ";\n";
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
        return no(symbol_.path, m.line,
                  "uses " + name + " of a type that " + (header_ ? "its header" : "only its file") +
                      " defines");
      }
      if (!files.empty() && std::none_of(files.begin(), files.end(), [&](const auto& p) {
            return there.contains(p) || needed_.contains(p);
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
    if (best == nullptr) return no(symbol_.path + " gets " + name + " in a way that is not seen");
    return take(*best, name);
  }

  // Names from outside of the repository: whatever the old file includes that brings such headers.
  Result<void> need_foreign(const std::set<std::string>& there) {
    std::set<std::string> have;
    if (target_) have = graph_.foreign(to_);
    for (const auto& i : graph_.of(symbol_.path)) {
      if (i.target || have.contains(i.words)) continue;
      if (i.conditional) {
        return no(symbol_.path, from_.line_of(i.line.begin),
                  "includes " + i.words + " inside of an #if, and " + to_ + " does not");
      }
      if (std::find(foreign_.begin(), foreign_.end(), i.words) == foreign_.end()) {
        foreign_.push_back(i.words);
      }
      have.insert(i.words);
    }
    for (const auto& i : graph_.of(symbol_.path)) {
      if (!i.target || there.contains(*i.target) || needed_.contains(*i.target)) continue;
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
      return no(symbol_.path, from_.line_of(include.line.begin),
                "includes " + include.words + " inside of an #if, and " + symbol_.name + " uses " +
                    name + " of it");
    }
    if (graph_.closure(*include.target).contains(to_)) {
      return no(to_ + " would have to include " + *include.target + ", which includes it");
    }
    needed_[*include.target] = include.words;
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
    auto span = span_;
    while (span.end < text.size() && text[span.end] == '\n') ++span.end;
    if (header_) {
      if (graph_.closure(symbol_.path).contains(to_)) {
        edit(from_, span, "");
        return {};
      }
      if (target_ && graph_.closure(to_).contains(symbol_.path)) {
        return no(to_ + " includes " + symbol_.path + ", whose users would not find " +
                  symbol_.name + " any more");
      }
      for (const auto& [path, words] : needed_) {
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

  // Behind the includes of a file, or where its text begins.
  void add_includes(const CFile& f, std::vector<std::string> words) {
    if (words.empty()) return;
    const auto end = std::string(line_end_of(f.text));
    std::string lines;
    for (const auto& w : words) lines += "#include " + w + end;
    // The last one before anything is declared, else behind what a file begins with.
    const auto& tree = *f.tree;
    const auto guard = end_of_guard(f.text);
    std::optional<std::uint32_t> include;
    std::uint32_t head = 0;
    std::vector<std::uint32_t> open = tree.children(0);
    for (std::size_t i = 0; i < open.size(); ++i) {
      const auto& n = tree[open[i]];
      if (guard && n.type == "preproc_ifdef" && n.span.end > *guard) {
        const auto inner = tree.children(open[i]);
        // Without "#ifndef" and the name.
        open.insert(open.begin() + static_cast<std::ptrdiff_t>(i) + 1, inner.begin() + 2,
                    inner.end());
        continue;
      }
      const auto code = f.slice(n.span);
      if (n.type == "preproc_include") {
        include = n.span.end;
      } else if (n.type == "comment" || code.starts_with("#pragma once") ||
                 (guard && head <= n.span.begin && n.type == "preproc_def" && !include)) {
        if (!include) head = n.span.end;
      } else if (!n.type.starts_with("preproc_") && !n.type.starts_with("#")) {
        break;
      }
    }
    const auto line_after = [&](std::uint32_t place) {
      if (place == 0 || f.text[place - 1] == '\n') return place;
      const auto newline = f.text.find('\n', place);
      return static_cast<std::uint32_t>(newline == std::string::npos ? f.text.size() : newline + 1);
    };
    const auto at = line_after(include.value_or(head));
    if (!include) lines = (at > 0 ? end : "") + lines + (at == 0 ? end : "");
    edit(f, {at, at}, lines);
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

  // Where a namespace of the new home ends that is the one around the definition.
  [[nodiscard]] std::optional<std::uint32_t> end_of_namespace() const {
    const auto& tree = *target_->tree;
    std::string wanted;
    for (const auto& n : namespaces_) wanted += (wanted.empty() ? "" : "::") + n;
    std::optional<std::uint32_t> out;
    for (std::uint32_t i = 0; i < tree.nodes().size(); ++i) {
      if (tree[i].type != "namespace_definition" || tree.holds_error(i)) continue;
      std::string name;
      bool plain = true;
      for (auto p = i; p != kNoNode; p = tree[p].parent) {
        if (tree[p].type != "namespace_definition") continue;
        const auto child = tree.child(p, "name");
        if (child == kNoNode) {
          plain = false;
          break;
        }
        name = std::string(target_->slice(tree[child].span)) + (name.empty() ? "" : "::") + name;
      }
      if (plain && name == wanted) out = tree[i].span.end - 1;
    }
    return out;
  }

  Result<void> arrive() {
    std::vector<std::string> words = foreign_;
    for (const auto& [path, old_words] : needed_) {
      const auto now = imports_.words_for(symbol_.path, path, old_words, to_, path);
      words.push_back(now ? *now : include_words(to_, path));
    }
    const auto body = announced_ + (announced_.empty() ? "" : "\n") +
                      with_line_ends(std::string(from_.slice(span_)), "\n");
    if (!target_) {
      auto& made = files_[to_];
      made.path = to_;
      std::string text = "#pragma once\n";
      for (const auto& w : words)
        text += (&w == &words.front() ? "\n#include " : "#include ") + w + "\n";
      made.create = text + "\n" + opened() + body + closed();
      return {};
    }
    const auto& f = *target_;
    const auto end = std::string(line_end_of(f.text));
    add_includes(f, std::move(words));
    if (!namespaces_.empty()) {
      if (const auto at = end_of_namespace()) {
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
  CFile from_;
  std::optional<CFile> target_;
  const Definition* definition_ = nullptr;
  ByteSpan span_;
  std::vector<std::string> namespaces_;        // around it, outermost first
  std::map<std::string, std::string> needed_;  // file -> how the old file names it
  std::string announced_;                      // forward declarations that go along
  std::vector<std::string> foreign_;           // words of further includes
  std::map<std::string, PlanFile> files_;
};

}  // namespace

Result<PlanStep> plan_c_move(const Snapshot& snapshot, const Symbol& symbol,
                             const std::string& to) {
  return CMover(snapshot, symbol, to).plan();
}

}  // namespace ambit::daemon
