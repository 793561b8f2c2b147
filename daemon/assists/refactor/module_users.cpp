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
      if (!text || (text->find(move_.symbol.name) == std::string::npos &&
                    text->find('*') == std::string::npos)) {
        continue;
      }
      auto loaded = load_facts(move_.snapshot, info.path);
      if (!loaded) continue;
      AMBIT_CHECK_OK(change_user(*loaded));
    }
    return {};
  }

  // Modules that are named outside of imports: import('./a'), mock('./a').
  Result<void> check_other_ways(const SourceFile& f) const {
    if (python_ || !has_word(f.text, move_.symbol.name)) return {};
    for (const char quote : {'\'', '"', '`'}) {
      for (auto at = f.text.find(quote); at != std::string::npos; at = f.text.find(quote, at + 1)) {
        const auto end = f.text.find_first_of(std::string("\n") + quote, at + 1);
        if (end == std::string::npos || f.text[at + 1] != '.' || f.text[end] != quote) continue;
        const ByteSpan span{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end + 1)};
        const bool import =
            std::any_of(f.facts.imports.begin(), f.facts.imports.end(),
                        [&](const indexer::Import& i) { return inside(span, i.statement); });
        if (!import && move_.imports.target(f.path, f.slice(span)) == move_.symbol.path) {
          return refusal(f.path, f.line_of(at),
                         "names its module in a way that this cannot follow");
        }
      }
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
      const bool named =
          python_ ? words.starts_with("from") : words.find('{') != std::string_view::npos;
      if (words.starts_with("export") && bound.everything) {
        return refusal(f.path, line, "exports all of its module again");
      }
      if (!named || bound.everything) {
        const bool reached = python_ ? f.text.find("." + move_.symbol.name) != std::string::npos
                                     : has_word(f.text, move_.symbol.name);
        if (reached || (bound.everything && python_)) {
          return refusal(f.path, line, "reaches " + move_.symbol.name + " through its module");
        }
        continue;
      }
      for (const auto& [local, name] : bound.names) {
        if (name != move_.symbol.name) continue;
        if (words.starts_with("export")) return refusal(f.path, line, "exports it again");
        if (place_of(f, i) == ImportPlace::kTop) users_.insert(f.path);
        const bool types = !python_ && words.starts_with("import type");
        auto added =
            f.path == move_.to ? std::string() : move_.writer.line(f.path, move_.to, name, local);
        if (types && !added.empty()) added.replace(0, 6, "import type");
        AMBIT_CHECK_OK(replace_imported_name(f, bound, local, added, edits_));
      }
    }
    return {};
  }

  const ModuleMove& move_;
  FileEdits& edits_;
  const bool python_;
  std::set<std::string> users_;
};

}  // namespace

Result<std::set<std::string>> change_module_users(const ModuleMove& move, FileEdits& edits,
                                                  std::stop_token stop) {
  return Users(move, edits).run(stop);
}

}  // namespace ambit::daemon
