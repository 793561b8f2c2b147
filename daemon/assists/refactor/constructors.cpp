#include "daemon/assists/refactor/constructors.h"

#include <algorithm>
#include <array>

#include "daemon/assists/refactor/rename_target.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

using indexer::kNoNode;
using indexer::Language;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

enum class Use { kCall, kNone, kInherits, kValue };

// A place where the class is named: the node that says what for.
struct Named {
  const SourceFile& file;
  std::uint32_t node = 0, above = 0;

  // From the name up over "module.", "<T>".
  Named(const SourceFile& f, indexer::ByteSpan name) : file(f), node(f.tree->around(name)) {
    const auto& t = *f.tree;
    for (above = t[node].parent; above != kNoNode; above = t[node].parent) {
      const auto& type = t[above].type;
      const auto& field = t[node].field;
      const bool last = field == "attribute" || field == "property" ||
                        (type == "scoped_type_identifier" && t[node].span.end == t[above].span.end);
      const bool generic = type == "generic_type" && t[above].span.begin == t[node].span.begin;
      if (!last && !generic) break;
      node = above;
    }
  }
  [[nodiscard]] bool is(std::string_view type) const {
    return above != kNoNode && (*file.tree)[above].type == type;
  }
  [[nodiscard]] std::string_view field() const { return (*file.tree)[node].field; }
  [[nodiscard]] bool below(std::initializer_list<std::string_view> types) const {
    const auto& t = *file.tree;
    for (auto at = node; at != kNoNode; at = t[at].parent) {
      if (std::find(types.begin(), types.end(), t[at].type) != types.end()) return true;
      if (t[at].type.ends_with("_statement") || t[at].type == "block") break;
    }
    return false;
  }
};

Use python_use(const Named& n) {
  const auto& t = *n.file.tree;
  if (n.is("call") && n.field() == "function") return Use::kCall;
  if (n.is("argument_list")) {
    const auto call = t[n.above].parent;
    if (t[call].type == "class_definition") return Use::kInherits;
    const auto function = t.child(call, "function");
    const auto name = function == kNoNode ? std::string_view() : n.file.slice(function);
    return name == "isinstance" || name == "issubclass" ? Use::kNone : Use::kValue;
  }
  if (n.is("attribute")) {
    return n.file.slice(n.above).ends_with("__init__") ? Use::kValue : Use::kNone;
  }
  return n.below({"type", "except_clause", "comparison_operator", "import_from_statement",
                  "import_statement"})
             ? Use::kNone
             : Use::kValue;
}

Use script_use(const Named& n) {
  const auto& t = *n.file.tree;
  if (n.is("new_expression") && n.field() == "constructor") {
    return t.child(n.above, "arguments") == kNoNode ? Use::kValue : Use::kCall;
  }
  if (n.is("class_heritage") || n.is("extends_clause")) return Use::kInherits;
  if (t[n.node].type == "type_identifier" || t[n.node].type == "generic_type") return Use::kNone;
  if (n.is("binary_expression")) {
    return n.file.slice(n.above).find("instanceof") == std::string_view::npos ? Use::kValue
                                                                              : Use::kNone;
  }
  return n.is("member_expression") ||
                 n.below({"import_statement", "export_specifier", "type_query"})
             ? Use::kNone
             : Use::kValue;
}

Use java_use(const Named& n) {
  if (n.is("object_creation_expression") && n.field() == "type") return Use::kCall;
  if (n.is("superclass")) return Use::kInherits;
  const bool reference = n.is("method_reference") && n.file.slice(n.above).ends_with("new");
  return reference ? Use::kValue : Use::kNone;
}

// Makes an object of whatever class it is called through.
bool makes_by_itself(std::string_view body, Language language) {
  static constexpr std::array kPython{"cls(", "self.__class__(", "type(self)(", "def __new__"};
  static constexpr std::array kScript{"new this", "this.constructor("};
  const auto says = [&](std::string_view words) {
    return body.find(words) != std::string_view::npos;
  };
  if (language == Language::kPython) return std::any_of(kPython.begin(), kPython.end(), says);
  return script_family(language) && std::any_of(kScript.begin(), kScript.end(), says);
}

RenameSite declaration_of(const Symbol& s) {
  RenameSite out;
  out.span = s.name_span;
  out.line = s.line;
  out.column = s.column;
  out.confidence = 1;
  out.definition = true;
  return out;
}

Result<Symbol> class_around(const indexer::Snapshot& snapshot, const Symbol& constructor) {
  std::optional<Symbol> best;
  std::size_t constructors = 0;
  for (auto& s : snapshot.symbols_in(constructor.path)) {
    if (is_constructor(s) && s.scope == constructor.scope) ++constructors;
    if (!is_type_kind(s.kind) || !inside(constructor.span, s.span)) continue;
    if (!best || best->span.size() > s.span.size()) best = std::move(s);
  }
  if (!best) return refusal(constructor.path, constructor.line, "is in no class that can be seen");
  if (constructors > 1) {
    return refusal(constructor.path, constructor.line,
                   "is one of several constructors, which cannot be told apart");
  }
  return *best;
}

}  // namespace

bool is_constructor(const Symbol& s) {
  const bool of_class = last_name(s.scope) == s.name && s.kind == SymbolKind::kMethod &&
                        c_family(indexer::language_of(s.path));
  return s.kind == SymbolKind::kConstructor || of_class || s.name == "__init__" ||
         s.name == "constructor";
}

Result<Rename> constructor_uses(const indexer::Snapshot& snapshot,
                                const std::vector<Symbol>& constructors, bool calls_stay,
                                std::stop_token stop) {
  const auto& d = constructors[0];
  const auto language = indexer::language_of(d.path);
  Rename out;
  out.old_name = d.name;
  out.symbol = qualified_name(d);
  out.definitions = constructors;
  if (language != Language::kPython && language != Language::kJava && !script_family(language)) {
    if (!calls_stay) {
      return refusal(d.path, d.line,
                     "is a constructor: objects are made without naming its class here, so only a "
                     "parameter with a default can be added");
    }
    for (const auto& s : constructors) {
      auto at = std::find_if(out.files.begin(), out.files.end(),
                             [&](const auto& f) { return f.path == s.path; });
      if (at == out.files.end()) at = out.files.insert(at, {s.path, {}, {}});
      at->sites.push_back(declaration_of(s));
    }
    for (auto& f : out.files) {
      std::sort(f.sites.begin(), f.sites.end(),
                [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; });
    }
    return out;
  }
  AMBIT_TRY(made, class_around(snapshot, d));
  const RenameTarget target{"", made.path, made.name_span.begin};
  AMBIT_TRY(named, plan_rename(snapshot, target, "ambit_no_such_name", {}, stop));
  bool declared = false;
  for (auto& f : named.files) {
    AMBIT_TRY(source, load_source(snapshot, f.path));
    RenameFile kept{f.path, f.blob, {}};
    if (f.path == d.path) {
      if (makes_by_itself(source.slice(made.span), language)) {
        return refusal(d.path, made.line,
                       made.name + " makes objects of itself without saying its name");
      }
      kept.sites.push_back(declaration_of(d));
      declared = true;
    }
    for (auto& s : f.sites) {
      if (s.place != Place::kCode || s.definition) continue;
      const Named at(source, s.span);
      const auto use = language == Language::kPython ? python_use(at)
                       : language == Language::kJava ? java_use(at)
                                                     : script_use(at);
      if (use == Use::kNone) continue;
      if (use == Use::kCall || s.confidence < kSureConfidence) {
        kept.sites.push_back(std::move(s));
      } else if (!calls_stay) {
        return refusal(f.path, s.line,
                       use == Use::kInherits
                           ? "inherits from " + made.name + "; who makes that is not followed"
                           : "passes " + made.name + " on, and who calls it then is not known");
      }
    }
    std::sort(kept.sites.begin(), kept.sites.end(),
              [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; });
    out.files.push_back(std::move(kept));
  }
  if (!declared) return refusal(d.path, d.line, "cannot be found");
  return out;
}

}  // namespace ambit::daemon
