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
  if (script_family(language)) return script_target(importer, words);
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
  if (script_family(language)) {
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

}  // namespace ambit::daemon
