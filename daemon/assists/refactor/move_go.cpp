// Moves a function, method or type of Go to another file of its package, where everybody finds it
// as before. What must hold: both files are built under the same conditions, the new home imports
// what the definition names, and the old one imports nothing that it names no more, which Go
// refuses to build. An import has a name that its path does not always tell: what the index cannot
// pair with the names in the file is refused.
#include <algorithm>
#include <array>
#include <set>

#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Snapshot;
using indexer::Symbol;

namespace {

Error no(const std::string& why) {
  return make_error(Code::kInvalidArgument, why);
}

struct GoImport {
  std::uint32_t node = 0;  // its import_spec
  std::string path;        // without quotes
  std::string name;        // that the file says; "" when it is not known, "_" or "."
  bool named = false;      // the name is written
};

// The names that an import without a written one may have: "a/go-b.v2" -> "b", "a/b/v2" -> "b".
std::set<std::string> names_of_path(std::string path) {
  const auto version = [](std::string_view s) {
    return s.size() > 1 && s[0] == 'v' &&
           s.find_first_not_of("0123456789", 1) == std::string_view::npos;
  };
  std::string base(base_of(path));
  if (version(base) && path.size() > base.size()) {
    path.resize(path.size() - base.size() - 1);
    base = base_of(path);
  }
  std::set<std::string> out{base};
  if (const auto dot = base.rfind('.'); dot != std::string::npos) {
    if (version(base.substr(dot + 1)) || base.substr(dot + 1) == "go")
      out.insert(base = base.substr(0, dot));
  }
  for (const std::string_view affix : {"go-", "-go", "go."}) {
    if (base.starts_with(affix)) out.insert(base.substr(affix.size()));
    if (base.ends_with(affix)) out.insert(base.substr(0, base.size() - affix.size()));
  }
  return out;
}

// "_linux_arm64", "_test" of a file's name: when it is built. Go reads the last two words.
std::set<std::string> name_conditions(std::string_view path) {
  static const std::set<std::string_view> kKnown{
      "test",     "aix",   "android", "darwin",  "dragonfly", "freebsd", "illumos", "ios",
      "js",       "linux", "netbsd",  "openbsd", "plan9",     "solaris", "wasip1",  "windows",
      "386",      "amd64", "arm",     "arm64",   "loong64",   "mips",    "mipsle",  "mips64",
      "mips64le", "ppc64", "ppc64le", "riscv64", "s390x",     "wasm",    "zos",     "hurd"};
  std::set<std::string> out;
  std::string rest(stem_of(path));
  for (int i = 0; i < 3; ++i) {
    const auto at = rest.rfind('_');
    if (at == std::string::npos || at == 0 || !kKnown.contains(rest.substr(at + 1))) break;
    out.insert(rest.substr(at + 1));
    rest.resize(at);
  }
  return out;
}

class GoFile {
 public:
  static Result<GoFile> load(const Snapshot& snapshot, const std::string& path) {
    GoFile out;
    AMBIT_TRY(source, load_source(snapshot, path));
    out.source = std::move(source);
    if (out.tree().holds_error(0)) return no(path + " does not parse");
    out.read();
    return out;
  }

  [[nodiscard]] const indexer::SyntaxTree& tree() const { return *source.tree; }

  // Lines that say when the file is built, in front of its package.
  [[nodiscard]] std::string constraints() const {
    std::string out;
    for (std::size_t at = 0; at < package_at;) {
      const auto end = std::min(source.text.find('\n', at), source.text.size());
      const auto line = source.text.substr(at, end - at);
      if (line.starts_with("//go:build") || line.starts_with("// +build")) out += line + "\n";
      at = end + 1;
    }
    return out;
  }

  // Whether a variable has this name in the function around a place.
  [[nodiscard]] bool is_variable(std::string_view name, ByteSpan at) const {
    return std::any_of(source.facts.locals.begin(), source.facts.locals.end(),
                       [&](const indexer::Local& l) {
                         return source.slice(l.name) == name && inside(at, l.within);
                       });
  }

  // Whether `name` stands in front of a dot somewhere in a span, and is no variable there.
  // nullopt: a variable of that name makes it hard to tell.
  [[nodiscard]] std::optional<bool> says(const std::string& name, ByteSpan in, bool outside) const {
    bool said = false;
    for (const auto& [word, span] : qualifiers) {
      if (word != name || inside(span, in) == outside) continue;
      if (is_variable(name, span)) return std::nullopt;
      said = true;
    }
    return said;
  }

  SourceFile source;
  std::string package;
  std::uint32_t package_at = 0, package_end = 0;
  std::vector<GoImport> imports;
  std::vector<std::pair<std::string, ByteSpan>> qualifiers;  // X of X.y

 private:
  void read() {
    const auto& t = tree();
    std::set<std::string> words;
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      const auto& n = t[i];
      if (n.type == "package_clause") {
        package_at = n.span.begin;
        package_end = n.span.end;
        package = std::string(source.slice(i + 2));  // behind "package"
      }
      const bool operand = n.type == "identifier" && n.field == "operand" &&
                           t[n.parent].type == "selector_expression";
      if (operand || n.type == "package_identifier") {
        if (t[n.parent].type == "package_clause" || t[n.parent].type == "import_spec") continue;
        qualifiers.emplace_back(source.slice(i), n.span);
        words.insert(qualifiers.back().first);
      }
    }
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      if (t[i].type != "import_spec") continue;
      GoImport import;
      import.node = i;
      const auto path = source.slice(t.child(i, "path"));
      import.path = path.substr(1, path.size() - 2);
      if (const auto name = t.child(i, "name"); name != kNoNode) {
        import.name = source.slice(name);
        import.named = true;
      } else {
        for (const auto& candidate : names_of_path(import.path)) {
          if (!words.contains(candidate)) continue;
          // Two that fit, and neither is told from the other.
          import.name = import.name.empty() ? candidate : "";
          if (import.name.empty()) break;
        }
      }
      imports.push_back(std::move(import));
    }
  }
};

class GoMover {
 public:
  GoMover(const Snapshot& snapshot, const Symbol& symbol, const std::string& to)
      : snapshot_(snapshot), symbol_(symbol), to_(to) {}

  Result<PlanStep> plan() {
    if (folder_of(symbol_.path) != folder_of(to_)) {
      return no("definitions of Go move within their package; " + to_ +
                " is in another folder than " + symbol_.path);
    }
    if (name_conditions(symbol_.path) != name_conditions(to_)) {
      return no(to_ + " is built under other conditions than " + symbol_.path + ", by its name");
    }
    AMBIT_TRY(from, GoFile::load(snapshot_, symbol_.path));
    from_ = std::move(from);
    if (snapshot_.file(to_)) {
      AMBIT_TRY(target, GoFile::load(snapshot_, to_));
      target_ = std::move(target);
      if (target_->package != from_.package) {
        return no(to_ + " is of package " + target_->package + ", " + symbol_.path +
                  " of package " + from_.package);
      }
      if (target_->constraints() != from_.constraints()) {
        return no(to_ + " is built under other conditions (//go:build) than " + symbol_.path);
      }
    }
    AMBIT_CHECK_OK(find_definition());
    AMBIT_CHECK_OK(find_imports());
    edits_.edit(from_.source, with_gap(from_.source, span_), "");
    drop_imports();
    arrive();
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

 private:
  [[nodiscard]] Error here(const std::string& why) const {
    return refusal(symbol_.path, symbol_.line, why);
  }

  Result<void> find_definition() {
    const auto& all = from_.source.facts.definitions;
    const auto own = std::find_if(all.begin(), all.end(), [&](const indexer::Definition& d) {
      return d.name == symbol_.name_span;
    });
    if (own == all.end()) return no(symbol_.path + " has changed; try again");
    if (own->parent >= 0) return here("is a part of " + symbol_.scope);
    const auto& t = from_.tree();
    auto node = t.around(symbol_.name_span);
    while (node != kNoNode && t[node].parent != 0) node = t[node].parent;
    const auto& type = t[node].type;
    if (type == "type_declaration") {
      std::size_t specs = 0;
      for (const auto c : t.children(node)) {
        if (t[c].type == "(") return here("stands in a group; take it out of it first");
        specs += t[c].named && t[c].type != "comment" ? 1 : 0;
      }
      if (specs != 1) return here("is declared together with others");
    } else if (type != "function_declaration" && type != "method_declaration") {
      return here("is no function, method or type");
    }
    if (symbol_.name == "init" || symbol_.name == "_") {
      return here("may stand in a file more than once, and runs in the order of the files");
    }
    auto span = t[node].span;
    span.begin = std::min(span.begin, symbol_.span.begin);
    AMBIT_TRY(lines, whole_lines(from_.source, symbol_, span));
    span_ = lines;
    const auto head = from_.source.text.substr(span_.begin, t[node].span.begin - span_.begin);
    for (const std::string_view word : {"//go:linkname", "//go:embed", "//export ", "//go:cgo"}) {
      if (head.find(word) != std::string::npos) {
        return here("is tied to its file by " + std::string(word));
      }
    }
    return {};
  }

  // What the definition names of the imports, and what nobody names without it.
  Result<void> find_imports() {
    bool unknown = false;
    std::set<std::string> known;
    for (const auto& i : from_.imports) {
      if (i.name == "_") continue;
      if (i.name == ".")
        return no(symbol_.path + " imports " + i.path +
                  " with a dot: what the definition uses of it is not known");
      unknown = unknown || i.name.empty();
      if (i.name.empty()) continue;
      known.insert(i.name);
      const auto said = from_.says(i.name, span_, false);
      const auto elsewhere = from_.says(i.name, span_, true);
      if (!said || (*said && !elsewhere)) {
        return no(symbol_.path + " has a variable " + i.name + " beside the import of that name");
      }
      if (!*said) continue;
      if (i.path == "C") return here("uses C, whose declarations stand in its file");
      needed_.push_back(&i);
      if (!*elsewhere) dropped_.push_back(&i);
    }
    // An import whose name is not known may be what some word in front of a dot means.
    for (const auto& [word, span] : from_.qualifiers) {
      if (!unknown || !inside(span, span_) || known.contains(word)) continue;
      const auto all = snapshot_.definitions(word, 400);
      const bool ours = std::any_of(all.begin(), all.end(), [&](const Symbol& s) {
        return s.scope.empty() && folder_of(s.path) == folder_of(symbol_.path);
      });
      if (!ours && !from_.is_variable(word, span)) {
        return no("which import of " + symbol_.path + " " + word +
                  " means is not known; write its name in front of the path");
      }
    }
    if (!target_) return {};
    for (const auto& mine : needed_) {
      for (const auto& theirs : target_->imports) {
        const bool same_path = theirs.path == mine->path;
        if (theirs.name == mine->name && !same_path) {
          return no(to_ + " imports another " + mine->name + ": " + theirs.path);
        }
        if (same_path && theirs.name != mine->name && theirs.name != "_") {
          return no(to_ + " imports " + mine->path + " under another name");
        }
      }
    }
    return {};
  }

  void drop_imports() {
    const auto& t = from_.tree();
    const auto drop = [&](const GoImport* i) {
      return std::find(dropped_.begin(), dropped_.end(), i) != dropped_.end();
    };
    std::set<ByteSpan> lines, whole;  // single imports; declarations of which nothing is left
    for (const auto* i : dropped_) {
      auto declaration = i->node;
      while (t[declaration].type != "import_declaration") declaration = t[declaration].parent;
      const bool all = std::all_of(from_.imports.begin(), from_.imports.end(), [&](const auto& o) {
        return drop(&o) || o.node < declaration || o.node >= t[declaration].after;
      });
      auto span = t[all ? declaration : i->node].span;
      const auto& text = from_.source.text;
      while (span.begin > 0 && text[span.begin - 1] != '\n') --span.begin;
      span.end =
          static_cast<std::uint32_t>(std::min(text.find('\n', span.end), text.size() - 1) + 1);
      (all ? whole : lines).insert(span);
    }
    for (const auto span : whole) edits_.edit(from_.source, with_gap(from_.source, span), "");
    for (auto it = lines.begin(); it != lines.end();) {
      auto run = *it;
      for (++it; it != lines.end() && it->begin == run.end; ++it) run.end = it->end;
      edits_.edit(from_.source, with_group_gap(run), "");
    }
  }

  // With the empty line that set a group of imports apart of which nothing is left.
  [[nodiscard]] ByteSpan with_group_gap(ByteSpan run) const {
    const auto& text = from_.source.text;
    const auto before = std::string_view(text).substr(0, run.begin);
    const auto behind = std::string_view(text).substr(run.end);
    if (before.ends_with("\n\n") && (behind.starts_with('\n') || behind.starts_with(')'))) {
      --run.begin;
    } else if (before.ends_with("(\n") && behind.starts_with('\n')) {
      ++run.end;
    }
    return run;
  }

  [[nodiscard]] static std::string words(const GoImport& i) {
    return (i.named ? i.name + " " : std::string()) + '"' + i.path + '"';
  }
  // Packages of Go's own library have no dot in the first part of their path.
  [[nodiscard]] static bool own(std::string_view path) {
    return path.substr(0, path.find('/')).find('.') == std::string_view::npos;
  }

  // A line in the block of imports: behind the last of its kind that sorts before it.
  void add_import(const GoImport& import) {
    auto& f = *target_;
    const auto& t = f.tree();
    const GoImport* behind = nullptr;
    const GoImport* before = nullptr;
    for (const auto& other : f.imports) {
      if (t[t[other.node].parent].type != "import_spec_list") continue;
      if (own(other.path) != own(import.path)) continue;
      if (other.path < import.path) {
        behind = &other;
      } else if (before == nullptr) {
        before = &other;
      }
    }
    if (behind == nullptr && before == nullptr) {
      added_ += "import " + words(import) + "\n";
      return;
    }
    const auto& text = f.source.text;
    auto at = behind != nullptr ? t[behind->node].span.end : t[before->node].span.begin;
    if (behind != nullptr) {
      at = static_cast<std::uint32_t>(std::min(text.find('\n', at) + 1, text.size()));
    } else {
      while (at > 0 && text[at - 1] != '\n') --at;
    }
    lines_[at] += "\t" + words(import) + std::string(line_end_of(text));
  }

  void arrive() {
    const auto body = with_line_ends(std::string(from_.source.slice(span_)), "\n");
    if (!target_) {
      auto text = from_.constraints();
      if (!text.empty()) text += "\n";
      text += "package " + from_.package + "\n\n";
      std::string own_lines, other_lines;
      for (const auto* i : needed_)
        (own(i->path) ? own_lines : other_lines) += "\t" + words(*i) + "\n";
      if (needed_.size() == 1) {
        text += "import " + words(*needed_[0]) + "\n\n";
      } else if (!needed_.empty()) {
        const auto* gap = own_lines.empty() || other_lines.empty() ? "" : "\n";
        text += "import (\n" + own_lines + gap + other_lines + ")\n\n";
      }
      edits_.create(to_, text + body);
      return;
    }
    const auto& f = target_->source;
    const auto end = std::string(line_end_of(f.text));
    for (const auto* i : needed_) {
      const bool there =
          std::any_of(target_->imports.begin(), target_->imports.end(),
                      [&](const GoImport& o) { return o.path == i->path && o.name == i->name; });
      if (!there) add_import(*i);
    }
    if (!added_.empty()) {
      // Behind the imports that are there, else behind the package.
      const auto& t = target_->tree();
      auto at = target_->package_end;
      for (const auto c : t.children(0)) {
        if (t[c].type == "import_declaration") at = t[c].span.end;
      }
      const auto* gap = at == target_->package_end ? "\n\n" : "\n";
      added_.pop_back();
      edits_.edit(f, {at, at}, with_line_ends(gap + added_, end));
    }
    for (const auto& [at, text] : lines_) edits_.edit(f, {at, at}, text);
    const auto size = static_cast<std::uint32_t>(f.text.size());
    edits_.edit(f, {size, size},
                with_line_ends((f.text.ends_with('\n') ? "\n" : "\n\n") + body, end));
  }

  const Snapshot& snapshot_;
  const Symbol& symbol_;
  const std::string to_;
  GoFile from_;
  std::optional<GoFile> target_;
  ByteSpan span_;
  std::vector<const GoImport*> needed_, dropped_;
  std::map<std::uint32_t, std::string> lines_;  // imports that the target gets, by their place
  std::string added_;                           // declarations of imports
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_go_move(const Snapshot& snapshot, const Symbol& symbol,
                              const std::string& to) {
  return GoMover(snapshot, symbol, to).plan();
}

}  // namespace ambit::daemon
