// Moves a definition of a module of Python, JavaScript or TypeScript: the new home imports what the
// definition names, and everybody who imported it from the old one imports it from there.
#include <algorithm>
#include <set>

#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/module_imports.h"
#include "daemon/assists/refactor/module_text.h"
#include "daemon/assists/refactor/module_users.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

class Mover {
 public:
  Mover(const Snapshot& snapshot, Symbol symbol, std::string to)
      : snapshot_(snapshot),
        imports_(snapshot),
        symbol_(std::move(symbol)),
        to_(std::move(to)),
        writer_(imports_, from_),
        order_(snapshot, imports_) {}

  Result<PlanStep> plan(std::stop_token stop) {
    const auto language = indexer::language_of(symbol_.path);
    python_ = language == Language::kPython;
    AMBIT_TRY(from, load_facts(snapshot_, symbol_.path));
    from_ = std::move(from);
    if (snapshot_.file(to_)) {
      AMBIT_TRY(target, load_facts(snapshot_, to_));
      target_ = std::move(target);
    }
    AMBIT_CHECK_OK(find_span());
    AMBIT_CHECK_OK(check_target());
    if (python_) AMBIT_CHECK_OK(check_python());
    AMBIT_TRY(head, needed_imports());
    AMBIT_TRY(users, change_module_users(
                         {snapshot_, imports_, symbol_, from_, to_, writer_, exported_as()}, edits_,
                         stop));
    users_ = std::move(users);
    AMBIT_CHECK_OK(change_source());
    if (python_) AMBIT_CHECK_OK(check_circles());
    change_target(head);
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

 private:
  void edit(const SourceFile& f, ByteSpan span, std::string text) {
    edits_.edit(f, span, std::move(text));
  }

  // The statement with its decorators, export and comment, as whole lines.
  Result<void> find_span() {
    AMBIT_TRY(span, whole_lines(from_, symbol_, symbol_.span));
    span_ = span;
    const auto words = from_.slice(span_);
    default_ = !python_ && words.find("export default") != std::string_view::npos;
    exported_ = python_ || words.find("export ") != std::string_view::npos;
    if (!python_ && !default_) AMBIT_CHECK_OK(find_default_line());
    return {};
  }
  // "export default NAME" on a line of its own.
  Result<void> find_default_line() {
    const auto& text = from_.text;
    const auto words = "export default " + symbol_.name;
    for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
      const auto end = std::min(text.find('\n', at), text.size());
      const auto rest = std::string_view(text).substr(at + words.size(), end - at - words.size());
      if ((at > 0 && text[at - 1] != '\n') ||
          (rest != "" && rest != ";" && rest != "\r" && rest != ";\r"))
        continue;
      if (exported_) return refusal(symbol_.path, symbol_.line, "is exported in two ways");
      default_line_ = ByteSpan{static_cast<std::uint32_t>(at),
                               static_cast<std::uint32_t>(std::min(end + 1, text.size()))};
      default_ = exported_ = true;
    }
    return {};
  }
  [[nodiscard]] std::string exported_as() const { return default_ ? "default" : symbol_.name; }

  Result<void> check_target() const {
    if (!target_) return {};
    if (default_ && (target_->text.find("export default") != std::string::npos ||
                     has_word(target_->text, "as default"))) {
      return make_error(Code::kInvalidArgument, to_ + " has a default already");
    }
    for (const auto& d : target_->facts.definitions) {
      if (d.parent < 0 && target_->slice(d.name) == symbol_.name) {
        return refusal(to_, d.line, "defines " + symbol_.name + " already");
      }
    }
    for (const auto& i : target_->facts.imports) {
      const auto bound = bound_by(*target_, i);
      const auto it = bound.names.find(symbol_.name);
      if (it != bound.names.end() &&
          imports_.target(to_, target_->slice(i.module)) != symbol_.path) {
        return make_error(Code::kInvalidArgument, to_ + " imports another " + symbol_.name);
      }
    }
    return {};
  }

  static bool evaluates_later(const SourceFile& f) {
    return f.text.find("from __future__ import annotations") != std::string::npos;
  }

  // What a statement at the top of its file means elsewhere.
  Result<void> check_python() const {
    if (has_word(from_.slice(span_), "global")) {
      return refusal(symbol_.path, symbol_.line, "sets variables of its file (global)");
    }
    if (target_ && evaluates_later(from_) && !evaluates_later(*target_)) {
      return make_error(
          Code::kInvalidArgument,
          to_ + " has no 'from __future__ import annotations', as " + symbol_.path + " has");
    }
    return {};
  }

  // Python reads a file when it is first imported: two that need each other's names do not load.
  Result<void> check_circles() {
    for (const auto& needed : needed_files_) {
      if (order_.reaches(needed, to_)) {
        return make_error(
            Code::kInvalidArgument,
            needed + " imports " + to_ + ", which would have to import it for " + symbol_.name);
      }
    }
    for (const auto& user : users_) {
      if (user == to_) continue;
      const bool circle =
          order_.reaches(to_, user) ||
          std::any_of(needed_files_.begin(), needed_files_.end(),
                      [&](const auto& n) { return n == user || order_.reaches(n, user); });
      if (circle) {
        return make_error(Code::kInvalidArgument,
                          user + " would have to import " + to_ + ", which imports it");
      }
    }
    return {};
  }

  // Lines that the new home needs: what the definition uses of its file, and of that file's
  // imports.
  Result<std::vector<std::string>> needed_imports() {
    std::vector<std::string> out;
    std::set<std::string> used;
    for (const auto& m : from_.facts.mentions) {
      if (!inside(m.span, span_)) continue;
      const auto before = m.span.begin > 0 ? from_.text[m.span.begin - 1] : ' ';
      if (before != '.') used.emplace(from_.slice(m.span));
    }
    for (const auto& l : from_.facts.locals) {
      if (inside(l.name, span_)) used.erase(std::string(from_.slice(l.name)));
    }
    used.erase(symbol_.name);
    std::set<std::string> there;  // what the new home has
    if (target_) {
      for (const auto& i : target_->facts.imports) {
        const auto place = place_of(*target_, i);
        if (place == ImportPlace::kFunction) continue;
        for (const auto& [local, name] : bound_by(*target_, i).names) {
          if (place == ImportPlace::kCondition && used.contains(local)) {
            return make_error(Code::kInvalidArgument,
                              to_ + " imports " + local + " under a condition");
          }
          there.insert(local);
        }
      }
      for (const auto& d : target_->facts.definitions) {
        if (d.parent < 0) there.emplace(target_->slice(d.name));
      }
    }
    for (const auto& d : from_.facts.definitions) {
      if (d.parent >= 0 || inside(d.name, span_)) continue;
      const auto name = std::string(from_.slice(d.name));
      if (!used.contains(name)) continue;
      if (there.contains(name)) {
        if (target_imports(name, symbol_.path)) continue;
        return make_error(Code::kInvalidArgument, to_ + " has another " + name);
      }
      if (!python_ && from_.slice(d.span).find("export") == std::string_view::npos) {
        return refusal(symbol_.path, d.line, "is not exported, and " + symbol_.name + " uses it");
      }
      const auto same = [&](const indexer::Definition& o) {
        return o.parent < 0 && from_.slice(o.name) == name;
      };
      if (python_ && (from_.text.find("global " + name) != std::string::npos ||
                      std::count_if(from_.facts.definitions.begin(), from_.facts.definitions.end(),
                                    same) > 1)) {
        return refusal(symbol_.path, d.line,
                       "is set again later, and " + symbol_.name + " would see its first value");
      }
      needs_source_ = true;
      needed_files_.insert(symbol_.path);
      const bool its_default = !python_ && from_.slice(d.span).starts_with("export default");
      out.push_back(writer_.line(to_, symbol_.path, its_default ? "default" : name, name));
    }
    for (const auto& i : from_.facts.imports) {
      if (inside(i.statement, span_)) continue;
      const auto bound = bound_by(from_, i);
      const auto place = place_of(from_, i);
      if (place == ImportPlace::kFunction) continue;
      const auto words = from_.slice(i.statement);
      const auto module = std::string(from_.slice(i.module));
      const auto target = imports_.target(symbol_.path, module);
      if (bound.everything && python_)
        return make_error(Code::kInvalidArgument, symbol_.path + " imports everything from " +
                                                      module +
                                                      "; what the definition uses of it is "
                                                      "not known");
      for (const auto& [local, name] : bound.names) {
        if (!used.contains(local)) continue;
        if (place == ImportPlace::kCondition) {
          return make_error(Code::kInvalidArgument,
                            symbol_.path + " imports " + local + " under a condition");
        }
        if (target && !target->ends_with('/')) needed_files_.insert(*target);
        if (there.contains(local)) {
          if (!target || target_imports(local, *target)) continue;
          return make_error(Code::kInvalidArgument, to_ + " has another " + local);
        }
        if (target == to_) continue;
        const bool plain =
            python_ ? words.starts_with("import")
                    : bound.everything ||
                          (words.find('{') == std::string_view::npos && name != "default");
        if (plain || !target) {
          // The statement as it stands, when it says the same from there.
          const bool relative = python_ ? module.starts_with('.') : module.substr(1, 1) == ".";
          if (relative && folder_of_path(to_) != folder_of_path(symbol_.path)) {
            return make_error(Code::kInvalidArgument,
                              symbol_.path + " imports " + local +
                                  " in a way that cannot be moved: " + std::string(words));
          }
          out.push_back(plain ? std::string(words)
                              : writer_.same_module(words, module, name, local));
        } else if (target->ends_with('/')) {
          out.push_back("from " +
                        imports_.python_module(*target + "x.py")
                            .substr(0, imports_.python_module(*target + "x.py").size() - 2) +
                        " import " + (name == local ? name : name + " as " + local));
        } else {
          out.push_back(writer_.line(to_, *target, name, local));
        }
      }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  [[nodiscard]] bool target_imports(const std::string& local, const std::string& path) const {
    return std::any_of(target_->facts.imports.begin(), target_->facts.imports.end(),
                       [&](const indexer::Import& i) {
                         return bound_by(*target_, i).names.contains(local) &&
                                imports_.target(to_, target_->slice(i.module)) == path;
                       });
  }

  // What is left where it was.
  Result<void> change_source() {
    bool used = false;
    for (const auto& m : from_.facts.mentions) {
      const bool elsewhere = !inside(m.span, span_) && !inside(m.span, default_line_);
      if (from_.slice(m.span) == symbol_.name && elsewhere) used = true;
    }
    const auto& text = from_.text;
    if (python_ && text.find("__all__") != std::string::npos) {
      return make_error(Code::kInvalidArgument, symbol_.path +
                                                    " says in __all__ what it offers; take " +
                                                    symbol_.name + " out of it first");
    }
    if (!python_ && !exported_ && used) {
      return refusal(symbol_.path, symbol_.line,
                     "is not exported, and its file uses it; export it first");
    }
    if (used && needs_source_) {
      return make_error(Code::kInvalidArgument, symbol_.path + " and " + to_ +
                                                    " would need each other: " + symbol_.name +
                                                    " uses names of its file, and is used there");
    }
    edit(from_, with_gap(from_, span_), "");
    if (default_line_.size() > 0) edit(from_, default_line_, "");
    if (!python_) drop_unused_imports(from_, span_, edits_);
    if (used) {
      const auto line = writer_.line(symbol_.path, to_, exported_as(), symbol_.name);
      const auto end = std::string(line_end_of(text));
      users_.insert(symbol_.path);
      if (const auto* last = last_top_import(from_)) {
        const auto at =
            static_cast<std::uint32_t>(std::min(text.find('\n', last->statement.end), text.size()));
        edit(from_, {at, at}, end + line);
      } else {
        const auto at = first_line(from_);
        edit(from_, {at, at}, line + end + end);
      }
    }
    return {};
  }

  void change_target(const std::vector<std::string>& head) {
    auto words = std::string(from_.slice(span_));
    if (default_line_.size() > 0) words += "\n" + std::string(from_.slice(default_line_));
    const std::string gap = python_ ? "\n\n" : "\n";
    if (!target_) {
      std::string text;
      if (python_ && evaluates_later(from_)) {
        text = std::string("from __future__ import annotations\n") + (head.empty() ? gap : "\n");
      }
      for (const auto& line : head) text += line + "\n";
      if (!head.empty()) text += gap;
      edits_.create(to_, text + with_line_ends(words, "\n"));
      return;
    }
    const auto& f = *target_;
    const auto end = std::string(line_end_of(f.text));
    if (!head.empty()) {
      std::string lines;
      for (const auto& line : head) lines += line + end;
      const auto& all = f.facts.imports;
      const auto top = std::find_if(all.begin(), all.end(), [&](const indexer::Import& i) {
        return place_of(f, i) == ImportPlace::kTop;
      });
      const auto* first = top == all.end() ? nullptr : &*top;
      if (const auto at = behind_future(f); python_ && at > 0) {
        edit(f, {at, at}, lines);
      } else {
        const auto place = first == nullptr ? first_line(f) : first->statement.begin;
        edit(f, {place, place}, lines + (first == nullptr ? end : ""));
      }
    }
    const auto size = static_cast<std::uint32_t>(f.text.size());
    edit(f, {size, size},
         (f.text.empty() || f.text.ends_with('\n') ? "" : end) + with_line_ends(gap + words, end));
  }

  const Snapshot& snapshot_;
  const Imports imports_;
  Symbol symbol_;
  std::string to_;
  bool python_ = false, exported_ = false, needs_source_ = false;
  bool default_ = false;   // is the default of its module
  ByteSpan default_line_;  // that says so, when it is another statement
  SourceFile from_;
  std::optional<SourceFile> target_;
  ByteSpan span_;
  std::set<std::string> needed_files_, users_;  // that the target, and who imports the target
  ImportWriter writer_;
  ReadOrder order_;
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_module_move(const Snapshot& snapshot, const Symbol& symbol,
                                  const std::string& to, std::stop_token stop) {
  return Mover(snapshot, symbol, to).plan(stop);
}

}  // namespace ambit::daemon
