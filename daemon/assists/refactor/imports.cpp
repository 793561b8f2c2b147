#include "daemon/assists/refactor/imports.h"

#include <algorithm>
#include <array>

#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"
#include "indexer/git/repository.h"
#include "indexer/syntax/extract.h"

namespace ambit::daemon {

using indexer::Language;
using indexer::Snapshot;

namespace {

constexpr std::array<std::string_view, 9> kScriptEnds{".ts",  ".tsx", ".d.ts", ".js",  ".jsx",
                                                      ".mjs", ".cjs", ".mts",  ".json"};

bool script(Language l) {
  return same_family(l, Language::kJavaScript);
}

std::string_view unquoted(std::string_view words) {
  return words.size() > 1 ? words.substr(1, words.size() - 2) : std::string_view();
}

// "../x/b" for a/x/b seen from a/y/.
std::string relative(std::string_view target, std::string_view folder) {
  std::size_t common = 0;
  for (std::size_t i = 0; i < folder.size() && i < target.size() && folder[i] == target[i]; ++i) {
    if (folder[i] == '/') common = i + 1;
  }
  std::string out;
  for (const char c : folder.substr(common)) {
    if (c == '/') out += "../";
  }
  return out + std::string(target.substr(common));
}

std::string without_end(std::string path) {
  for (const auto end : kScriptEnds) {
    if (path.ends_with(end) && end != ".json") {
      if (end == ".ts" && path.ends_with(".d.ts")) continue;
      path.resize(path.size() - end.size());
      return path;
    }
  }
  return path;
}

std::string dotted(std::string_view path) {
  std::string out(path);
  if (out.ends_with(".py")) out.resize(out.size() - 3);
  if (out.ends_with("/__init__")) out.resize(out.size() - 9);
  while (out.ends_with('/')) out.pop_back();
  std::replace(out.begin(), out.end(), '/', '.');
  return out;
}

}  // namespace

std::string folder_of_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash + 1));
}

std::optional<std::string> normal_path(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    const auto part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  std::string out;
  for (const auto part : parts) out += (out.empty() ? "" : "/") + std::string(part);
  return out;
}

PlanSite site_of_offset(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, offset);
  const auto line = before.rfind('\n');
  return {static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<std::uint32_t>(offset - (line == std::string_view::npos ? 0 : line + 1)) + 1,
          "", ""};
}

Imports::Imports(const Snapshot& snapshot) {
  for (const auto& f : snapshot.files()) {
    paths_.insert(f.path);
    by_base_.emplace(std::string(base_of(f.path)), f.path);
    for (auto folder = folder_of_path(f.path); !folder.empty();) {
      if (!folders_.insert(folder).second) break;
      folder.pop_back();
      folder = folder_of_path(folder);
    }
  }
}

std::string Imports::python_root(const std::string& path) const {
  auto folder = folder_of_path(path);
  while (!folder.empty() && exists(folder + "__init__.py")) {
    folder.pop_back();
    folder = folder_of_path(folder);
  }
  // A package without __init__.py: from the top, or from src/.
  if (folder == folder_of_path(path)) return folder.starts_with("src/") ? "src/" : "";
  return folder;
}

std::string Imports::python_module(const std::string& path) const {
  return dotted(std::string_view(path).substr(python_root(path).size()));
}

std::optional<std::string> Imports::python_target(const std::string& importer,
                                                  std::string_view words) const {
  const auto in = [&](const std::string& folder,
                      std::string_view name) -> std::optional<std::string> {
    std::string path(name);
    std::replace(path.begin(), path.end(), '.', '/');
    path = folder + path;
    if (exists(path + ".py")) return path + ".py";
    if (exists(path + "/__init__.py") || folders_.contains(path + "/")) return path + "/";
    return std::nullopt;
  };
  if (words.starts_with('.')) {
    auto folder = folder_of_path(importer);
    words.remove_prefix(1);
    for (; words.starts_with('.'); words.remove_prefix(1)) {
      if (folder.empty()) return std::nullopt;
      folder.pop_back();
      folder = folder_of_path(folder);
    }
    if (words.empty()) return folder.empty() ? std::nullopt : std::optional(folder);
    return in(folder, words);
  }
  // The roots that this importer can see: its own package's, the top, src/, its own folder.
  for (const auto& root :
       {python_root(importer), std::string(), std::string("src/"), folder_of_path(importer)}) {
    if (auto found = in(root, words)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> Imports::script_target(const std::string& importer,
                                                  std::string_view words) const {
  const auto name = unquoted(words);
  if (!name.starts_with("./") && !name.starts_with("../") && name != "." && name != "..") {
    return std::nullopt;
  }
  const auto path = normal_path(folder_of_path(importer) + std::string(name));
  if (!path) return std::nullopt;
  if (exists(*path)) return path;
  for (const auto end : kScriptEnds) {
    if (exists(*path + std::string(end))) return *path + std::string(end);
  }
  if (path->ends_with(".js")) {  // TypeScript names what it will become
    const auto stem = path->substr(0, path->size() - 3);
    for (const auto* end : {".ts", ".tsx"}) {
      if (exists(stem + end)) return stem + end;
    }
  }
  for (const auto end : kScriptEnds) {
    const auto index = *path + (path->empty() ? "index" : "/index") + std::string(end);
    if (exists(index)) return index;
  }
  return std::nullopt;
}

std::optional<std::string> Imports::include_target(const std::string& importer,
                                                   std::string_view words) const {
  const auto name = unquoted(words);
  if (words.starts_with('"')) {
    const auto beside = normal_path(folder_of_path(importer) + std::string(name));
    if (beside && exists(*beside)) return beside;
  }
  std::optional<std::string> found;
  const auto [begin, end] = by_base_.equal_range(std::string(base_of(name)));
  for (auto it = begin; it != end; ++it) {
    const auto& path = it->second;
    if (path != name && !path.ends_with("/" + std::string(name))) continue;
    if (found) return std::nullopt;
    found = path;
  }
  return found;
}

std::optional<std::string> Imports::target(const std::string& importer,
                                           std::string_view words) const {
  const auto language = indexer::language_of(importer);
  if (words.empty()) return std::nullopt;
  if (language == Language::kPython) return python_target(importer, words);
  if (script(language)) return script_target(importer, words);
  return include_target(importer, words);
}

Result<std::string> Imports::words_for(const std::string& old_importer,
                                       const std::string& old_target, std::string_view words,
                                       const std::string& importer,
                                       const std::string& target) const {
  const auto language = indexer::language_of(old_importer);
  const auto cannot = [&](const std::string& why) {
    return make_error(Code::kInvalidArgument, old_importer + " names " + old_target + " as " +
                                                  std::string(words) + ", and " + why);
  };
  if (language == Language::kPython) {
    if (!words.starts_with('.')) {
      const auto root = python_root(old_target.ends_with('/') ? old_target + "x.py" : old_target);
      if (!target.starts_with(root)) return cannot("the new place is outside of " + root);
      return dotted(std::string_view(target).substr(root.size()));
    }
    const auto folder = folder_of_path(importer);
    std::size_t common = 0;
    for (std::size_t i = 0; i < folder.size() && i < target.size() && folder[i] == target[i]; ++i) {
      if (folder[i] == '/') common = i + 1;
    }
    if (common == 0 && !folder.empty()) return cannot("the new place shares no package with it");
    return "." +
           std::string(
               static_cast<std::size_t>(std::count(
                   folder.begin() + static_cast<std::ptrdiff_t>(common), folder.end(), '/')),
               '.') +
           dotted(std::string_view(target).substr(common));
  }
  const auto quote = std::string(words.substr(0, 1));
  const auto close = std::string(words.substr(words.size() - 1));
  if (script(language)) {
    auto name = relative(target, folder_of_path(importer));
    const auto old_name = std::string(unquoted(words));
    if (!old_name.ends_with(base_of(old_target))) {
      const bool becomes = old_name.ends_with(".js") && !old_target.ends_with(".js");
      name = without_end(name) + (becomes ? ".js" : "");
      const bool index =
          !becomes && base_of(without_end(old_target)) == "index" && !old_name.ends_with("index");
      if (index && (name == "index" || name.ends_with("/index"))) {
        name.resize(name.size() - 5);
        if (name.ends_with('/')) name.pop_back();
        if (name.empty()) name = ".";
      }
    }
    if (!name.starts_with('.')) name = "./" + name;
    return quote + name + close;
  }
  const auto name = unquoted(words);
  const auto beside = normal_path(folder_of_path(old_importer) + std::string(name));
  // From the folder that is searched for includes, when the words are found that way.
  if (old_target.ends_with(name) &&
      (beside != old_target || name.find('/') != std::string_view::npos)) {
    const auto root = old_target.substr(0, old_target.size() - name.size());
    if (beside != old_target || root.empty()) {
      if (!target.starts_with(root)) {
        return cannot("the new place is outside of " + (root.empty() ? "the root" : root));
      }
      return quote + target.substr(root.size()) + close;
    }
  }
  return quote + relative(target, folder_of_path(importer)) + close;
}

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
    const bool known =
        language == Language::kPython || script(language) || same_family(language, Language::kC);
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
