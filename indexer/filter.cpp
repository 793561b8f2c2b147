#include "indexer/filter.h"

#include <algorithm>

#include "indexer/secrets.h"

namespace ambit::indexer {
namespace {

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view extension(std::string_view path) {
  const auto name = base_name(path);
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? std::string_view{} : name.substr(dot + 1);
}

bool in_list(std::string_view word, std::string_view list) {
  for (std::size_t at = 0; at < list.size();) {
    const auto end = std::min(list.find(' ', at), list.size());
    if (list.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

std::string_view below(std::string_view path, std::string_view base, bool& inside) {
  inside = true;
  if (base.empty()) return path;
  if (path.size() > base.size() && path.starts_with(base) && path[base.size()] == '/') {
    return path.substr(base.size() + 1);
  }
  inside = false;
  return {};
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r'))
    s.remove_suffix(1);
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  return s;
}

template <class F>
void for_each_line(std::string_view text, F&& f) {
  while (!text.empty()) {
    const auto newline = text.find('\n');
    f(text.substr(0, newline));
    if (newline == std::string_view::npos) return;
    text.remove_prefix(newline + 1);
  }
}

// [..] at pattern[p]; p moves behind it.
bool match_class(std::string_view pattern, std::size_t& p, char c) {
  auto at = p + 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  bool first = true;
  for (; at < pattern.size() && (first || pattern[at] != ']'); ++at) {
    first = false;
    char low = pattern[at];
    if (low == '\\' && at + 1 < pattern.size()) low = pattern[++at];
    char high = low;
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      high = pattern[at + 2];
      at += 2;
    }
    if (c >= low && c <= high) found = true;
  }
  if (at >= pattern.size()) return false;  // no closing bracket: matches nothing
  p = at + 1;
  return found != negated && c != '/';
}

}  // namespace

bool wildcard_match(std::string_view pattern, std::string_view text) {
  // Two points to return to: the last * (may not cross '/') and the last ** (may).
  std::size_t p = 0, t = 0;
  std::size_t star_p = std::string_view::npos, star_t = 0;
  std::size_t deep_p = std::string_view::npos, deep_t = 0;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '*') {
      if (p + 1 < pattern.size() && pattern[p + 1] == '*') {
        auto end = p + 2;
        while (end < pattern.size() && pattern[end] == '*') ++end;
        const bool starts = p == 0 || pattern[p - 1] == '/';
        const bool ends = end == pattern.size() || pattern[end] == '/';
        if (starts && ends) {
          // "**/" also matches no folder at all; "/**" needs something below.
          if (end < pattern.size()) ++end;
          deep_p = end;
          deep_t = t;
          p = end;
          star_p = std::string_view::npos;
          if (p == pattern.size()) return t < text.size() || pattern.size() == 2;
          continue;
        }
        p = end - 1;
      }
      star_p = ++p;
      star_t = t;
      continue;
    }
    if (t < text.size()) {
      if (p < pattern.size()) {
        const char c = pattern[p];
        bool ok = false;
        if (c == '?') {
          ok = text[t] != '/';
          if (ok) ++p;
        } else if (c == '[') {
          auto next = p;
          ok = match_class(pattern, next, text[t]);
          if (ok) p = next;
        } else {
          const auto literal = c == '\\' && p + 1 < pattern.size() ? p + 1 : p;
          ok = pattern[literal] == text[t];
          if (ok) p = literal + 1;
        }
        if (ok) {
          ++t;
          continue;
        }
      }
    } else if (p == pattern.size()) {
      return true;
    }
    if (star_p != std::string_view::npos && star_t < text.size() && text[star_t] != '/') {
      p = star_p;
      t = ++star_t;
      continue;
    }
    if (deep_p != std::string_view::npos) {
      // On to the next folder.
      const auto slash = text.find('/', deep_t);
      if (slash == std::string_view::npos) return false;
      deep_t = slash + 1;
      p = deep_p;
      t = deep_t;
      star_p = std::string_view::npos;
      continue;
    }
    return false;
  }
}

void IgnoreRules::add(std::string_view text, std::string_view base) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for_each_line(text, [&](std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') return;
    Rule r;
    r.base = base;
    if (line.front() == '!') {
      r.negated = true;
      line.remove_prefix(1);
    }
    if (line.ends_with('/')) {
      r.directory_only = true;
      line.remove_suffix(1);
    }
    r.anchored = line.find('/') != std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) return;
    r.pattern = line;
    rules_.push_back(std::move(r));
  });
}

bool IgnoreRules::match_one(std::string_view path, bool is_directory) const {
  for (auto it = rules_.rbegin(); it != rules_.rend(); ++it) {
    if (it->directory_only && !is_directory) continue;
    bool inside = false;
    const auto relative = below(path, it->base, inside);
    if (!inside) continue;
    if (wildcard_match(it->pattern, it->anchored ? relative : base_name(relative)))
      return !it->negated;
  }
  return false;
}

bool IgnoreRules::ignored(std::string_view path, bool is_directory) const {
  if (rules_.empty()) return false;
  for (auto slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (match_one(path.substr(0, slash), true)) return true;
  }
  return match_one(path, is_directory);
}

void Attributes::add(std::string_view text, std::string_view base) {
  for_each_line(text, [&](std::string_view line) {
    line = trim(line);
    if (line.empty() || line.front() == '#' || line.starts_with("[attr]")) return;
    Line l;
    l.base = base;
    std::size_t at = 0;
    for (bool first = true; at < line.size(); first = false) {
      const auto end = std::min(line.find_first_of(" \t", at), line.size());
      if (end > at) {
        if (first) {
          l.pattern = line.substr(at, end - at);
        } else {
          l.attributes.emplace_back(line.substr(at, end - at));
        }
      }
      at = end + 1;
    }
    if (!l.attributes.empty()) lines_.push_back(std::move(l));
  });
}

bool Attributes::is_set(std::string_view path, std::string_view attribute) const {
  for (auto it = lines_.rbegin(); it != lines_.rend(); ++it) {
    bool inside = false;
    const auto relative = below(path, it->base, inside);
    if (!inside) continue;
    std::string_view pattern = it->pattern;
    const bool anchored = pattern.find('/') != std::string_view::npos;
    if (pattern.starts_with('/')) pattern.remove_prefix(1);
    if (!wildcard_match(pattern, anchored ? relative : base_name(relative))) continue;
    for (auto a = it->attributes.rbegin(); a != it->attributes.rend(); ++a) {
      std::string_view word = *a;
      if (word == attribute ||
          (word.starts_with(attribute) && word.substr(attribute.size()) == "=true")) {
        return true;
      }
      if (word.size() == attribute.size() + 1 && (word[0] == '-' || word[0] == '!') &&
          word.substr(1) == attribute) {
        return false;
      }
      if (word.starts_with(attribute) && word.substr(attribute.size()) == "=false") return false;
    }
  }
  return false;
}

FileClass classify_path(std::string_view path) {
  if (is_secret_path(path)) return FileClass::kSecret;
  const auto name = base_name(path);
  if (in_list(
          name,
          "package-lock.json yarn.lock pnpm-lock.yaml Cargo.lock poetry.lock Pipfile.lock "
          "composer.lock Gemfile.lock go.sum flake.lock uv.lock bun.lock npm-shrinkwrap.json")) {
    return FileClass::kLockFile;
  }
  if (in_list(
          extension(path),
          "png jpg jpeg gif webp ico bmp tiff pdf zip gz xz bz2 zst 7z tar jar war class o a so "
          "dll exe dylib lib pyc woff woff2 ttf otf eot mp3 mp4 avi mov wav ogg flac bin dat db "
          "sqlite sqlite3 wasm node gguf safetensors onnx pt npy npz parquet")) {
    return FileClass::kBinary;
  }
  for (const std::string_view folder :
       {"node_modules", "third_party", "vendor", "vendored", "bower_components"}) {
    for (auto at = path.find(folder); at != std::string_view::npos;
         at = path.find(folder, at + 1)) {
      const auto end = at + folder.size();
      if ((at == 0 || path[at - 1] == '/') && end < path.size() && path[end] == '/')
        return FileClass::kVendored;
    }
  }
  if (name.ends_with(".min.js") || name.ends_with(".min.css") || name.ends_with(".js.map") ||
      name.ends_with(".css.map")) {
    return FileClass::kMinified;
  }
  if (in_list(extension(path), "csv tsv svg log ipynb geojson po pot dump patch diff rej"))
    return FileClass::kData;
  return FileClass::kSource;
}

FileClass classify(std::string_view path, std::string_view content, std::uint64_t bytes,
                   std::uint64_t max_file_bytes) {
  const auto by_path = classify_path(path);
  if (by_path == FileClass::kSecret) return by_path;
  const auto head = content.substr(0, std::min<std::size_t>(content.size(), 64U << 10));
  if (head.starts_with("version https://git-lfs.github.com/spec/") && bytes < 1024) {
    return FileClass::kLfsPointer;
  }
  if (head.substr(0, 8192).find('\0') != std::string_view::npos) return FileClass::kBinary;
  std::size_t odd = 0;
  for (const char c : head.substr(0, 8192)) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 9 || (u > 13 && u < 32 && u != 27)) ++odd;
  }
  if (odd * 20 > std::min<std::size_t>(head.size(), 8192) && odd > 8) return FileClass::kBinary;
  if (by_path == FileClass::kBinary && odd > 0) return by_path;
  if (bytes > max_file_bytes) return FileClass::kTooLarge;
  if (by_path != FileClass::kSource && by_path != FileClass::kBinary) return by_path;

  std::size_t lines = 0, defines = 0, other = 0, longest = 0, start = 0;
  bool generated = false;
  const auto opening = head.substr(0, 2048);
  for (const std::string_view mark :
       {"@generated", "DO NOT EDIT", "Do not edit by hand", "Code generated by",
        "automatically generated by", "autogenerated", "Automatically generated",
        "AUTOMATICALLY GENERATED", "This file is generated", "GENERATED FILE"}) {
    const auto at = opening.find(mark);
    if (at == std::string_view::npos) continue;
    // Only in a comment: the words also stand in the sources of generators.
    const auto line_begin =
        opening.rfind('\n', at) == std::string_view::npos ? 0 : opening.rfind('\n', at) + 1;
    const auto line = trim(opening.substr(line_begin, at - line_begin));
    if (line.find('"') == std::string_view::npos && line.find('(') == std::string_view::npos &&
        (line.empty() ||
         std::string_view("/*#;-<!").find(line.front()) != std::string_view::npos)) {
      generated = true;
      break;
    }
  }
  for_each_line(head, [&](std::string_view line) {
    ++lines;
    longest = std::max(longest, line.size());
    start += line.size();
    line = trim(line);
    if (line.starts_with("#define")) {
      ++defines;
    } else if (!line.empty() && !line.starts_with("/*") && !line.starts_with("//") &&
               !line.starts_with('*')) {
      ++other;
    }
  });
  if (bytes >= (32U << 10) && defines > 200 && defines > other * 20 && extension(path) == "h") {
    return FileClass::kRegisters;
  }
  const auto ext = extension(path);
  if (in_list(ext, "js mjs cjs css") && bytes > 5000 &&
      head.size() / std::max<std::size_t>(lines, 1) > 500) {
    return FileClass::kMinified;
  }
  if (in_list(ext, "json txt xml html sql") && longest > 20'000) return FileClass::kData;
  if (generated) return FileClass::kGenerated;
  return FileClass::kSource;
}

bool is_indexed(FileClass c) {
  switch (c) {
    case FileClass::kSource:
    case FileClass::kGenerated:
    case FileClass::kVendored:
    case FileClass::kRegisters:
    case FileClass::kData:
    case FileClass::kLockFile:
      return true;
    default:
      return false;
  }
}

bool is_packable(FileClass c) {
  return c == FileClass::kSource || c == FileClass::kVendored;
}

}  // namespace ambit::indexer
