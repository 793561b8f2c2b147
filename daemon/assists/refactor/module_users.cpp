#include "daemon/assists/refactor/module_users.h"

#include <algorithm>

#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

namespace {

class Users {
 public:
  Users(const ModuleMove& move, FileEdits& edits)
      : move_(move),
        edits_(edits),
        python_(indexer::language_of(move.symbol.path) == Language::kPython) {}

  Result<std::set<std::string>> run(std::stop_token stop) {
    AMBIT_CHECK_OK(change_users(stop));
    AMBIT_CHECK_OK(check_strings(stop));
    return users_;
  }

 private:
  // Everybody else who imports it.
  Result<void> change_users(std::stop_token stop) {
    for (const auto& info : move_.snapshot.files()) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
      if (info.path == move_.symbol.path ||
          !same_family(info.language, indexer::language_of(move_.to))) {
        continue;
      }
      const auto text = move_.snapshot.text(info.path);
      if (!text ||
          (text->find(sign()) == std::string::npos && text->find('*') == std::string::npos)) {
        continue;
      }
      auto loaded = load_facts(move_.snapshot, info.path);
      if (!loaded) continue;
      AMBIT_CHECK_OK(change_user(*loaded));
    }
    return {};
  }

  Result<void> check_other_ways(const SourceFile& f) const {
    if (python_ || (!is_default() && !has_word(f.text, move_.symbol.name))) return {};
    if (const auto at = names_module_elsewhere(move_.imports, move_.symbol.path, f)) {
      return refusal(f.path, f.line_of(*at), "names its module in a way that this cannot follow");
    }
    return {};
  }

  // "package.module.NAME" in a string, or "package.module:NAME" in a file that is no code.
  Result<void> check_strings(std::stop_token stop) const {
    if (!python_) return {};
    for (const char* between : {".", ":"}) {
      const auto whole =
          move_.imports.python_module(move_.symbol.path) + between + move_.symbol.name;
      AMBIT_TRY(found, move_.snapshot.search(whole, false, 200, stop));
      for (const auto& m : found) {
        const auto end = m.column + m.length;
        const bool longer = (end < m.line_text.size() && word_byte(m.line_text[end])) ||
                            (m.column > 0 && word_byte(m.line_text[m.column - 1]));
        const bool document =
            m.path.ends_with(".md") || m.path.ends_with(".rst") || m.path.ends_with(".txt");
        if (!longer && !document) {
          return refusal(m.path, m.line, "names " + whole + ", which this cannot follow");
        }
      }
    }
    return {};
  }

  Result<void> change_user(const SourceFile& f) {
    AMBIT_CHECK_OK(check_other_ways(f));
    for (const auto& i : f.facts.imports) {
      const auto module = f.slice(i.module);
      const auto target = move_.imports.target(f.path, module);
      const auto line = static_cast<std::uint32_t>(
          std::count(f.text.begin(), f.text.begin() + i.statement.begin, '\n'));
      // from package import module: then module.NAME may be meant.
      const auto stem = move_.symbol.path.substr(0, move_.symbol.path.rfind('.'));
      const auto bound = bound_by(f, i);
      if (python_ && target && target->ends_with('/')) {
        for (const auto& [local, name] : bound.names) {
          if (*target + name == stem &&
              f.text.find(local + "." + move_.symbol.name) != std::string::npos) {
            return refusal(f.path, line, "reaches " + move_.symbol.name + " through its module");
          }
        }
      }
      if (target != move_.symbol.path) continue;
      const auto words = f.slice(i.statement);
      const bool named = python_ ? words.starts_with("from") : !bound.names.empty();
      if (words.starts_with("export") && is_default() && has_word(words, "default")) {
        return refusal(f.path, line, "exports it again");
      }
      if (words.starts_with("export") && bound.everything) {
        return refusal(f.path, line, "exports all of its module again");
      }
      if (!named || bound.everything) {
        const bool reached = python_ ? f.text.find("." + move_.symbol.name) != std::string::npos
                                     : is_default() || has_word(f.text, move_.symbol.name);
        if (reached || (bound.everything && python_)) {
          return refusal(f.path, line, "reaches " + move_.symbol.name + " through its module");
        }
        continue;
      }
      for (const auto& [local, name] : bound.names) {
        if (name != move_.exported_as) continue;
        if (words.starts_with("export")) return refusal(f.path, line, "exports it again");
        if (place_of(f, i) == ImportPlace::kTop) users_.insert(f.path);
        AMBIT_TRY(added, new_import(f, i, name, local));
        AMBIT_CHECK_OK(replace_imported_name(f, bound, local, added, edits_));
      }
    }
    return {};
  }

  // The statement in the style of the one that is there; none where it moves to.
  Result<std::string> new_import(const SourceFile& f, const indexer::Import& i,
                                 const std::string& name, const std::string& local) const {
    if (f.path == move_.to) return std::string();
    if (python_) return move_.writer.line(f.path, move_.to, name, local);
    AMBIT_TRY(module, move_.imports.words_for(f.path, move_.symbol.path, f.slice(i.module), f.path,
                                              move_.to));
    return move_.writer.same_module(f.slice(i.statement), module, name, local);
  }

  [[nodiscard]] bool is_default() const { return move_.exported_as == "default"; }
  // What stands in every file that uses it. A default has any name: its module's counts.
  [[nodiscard]] std::string sign() const {
    if (!is_default()) return move_.symbol.name;
    const auto stem = stem_of(move_.symbol.path);
    return std::string(stem == "index" ? base_of(folder_of(move_.symbol.path)) : stem);
  }

  const ModuleMove& move_;
  FileEdits& edits_;
  const bool python_;
  std::set<std::string> users_;
};

}  // namespace

std::optional<std::size_t> names_module_elsewhere(const Imports& imports, const std::string& module,
                                                  const SourceFile& f) {
  for (const char quote : {'\'', '"', '`'}) {
    for (auto at = f.text.find(quote); at != std::string::npos; at = f.text.find(quote, at + 1)) {
      const auto end = f.text.find_first_of(std::string("\n") + quote, at + 1);
      if (end == std::string::npos || f.text[at + 1] != '.' || f.text[end] != quote) continue;
      const ByteSpan span{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end + 1)};
      const bool import =
          std::any_of(f.facts.imports.begin(), f.facts.imports.end(),
                      [&](const indexer::Import& i) { return inside(span, i.statement); });
      if (!import && imports.target(f.path, f.slice(span)) == module) return at;
    }
  }
  return std::nullopt;
}

Result<std::set<std::string>> change_module_users(const ModuleMove& move, FileEdits& edits,
                                                  std::stop_token stop) {
  return Users(move, edits).run(stop);
}

}  // namespace ambit::daemon
