#include "daemon/assists/refactor/move_files.h"

#include <algorithm>
#include <set>

#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"
#include "indexer/git/repository.h"
#include "indexer/syntax/extract.h"

namespace ambit::daemon {

using indexer::Language;
using indexer::Snapshot;

namespace {

// What moves together with imports of Python: "from PACKAGE import MODULE", and "a.b" in the code
// behind "import a.b".
class PythonNames {
 public:
  PythonNames(const Imports& imports, const Moves& moves, const std::string& path,
              std::string_view text, const indexer::Facts& facts)
      : imports_(imports), moves_(moves), path_(path), text_(text), facts_(facts) {}

  Result<void> from_package(const indexer::Import& import, const std::string& package,
                            std::vector<PlanEdit>& edits) const {
    const auto statement = text_.substr(import.statement.begin, import.statement.size());
    if (!statement.starts_with("from")) return {};
    std::vector<const indexer::Mention*> names;
    for (const auto& m : facts_.mentions) {
      if (m.span.begin >= import.module.end && m.span.end <= import.statement.end)
        names.push_back(&m);
    }
    for (const auto* m : names) {
      const auto name = std::string(text_.substr(m->span.begin, m->span.size()));
      const auto moved = moves_.find(package + name + ".py");
      if (moved == moves_.end()) continue;
      if (names.size() != 1) {
        return make_error(Code::kInvalidArgument,
                          path_ + ":" + std::to_string(m->line + 1) + " imports " + name +
                              " together with others; give it a line of its own first");
      }
      const auto words = text_.substr(import.module.begin, import.module.size());
      AMBIT_TRY(now,
                imports_.words_for(path_, package + name + ".py", words, path_, moved->second));
      // now is "….new_name" of the module itself: its package stands before the last dot.
      const auto dot = now.rfind('.');
      const auto leaf = now.substr(dot == std::string::npos ? 0 : dot + 1);
      auto parent = dot == std::string::npos ? std::string() : now.substr(0, dot);
      if (now.find_first_not_of('.') > dot && dot != std::string::npos)
        parent = now.substr(0, dot + 1);
      if (parent.empty()) {
        return make_error(Code::kInvalidArgument, path_ + ":" + std::to_string(m->line + 1) +
                                                      " imports " + name +
                                                      " from a package that it leaves");
      }
      edits.push_back({site_of_offset(text_, import.module.begin), std::string(words), parent});
      if (leaf != name) {
        edits.push_back({site_of_offset(text_, m->span.begin), name, leaf + " as " + name});
      }
    }
    return {};
  }

  // The code that reaches a module by its whole name.
  void uses(const indexer::Import& import, const std::string& old_words,
            const std::string& new_words, std::vector<PlanEdit>& edits) const {
    const auto behind =
        text_.substr(import.module.end,
                     import.statement.end - std::min(import.module.end, import.statement.end));
    const auto statement = text_.substr(import.statement.begin, import.statement.size());
    if (!statement.starts_with("import") || behind.find(" as ") != std::string_view::npos) return;
    for (const auto& m : facts_.mentions) {
      if (m.span.begin < import.statement.end && m.span.end > import.statement.begin) continue;
      if (text_.substr(m.span.begin, old_words.size()) != old_words) continue;
      const auto end = m.span.begin + old_words.size();
      if (end < text_.size() && word_byte(text_[end])) continue;
      if (m.span.begin > 0 && text_[m.span.begin - 1] == '.') continue;
      edits.push_back({site_of_offset(text_, m.span.begin), old_words, new_words});
    }
  }

 private:
  const Imports& imports_;
  const Moves& moves_;
  const std::string& path_;
  std::string_view text_;
  const indexer::Facts& facts_;
};

// Other files that name a moved one: build files, documents, imports through aliases.
void note_mentions(const Snapshot& snapshot, const Moves& moves,
                   const std::vector<PlanFile>& changed, std::vector<std::string>& notes) {
  std::size_t said = 0;
  for (const auto& [from, to] : moves) {
    const auto found = snapshot.search(base_of(from), false, 200);
    if (!found) continue;
    for (const auto& m : *found) {
      const bool handled = std::any_of(changed.begin(), changed.end(),
                                       [&](const PlanFile& f) { return f.path == m.path; });
      if (handled || m.path == from) continue;
      if (++said > 20) {
        notes.emplace_back("… more places name the files that move");
        return;
      }
      notes.push_back(m.path + ":" + std::to_string(m.line + 1) + " names " +
                      std::string(base_of(from)) + " and is left alone");
    }
  }
}

}  // namespace

Result<std::vector<PlanFile>> import_edits(const Snapshot& snapshot, const Moves& moves,
                                           std::vector<std::string>& notes, std::stop_token stop) {
  const Imports imports(snapshot);
  for (const auto& [from, to] : moves) {
    const auto language = indexer::language_of(from);
    const bool known = language == Language::kPython || script_family(language) ||
                       same_family(language, Language::kC);
    if (!known) {
      return make_error(Code::kUnsupported,
                        from +
                            ": imports follow a file in C, C++, Python, JavaScript and "
                            "TypeScript only");
    }
    if (base_of(from) == "__init__.py") {
      return make_error(Code::kInvalidArgument, from + " is its package; move the folder");
    }
  }
  const auto moved = [&](const std::string& path) {
    const auto it = moves.find(path);
    return it == moves.end() ? path : it->second;
  };
  // Whoever names a moved file writes its name, or its folder's.
  std::set<std::string> words_of_names;
  for (const auto& [from, to] : moves) {
    std::string stem(base_of(from));
    stem.resize(std::min(stem.find('.'), stem.size()));
    const auto folder = folder_of_path(from);
    if (stem == "index" && !folder.empty()) stem = base_of(folder.substr(0, folder.size() - 1));
    words_of_names.insert(stem);
  }
  indexer::Extractor extractor;
  std::vector<PlanFile> out;
  for (const auto& info : snapshot.files()) {
    if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
    const bool concerned = std::any_of(moves.begin(), moves.end(), [&](const auto& m) {
      return same_family(indexer::language_of(m.first), info.language);
    });
    if (!concerned || info.skipped == "binary" || info.skipped == "too large") continue;
    const auto text = snapshot.text(info.path);
    if (!text) continue;
    const bool names_one =
        std::any_of(words_of_names.begin(), words_of_names.end(),
                    [&](const auto& w) { return text->find(w) != std::string::npos; });
    if (!moves.contains(info.path) && !names_one) continue;
    const auto facts = extractor.extract(info.language, *text);
    if (!facts || facts->imports.empty()) continue;
    const bool python = info.language == Language::kPython;
    const PythonNames names(imports, moves, info.path, *text, *facts);
    PlanFile file;
    file.path = info.path;
    for (const auto& import : facts->imports) {
      const auto words = text->substr(import.module.begin, import.module.size());
      const auto target = imports.target(info.path, words);
      if (!target) continue;
      if (python && target->ends_with('/')) {
        AMBIT_CHECK_OK(names.from_package(import, *target, file.edits));
      }
      const auto new_importer = moved(info.path);
      const auto new_target = moved(*target);
      if (new_target == *target &&
          (new_importer == info.path || (python && !words.starts_with('.')))) {
        continue;
      }
      AMBIT_TRY(now, imports.words_for(info.path, *target, words, new_importer, new_target));
      if (now == words) continue;
      file.edits.push_back({site_of_offset(*text, import.module.begin), words, now});
      if (python) names.uses(import, words, now, file.edits);
    }
    if (file.edits.empty()) continue;
    file.blob = indexer::hash_blob(*text).hex();
    out.push_back(std::move(file));
  }
  note_mentions(snapshot, moves, out, notes);
  return out;
}

Result<PlanStep> plan_file_moves(const Snapshot& snapshot, const Moves& moves,
                                 std::vector<std::string>& notes, std::stop_token stop) {
  PlanStep out;
  for (const auto& [from, to] : moves) {
    AMBIT_CHECK_OK(check_path(to));
    if (snapshot.file(to)) return make_error(Code::kInvalidArgument, to + " exists already");
    if (indexer::language_of(from) != indexer::language_of(to) &&
        !same_family(indexer::language_of(from), indexer::language_of(to))) {
      return make_error(Code::kInvalidArgument, to + " would be a file of another language");
    }
    out.title += (out.title.empty() ? "move " : ", ") + from + " to " + to;
  }
  if (out.title.size() > 200) out.title = "move " + std::to_string(moves.size()) + " files";
  AMBIT_TRY(files, import_edits(snapshot, moves, notes, stop));
  for (const auto& [from, to] : moves) {
    PlanFile made;
    made.path = to;
    made.from = from;
    AMBIT_TRY(text, snapshot.text(from));
    made.blob = indexer::hash_blob(text).hex();
    const auto own = std::find_if(files.begin(), files.end(),
                                  [&, path = from](const PlanFile& f) { return f.path == path; });
    if (own != files.end()) {
      made.edits = std::move(own->edits);
      files.erase(own);
    }
    PlanFile gone;
    gone.path = from;
    gone.blob = made.blob;
    gone.remove = true;
    files.push_back(std::move(gone));
    files.push_back(std::move(made));
  }
  std::sort(files.begin(), files.end(),
            [](const PlanFile& a, const PlanFile& b) { return a.path < b.path; });
  out.files = std::move(files);
  return out;
}

}  // namespace ambit::daemon
