#include "daemon/assists/refactor/source_file.h"

#include <algorithm>

#include "daemon/assists/refactor/imports.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Snapshot;

namespace {

indexer::Language language_in(const Snapshot& snapshot, const std::string& path) {
  const auto info = snapshot.file(path);
  return info ? info->language : indexer::language_of(path);
}

}  // namespace

std::uint32_t SourceFile::line_of(std::size_t at) const {
  return static_cast<std::uint32_t>(
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

Result<SourceFile> load_facts(const Snapshot& snapshot, const std::string& path) {
  SourceFile out;
  out.path = path;
  AMBIT_TRY(text, snapshot.text(path));
  out.text = std::move(text);
  indexer::Extractor extractor;
  AMBIT_TRY(facts, extractor.extract(language_in(snapshot, path), out.text));
  out.facts = std::move(facts);
  return out;
}

Result<SourceFile> load_source(const Snapshot& snapshot, const std::string& path) {
  AMBIT_TRY(out, load_facts(snapshot, path));
  AMBIT_TRY(tree, indexer::SyntaxTree::parse(language_in(snapshot, path), out.text));
  out.tree = std::move(tree);
  return out;
}

bool inside(ByteSpan inner, ByteSpan outer) {
  return outer.begin <= inner.begin && inner.end <= outer.end;
}

Result<ByteSpan> whole_lines(const SourceFile& file, const indexer::Symbol& symbol, ByteSpan span) {
  const auto& text = file.text;
  while (span.begin > 0 && text[span.begin - 1] != '\n') {
    if (text[span.begin - 1] != ' ' && text[span.begin - 1] != '\t') {
      return refusal(symbol.path, symbol.line, "stands behind something else on its line");
    }
    --span.begin;
  }
  const auto end = std::min(text.find('\n', span.end), text.size());
  if (text.substr(span.end, end - span.end).find_first_not_of(" \t\r;") != std::string::npos) {
    return refusal(symbol.path, symbol.line, "shares its last line with something else");
  }
  span.end = static_cast<std::uint32_t>(std::min(end + 1, text.size()));
  return span;
}

ByteSpan with_gap(const SourceFile& file, ByteSpan lines) {
  const auto& text = file.text;
  while (lines.end < text.size() && text[lines.end] == '\n') ++lines.end;
  if (lines.end < text.size()) return lines;
  while (lines.begin > 1 && text[lines.begin - 1] == '\n' && text[lines.begin - 2] == '\n') {
    --lines.begin;
  }
  return lines;
}

void FileEdits::edit(const SourceFile& file, ByteSpan span, std::string text) {
  auto& out = files_[file.path];
  if (out.path.empty()) {
    out.path = file.path;
    out.blob = indexer::hash_blob(file.text).hex();
  }
  auto& spans = spans_[file.path];
  for (std::size_t i = 0; i < spans.size(); ++i) {
    // One of them only puts something in.
    if ((span.size() == 0) == (spans[i].size() == 0)) continue;
    auto& other = out.edits[i];
    const bool other_first = spans[i].end == span.begin;
    if (!other_first && span.end != spans[i].begin) continue;
    other.new_text = other_first ? other.new_text + text : text + other.new_text;
    if (!other_first || spans[i].size() == 0) {
      other.at = site_of_offset(file.text, std::min(span.begin, spans[i].begin));
    }
    if (span.size() > 0) other.old_text = file.slice(span);
    spans[i] = {std::min(span.begin, spans[i].begin), std::max(span.end, spans[i].end)};
    return;
  }
  spans.push_back(span);
  out.edits.push_back(
      {site_of_offset(file.text, span.begin), std::string(file.slice(span)), std::move(text)});
}

void FileEdits::create(const std::string& path, std::string text) {
  auto& out = files_[path];
  out.path = path;
  out.create = std::move(text);
}

void FileEdits::rename(const SourceFile& file, const std::string& to) {
  auto& made = files_[file.path];
  made.path = file.path;
  made.blob = indexer::hash_blob(file.text).hex();
  renamed_[file.path] = to;
}

PlanStep FileEdits::take(std::string title) {
  PlanStep out;
  out.title = std::move(title);
  for (const auto& [from, to] : renamed_) {
    auto made = std::move(files_.at(from));
    PlanFile gone;
    gone.path = from;
    gone.blob = made.blob;
    gone.remove = true;
    made.path = to;
    made.from = from;
    files_[from] = std::move(gone);
    files_[to] = std::move(made);
  }
  for (auto& [path, file] : files_) out.files.push_back(std::move(file));
  return out;
}

}  // namespace ambit::daemon
