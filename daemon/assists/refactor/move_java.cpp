// Moves a type of Java to a file of its own, in its package or in another. What must hold: the new
// package sees all that the type uses and means the same by it; the old one uses nothing of it that
// is not public; and everybody who names it, by an import or in full, names the new place. Names in
// strings and in files that are no Java (services, rules of shrinkers) are known at run time only.
#include <algorithm>

#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/java_reach.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::Snapshot;
using indexer::Symbol;

namespace {

class JavaTypeMover {
 public:
  JavaTypeMover(const Snapshot& snapshot, const Symbol& symbol, const std::string& to,
                std::vector<std::string>& notes)
      : snapshot_(snapshot), symbol_(symbol), to_(to), notes_(notes), packages_(snapshot) {}

  Result<PlanStep> plan(std::stop_token stop) {
    AMBIT_TRY(from, packages_.file(symbol_.path));
    part_.file = from;
    AMBIT_CHECK_OK(find_type());
    AMBIT_CHECK_OK(find_package());
    if (package_ != old_package_) {
      if (java_part_says(part_, "getResource") || java_part_says(part_, "getResourceAsStream")) {
        return here("reads resources, which are looked for beside its package");
      }
      AMBIT_CHECK_OK(check_java_uses(packages_, part_));
      AMBIT_CHECK_OK(check_java_users(packages_, part_));
      AMBIT_CHECK_OK(check_module());
      AMBIT_CHECK_OK(check_other_files(stop));
    }
    AMBIT_TRY(needed, java_imports_for(packages_, part_, package_));
    for (const auto& path : packages_.all()) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
      if (package_ == old_package_) break;
      const auto text = snapshot_.text(path);
      if (!text || !has_word(*text, symbol_.name)) continue;
      AMBIT_TRY(user, packages_.file(path));
      AMBIT_CHECK_OK(change_user(*user));
    }
    leave(needed);
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

 private:
  [[nodiscard]] Error here(const std::string& why) const {
    return refusal(symbol_.path, symbol_.line, why);
  }
  [[nodiscard]] const JavaFile& from() const { return *part_.file; }

  Result<void> find_type() {
    const auto& t = from().tree();
    for (const auto type : from().types) {
      if (inside(symbol_.name_span, t[type].span) && from().name_of(type) == symbol_.name) {
        part_.node = type;
      }
    }
    if (part_.node == 0) return here("does not stand at the top of its file");
    part_.parents = from().parents_of(part_.node);
    alone_ = from().types.size() == 1;
    auto span = t[part_.node].span;
    span.begin = std::min(span.begin, symbol_.span.begin);
    // The comment of a file may stand in front of its only type.
    if (alone_) {
      part_.span = span;
      return {};
    }
    AMBIT_TRY(lines, whole_lines(from().source, symbol_, span));
    part_.span = lines;
    return {};
  }

  Result<void> find_package() {
    if (snapshot_.file(to_)) return no(to_ + " exists; a type of Java moves to a file of its own");
    if (stem_of(to_) != symbol_.name || !to_.ends_with(".java")) {
      return no("the file of " + symbol_.name + " has to be called " + symbol_.name + ".java");
    }
    old_package_ = from().package;
    const auto root = packages_.root_of(symbol_.path);
    if (!root) return no(symbol_.path + " does not stand in the folders of its package");
    const auto folder = folder_of_path(to_);
    if (!to_.starts_with(*root) || folder == *root) {
      return no(to_ + " is in no package below " + (root->empty() ? "the root" : *root));
    }
    package_ = folder.substr(root->size(), folder.size() - root->size() - 1);
    std::replace(package_.begin(), package_.end(), '/', '.');
    if (package_ == old_package_) return {};
    if (!packages_.home_of(package_, symbol_.name).empty()) {
      return no("package " + package_ + " has a " + symbol_.name + " already");
    }
    for (const auto& path : packages_.files_of(old_package_)) {
      AMBIT_TRY(user, packages_.file(path));
      if (!from().says(part_.node, "public") && user != part_.file &&
          says_simply(*user, {0, static_cast<std::uint32_t>(user->source.text.size())}, false)) {
        return here("is not public, and " + path + " uses it");
      }
    }
    if (!from().says(part_.node, "public") && !alone_ && says_simply(from(), part_.span, true)) {
      return here("is not public, and its file uses it");
    }
    return {};
  }

  // Whether the type stands by its simple name inside of a span, or outside of it.
  [[nodiscard]] bool says_simply(const JavaFile& f, ByteSpan span, bool outside) const {
    const auto& t = f.tree();
    for (std::uint32_t i = 0; i < t.nodes().size(); ++i) {
      if (inside(t[i].span, span) != outside && f.is_simple_name(i) && f.slice(i) == symbol_.name) {
        return true;
      }
    }
    return false;
  }

  // module-info.java says which packages others may see.
  Result<void> check_module() const {
    for (const auto& f : snapshot_.files()) {
      if (base_of(f.path) != "module-info.java") continue;
      const auto text = snapshot_.text(f.path);
      if (!text) continue;
      for (const std::string_view word : {"exports ", "opens "}) {
        const auto says = [&](const std::string& package) {
          return text->find(std::string(word) + package + ";") != std::string::npos ||
                 text->find(std::string(word) + package + " ") != std::string::npos;
        };
        if (says(old_package_) && !says(package_)) {
          return no(f.path + " says '" + std::string(word) + old_package_ + "' and not of " +
                    package_);
        }
      }
    }
    return {};
  }

  // The full name where only the run time sees it; documents are noted.
  Result<void> check_other_files(std::stop_token stop) const {
    const auto whole = old_package_ + "." + symbol_.name;
    const auto slashed = [&] {
      auto out = whole;
      std::replace(out.begin(), out.end(), '.', '/');
      return out;
    }();
    for (const auto& name : {whole, slashed}) {
      AMBIT_TRY(found, snapshot_.search(name, false, 2000, stop));
      for (const auto& m : found) {
        const auto info = snapshot_.file(m.path);
        const bool java = info && info->language == Language::kJava;
        const auto end = m.column + m.length;
        const bool longer = end < m.line_text.size() && word_byte(m.line_text[end]);
        if (longer || (java && name == whole)) continue;
        const bool document = info && (info->language == Language::kMarkdown ||
                                       m.path.ends_with(".txt") || m.path.ends_with(".html"));
        if (!document && !(name == slashed && java)) {
          return refusal(m.path, m.line, "names " + name + ", which this cannot follow");
        }
        if (document && notes_.size() < 20) {
          notes_.push_back(m.path + ":" + std::to_string(m.line + 1) + " names " + name +
                           " and is left alone");
        }
      }
    }
    // Other languages of the machine see a package's types by their simple names.
    for (const auto& f : snapshot_.files()) {
      if (f.language != Language::kKotlin && f.language != Language::kScala) continue;
      const auto text = snapshot_.text(f.path);
      if (text && has_word(*text, symbol_.name) && text->find(old_package_) != std::string::npos) {
        return no(f.path + " says " + symbol_.name + ", in a language that this cannot follow");
      }
    }
    return {};
  }

  Result<void> change_user(const JavaFile& f) {
    const auto whole = old_package_ + "." + symbol_.name;
    const auto now = package_ + "." + symbol_.name;
    const auto& t = f.tree();
    const bool self = &f == part_.file;
    bool by_import = false;  // it is imported by its name
    const auto* other = f.import_of(symbol_.name);
    for (const auto& i : f.imports) {
      if (i.path != whole && !i.path.starts_with(whole + ".")) continue;
      by_import = by_import || (i.path == whole && !i.star && !i.is_static);
      if (i.path == whole && !i.star && f.package == package_) {
        auto lines = t[i.node].span;
        while (lines.end < f.source.text.size() && f.source.text[lines.end] != '\n') ++lines.end;
        if (lines.end < f.source.text.size()) ++lines.end;
        edits_.edit(f.source, lines, "");
        continue;
      }
      auto words = std::string(f.slice(i.node));
      const auto at = words.find(whole);
      if (at == std::string::npos) {
        return refusal(f.source.path, f.source.line_of(t[i.node].span.begin),
                       "writes an import in an unusual way");
      }
      edits_.edit(f.source, t[i.node].span, words.replace(at, whole.size(), now));
    }
    AMBIT_CHECK_OK(change_full_names(f, whole, now));
    if (self || by_import) return {};
    if (other != nullptr) return {};  // another type of this name
    const bool said = says_simply(f, {0, static_cast<std::uint32_t>(f.source.text.size())}, false);
    if (!said) return {};
    const bool star = std::any_of(f.imports.begin(), f.imports.end(), [&](const JavaImport& i) {
      return i.star && !i.is_static && i.path == old_package_;
    });
    const auto all = ByteSpan{0, static_cast<std::uint32_t>(f.source.text.size())};
    if (f.package != old_package_ && !star) {
      if (f.package != package_ || f.declares(symbol_.name, all)) return {};
      return no(f.source.path + " means something else by " + symbol_.name +
                ", which would be hidden there");
    }
    if (f.declares(symbol_.name, all)) {
      return no(f.source.path + " has another " + symbol_.name + " of its own");
    }
    if (f.package != package_) add_java_imports(f, {"import " + now + ";"}, edits_);
    return {};
  }

  // p.T in code and comments; in strings nobody knows what it is for.
  Result<void> change_full_names(const JavaFile& f, const std::string& whole,
                                 const std::string& now) {
    const auto& t = f.tree();
    const std::string_view text = f.source.text;
    for (auto at = text.find(whole); at != std::string_view::npos; at = text.find(whole, at + 1)) {
      const auto end = at + whole.size();
      if ((at > 0 && (word_byte(text[at - 1]) || text[at - 1] == '.')) ||
          (end < text.size() && word_byte(text[end]))) {
        continue;
      }
      const ByteSpan span{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)};
      bool import = false, string = false;
      for (auto node = t.around(span); node != kNoNode; node = t[node].parent) {
        import = import || t[node].type == "import_declaration";
        string = string || t[node].type.find("string") != std::string_view::npos;
      }
      if (import) continue;
      if (string) {
        return refusal(f.source.path, f.source.line_of(at),
                       "names " + whole + " in a string, which this cannot follow");
      }
      edits_.edit(f.source, span, now);
    }
    return {};
  }

  void leave(const std::set<std::string>& needed) {
    const auto& f = from();
    const auto& t = f.tree();
    const auto head = "package " + package_ + ";";
    if (alone_) {
      if (package_ != old_package_) edits_.edit(f.source, t[f.package_node].span, head);
      if (package_ != old_package_) add_java_imports(f, needed, edits_);
      edits_.rename(f.source, to_);
      return;
    }
    edits_.edit(f.source, with_gap(f.source, part_.span), "");
    if (package_ != old_package_ && says_simply(f, part_.span, true)) {
      add_java_imports(f, {"import " + package_ + "." + symbol_.name + ";"}, edits_);
    }
    // What its old file begins with: a licence.
    const auto text = std::string(f.source.text.substr(0, t[f.package_node].span.begin)) + head;
    std::string imports;
    for (const auto& line : needed) imports += line + "\n";
    edits_.create(to_, with_line_ends(text + "\n\n" + imports + (imports.empty() ? "" : "\n") +
                                          std::string(f.source.slice(part_.span)),
                                      line_end_of(f.source.text)));
  }

  const Snapshot& snapshot_;
  const Symbol& symbol_;
  const std::string to_;
  std::vector<std::string>& notes_;
  JavaPackages packages_;
  JavaPart part_;
  std::string package_, old_package_;
  bool alone_ = false;  // the only type of its file, which moves as a whole
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_java_type_move(const Snapshot& snapshot, const Symbol& symbol,
                                     const std::string& to, std::vector<std::string>& notes,
                                     std::stop_token stop) {
  return JavaTypeMover(snapshot, symbol, to, notes).plan(stop);
}

}  // namespace ambit::daemon
