#include "daemon/assists/refactor/signature.h"

#include <algorithm>
#include <map>

#include "daemon/assists/refactor/constructors.h"
#include "daemon/assists/refactor/rename_target.h"
#include "daemon/assists/refactor/signature_sites.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;
using indexer::SymbolKind;
using indexer::SyntaxTree;

namespace {

class SignaturePlanner {
 public:
  SignaturePlanner(const indexer::Snapshot& snapshot, const Instruction& instruction, Rename uses,
                   std::vector<std::string>& notes)
      : snapshot_(snapshot),
        asked_(instruction),
        uses_(std::move(uses)),
        notes_(notes),
        new_(instruction) {}

  Result<PlanStep> run() {
    AMBIT_CHECK_OK(read_definition());
    AMBIT_CHECK_OK(asked_.kind == Instruction::kAddParameter      ? decide_add()
                   : asked_.kind == Instruction::kRemoveParameter ? decide_remove()
                                                                  : decide_order());
    for (const auto& f : uses_.files) {
      AMBIT_TRY(source, load_text(f.path));
      NestedEdits edits(source->text);
      for (auto site = f.sites.rbegin(); site != f.sites.rend(); ++site) {
        AMBIT_CHECK_OK(change_site(*source, *site, edits));
      }
      for (const auto& e : edits.all()) out_.edit(*source, e.span, e.text);
    }
    auto step = out_.take(title());
    std::erase_if(step.files, [](const PlanFile& p) { return p.edits.empty(); });
    if (step.files.empty()) return no("there is nothing to change");
    return step;
  }

 private:
  // A file without a grammar has no tree.
  Result<const SourceFile*> load_text(const std::string& path) {
    const auto [it, fresh] = sources_.try_emplace(path);
    if (!fresh) return &it->second;
    AMBIT_TRY(text, snapshot_.text(path));
    it->second.path = path;
    it->second.text = std::move(text);
    auto tree = SyntaxTree::parse(indexer::language_of(path), it->second.text);
    if (tree) it->second.tree = std::move(*tree);
    return &it->second;
  }
  static std::optional<ListPieces> list_behind(const SourceFile& f, std::uint32_t at) {
    const auto open = list_after(f.text, at);
    if (open == std::string_view::npos) return std::nullopt;
    if (f.tree) {
      if (auto list = list_pieces(*f.tree, f.text, open)) return list;
    }
    return list_pieces(f.text, open);
  }
  static Error refused(const SourceFile& f, std::uint32_t at, const std::string& why) {
    return refusal(f.path, f.line_of(at), why);
  }
  [[nodiscard]] std::string title() const {
    switch (asked_.kind) {
      case Instruction::kAddParameter:
        return "add parameter " + asked_.to + " to " + uses_.symbol;
      case Instruction::kRemoveParameter:
        return "remove parameter " + asked_.to + " from " + uses_.symbol;
      default:
        return "reorder the parameters of " + uses_.symbol + " to " + asked_.to;
    }
  }

  // What the definition takes; the other declarations have to take the same.
  Result<void> read_definition() {
    const auto& all = uses_.definitions;
    const auto body = std::find_if(all.begin(), all.end(),
                                   [](const indexer::Symbol& s) { return !s.declaration_only; });
    const auto& d = body == all.end() ? all.front() : *body;
    if (d.kind != SymbolKind::kFunction && d.kind != SymbolKind::kConstructor &&
        d.kind != SymbolKind::kMethod && d.kind != SymbolKind::kMacro) {
      return no(uses_.symbol + " is no function");
    }
    new_.language = indexer::language_of(d.path);
    new_.scope = d.scope;
    AMBIT_TRY(source, load_text(d.path));
    const auto list = list_behind(*source, d.name_span.end);
    if (!list)
      return refused(*source, d.name_span.begin, "has no list of parameters that can be read");
    new_.known = read_parameters(source->text, *list, new_.language);
    const auto head =
        std::string_view(source->text).substr(d.span.begin, d.name_span.begin - d.span.begin);
    const bool go_test = d.path.ends_with("_test.go") &&
                         (d.name.starts_with("Test") || d.name.starts_with("Benchmark") ||
                          d.name.starts_with("Fuzz") || d.name.starts_with("Example"));
    if (d.name == "main" || (new_.language == Language::kGo && d.name == "init") || go_test ||
        head.find("#[test]") != std::string_view::npos ||
        head.find("@Test") != std::string_view::npos) {
      return refused(*source, d.name_span.begin, "is called by the language or its tools");
    }
    for (const auto& other : all) {
      if (&other == &d) continue;
      AMBIT_TRY(file, load_text(other.path));
      const auto theirs = list_behind(*file, other.name_span.end);
      if (!theirs) continue;
      if (!same_types(read_parameters(file->text, *theirs, new_.language))) {
        return refused(*file, other.name_span.begin,
                       "takes something else than " + d.path + ":" + std::to_string(d.line + 1) +
                           "; functions of one name cannot be told apart");
      }
    }
    return {};
  }

  // The type alone, however the parameter is called; both readings of a nameless one.
  static std::vector<std::string> types_of(const Parameter& p) {
    auto words = p.words.substr(0, p.words.find('='));
    const auto squeezed = [](std::string_view text) {
      std::string out;
      for (const char c : text) {
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') out += c;
      }
      return out;
    };
    std::vector<std::string> out{squeezed(words)};
    if (const auto at = words.rfind(p.name); !p.name.empty() && at != std::string::npos) {
      out.push_back(squeezed(words.substr(0, at) + words.substr(at + p.name.size())));
    }
    return out;
  }
  [[nodiscard]] bool same_types(const std::vector<Parameter>& other) const {
    if (other.size() != new_.known.size()) return false;
    const bool overloads = new_.language == Language::kCpp || new_.language == Language::kCuda ||
                           new_.language == Language::kJava || new_.language == Language::kCSharp ||
                           new_.language == Language::kKotlin || new_.language == Language::kScala;
    if (!overloads) return true;
    for (std::size_t i = 0; i < other.size(); ++i) {
      const auto a = types_of(new_.known[i]), b = types_of(other[i]);
      if (std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) == a.end()) return false;
    }
    return true;
  }

  [[nodiscard]] std::optional<std::size_t> index_of(std::string_view name) const {
    for (std::size_t i = 0; i < new_.known.size(); ++i) {
      if (!new_.known[i].name.empty() && new_.known[i].name == name) return i;
    }
    return std::nullopt;
  }

  Result<void> decide_add() {
    new_.fresh = read_parameter(asked_.to, new_.language);
    if (new_.fresh.name.empty()) return no("'" + asked_.to + "' declares no parameter");
    if (index_of(new_.fresh.name)) return no(uses_.symbol + " has a parameter " + new_.fresh.name);
    if (asked_.value.empty() && !new_.fresh.optional) {
      return no("say what callers pass: add parameter \"" + asked_.to + "\" to " + asked_.symbol +
                " with VALUE");
    }
    new_.at = new_.known.size();
    if (!asked_.before.empty()) {
      const auto before = index_of(asked_.before);
      if (!before) return no(uses_.symbol + " has no parameter " + asked_.before);
      if (new_.known[*before].receiver)
        return no(asked_.before + " is the object, and stays the first");
      new_.at = *before;
    } else {
      // In front of what has to stay the last: any number of arguments, and what may be left out.
      const bool stars = std::any_of(new_.known.begin(), new_.known.end(), [](const Parameter& p) {
        return p.by_name_only || p.words == "*" || (p.open_ended && !p.words.starts_with("**"));
      });
      while (new_.at > 0) {
        const auto& p = new_.known[new_.at - 1];
        const bool last =
            new_.language == Language::kPython
                ? p.words.starts_with("**") || (!stars && !new_.fresh.optional && p.optional)
                : p.open_ended || (!new_.fresh.optional && p.optional);
        if (!last) break;
        --new_.at;
      }
    }
    for (std::size_t i = 0; i < new_.at; ++i) {
      if (new_.language == Language::kPython && new_.known[i].words.starts_with('*'))
        new_.fresh.by_name_only = true;
    }
    if (new_.at > 0 && new_.known[new_.at - 1].open_ended && !new_.fresh.by_name_only) {
      return no(new_.known[new_.at - 1].words + " takes all arguments that follow");
    }
    if (!new_.fresh.optional && !new_.fresh.by_name_only && new_.at > 0 &&
        new_.known[new_.at - 1].optional && new_.language != Language::kKotlin) {
      return no(new_.known[new_.at - 1].name + " may be left out, and stands before it");
    }
    new_.position = 0;
    for (std::size_t i = 0; i < new_.at; ++i) new_.position += new_.known[i].position ? 1 : 0;
    return {};
  }

  Result<void> decide_remove() {
    const auto found = index_of(asked_.to);
    if (!found || new_.known[*found].receiver) {
      return no(uses_.symbol + " has no parameter " + asked_.to);
    }
    new_.at = *found;
    if (new_.known[new_.at].open_ended) {
      return no(new_.known[new_.at].words + " takes any number of arguments; take them out first");
    }
    new_.position = new_.known[new_.at].position.value_or(std::string::npos);
    for (const auto& d : uses_.definitions) {
      if (!d.declaration_only) AMBIT_CHECK_OK(check_unused(d));
    }
    return {};
  }

  // Names at the leaves of the body, members left out.
  Result<void> check_unused(const indexer::Symbol& d) {
    AMBIT_TRY(source, load_text(d.path));
    const auto list = list_behind(*source, d.name_span.end);
    if (!list) return {};
    const auto own = read_parameters(source->text, *list, new_.language);
    const auto name = new_.at < own.size() ? own[new_.at].name : std::string();
    if (name.empty()) return {};
    const ByteSpan body{static_cast<std::uint32_t>(list->close), d.span.end};
    const auto& text = source->text;
    bool used = false;
    if (!source->tree) {
      used = has_word(source->slice(body), name);
    } else {
      const auto& tree = *source->tree;
      for (std::uint32_t i = 0; i < tree.nodes().size() && !used; ++i) {
        const auto& n = tree[i];
        if (n.after != i + 1 || !inside(n.span, body) || n.span.begin == 0) continue;
        if (n.type.find("comment") != std::string_view::npos) continue;
        if (source->slice(n.span) == name) {
          const auto before = std::string_view(text).substr(0, n.span.begin);
          const bool member =
              (before.ends_with('.') && !before.ends_with("..")) || before.ends_with("->");
          used = !member && !is_key(text, n.span, new_.language);
        } else if (n.type.find("string") != std::string_view::npos) {
          used =
              source->slice(n.span).find('{' + name) != std::string_view::npos;  // "{name}" of Rust
        }
        // What a macro stands for is one leaf.
        used = used || (n.type == "preproc_arg" && has_word(source->slice(n.span), name));
      }
    }
    if (!used) return {};
    return no(name + " is still used in the body of " + uses_.symbol + " (" + d.path +
              "); remove the uses first");
  }

  // "b, a": every parameter once.
  Result<void> decide_order() {
    std::vector<std::size_t> movable;
    for (std::size_t i = 0; i < new_.known.size(); ++i) {
      if (!new_.known[i].receiver && !new_.known[i].marker) movable.push_back(i);
    }
    std::string all;
    for (const auto i : movable) all += (all.empty() ? "" : ", ") + new_.known[i].words;
    const auto unclear = no("say all parameters of " + uses_.symbol + ", each once: " + all);
    std::vector<std::size_t> wanted;
    std::string_view rest = asked_.to;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      auto name = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (name.starts_with(' ')) name.remove_prefix(1);
      while (name.ends_with(' ')) name.remove_suffix(1);
      const auto found = index_of(name);
      if (!found || std::find(wanted.begin(), wanted.end(), *found) != wanted.end()) return unclear;
      wanted.push_back(*found);
    }
    if (wanted.size() != movable.size()) return unclear;
    new_.order.resize(new_.known.size());
    for (std::size_t i = 0; i < new_.known.size(); ++i) new_.order[i] = i;
    bool optional = false;
    for (std::size_t i = 0; i < movable.size(); ++i) {
      const auto& p = new_.known[wanted[i]];
      new_.order[movable[i]] = wanted[i];
      if (p.open_ended || p.by_name_only || new_.known[movable[i]].by_name_only) {
        if (wanted[i] != movable[i]) return no(p.words + " has to stay where it is");
        continue;
      }
      if (optional && !p.optional)
        return no(p.name + " would stand behind one that may be left out");
      optional = optional || p.optional;
    }
    return {};
  }

  Result<void> change_site(const SourceFile& f, const RenameSite& s, NestedEdits& edits) {
    if (s.place != Place::kCode) return {};
    const auto where = f.path + ":" + std::to_string(s.line + 1);
    if (s.confidence < kSureConfidence) {
      notes_.push_back(where + " may mean it too and is left alone: " + std::string(s.why));
      return {};
    }
    const auto list = list_behind(f, s.span.end);
    if (!list) {
      if (s.definition || hands_on(f, s.span)) return {};
      // With a default it can be called as before.
      if (asked_.kind != Instruction::kAddParameter || !asked_.value.empty()) {
        return refused(f, s.span.begin, "uses it as a value, and who calls that is not known");
      }
      notes_.push_back(where + " is no call and is left alone");
      return {};
    }
    return s.definition
               ? change_declaration(new_, f, s.span, *list, default_stands_elsewhere(f, s), edits)
               : change_call(new_, f, s.span, *list, notes_, edits);
  }

  // Brings the name in, or says that others may.
  static bool hands_on(const SourceFile& f, ByteSpan name) {
    if (!f.tree) return false;
    const auto& tree = *f.tree;
    for (auto at = tree.around(name); at != indexer::kNoNode; at = tree[at].parent) {
      const auto& type = tree[at].type;
      const bool exports =
          type == "assignment_expression" &&
          (f.slice(at).starts_with("module.exports") || f.slice(at).starts_with("exports."));
      if (type.starts_with("import_") || type == "export_specifier" || type == "use_declaration" ||
          type == "using_declaration" || exports) {
        return true;
      }
      if (type == "export_statement") return tree[at].after - at <= 6;  // export default NAME
    }
    return false;
  }

  // A default stands once in C++: where the function is declared first.
  [[nodiscard]] bool default_stands_elsewhere(const SourceFile& f, const RenameSite& s) const {
    const auto& all = uses_.definitions;
    return same_family(new_.language, Language::kC) &&
           std::any_of(all.begin(), all.end(),
                       [&](const indexer::Symbol& d) {
                         return d.path == f.path && d.name_span.begin == s.span.begin &&
                                !d.declaration_only;
                       }) &&
           std::any_of(all.begin(), all.end(),
                       [](const indexer::Symbol& d) { return d.declaration_only; });
  }

  const indexer::Snapshot& snapshot_;
  const Instruction& asked_;
  Rename uses_;
  std::vector<std::string>& notes_;
  NewSignature new_;
  std::map<std::string, SourceFile> sources_;
  FileEdits out_;
};

}  // namespace

Result<std::vector<PlanStep>> plan_signature(const indexer::Snapshot& snapshot,
                                             const RefactorRequest& request,
                                             const Instruction& instruction,
                                             std::vector<std::string>& notes,
                                             std::stop_token stop) {
  // Where the function is meant: the same judgement as a rename, to a name that nobody has.
  const RenameTarget target{instruction.symbol, request.at_path, request.at_offset};
  std::vector<indexer::Symbol> all;
  AMBIT_TRY(chosen, choose_symbol(snapshot, target, all));
  const bool calls_stay =
      instruction.kind == Instruction::kAddParameter && instruction.value.empty();
  AMBIT_TRY(uses, is_constructor(chosen[0])
                      ? constructor_uses(snapshot, chosen, calls_stay, stop)
                      : plan_rename(snapshot, target, "ambit_no_such_name", request.paths, stop));
  const auto tied = uses.tied;
  AMBIT_TRY(step, SignaturePlanner(snapshot, instruction, std::move(uses), notes).run());
  notes.insert(notes.end(), tied.begin(), tied.end());
  std::vector<PlanStep> steps;
  steps.push_back(std::move(step));
  return steps;
}

}  // namespace ambit::daemon
