#include "indexer/search/snapshot.h"

#include <algorithm>

#include "indexer/git/history.h"

namespace ambit::indexer {
namespace {

constexpr std::uint32_t kMaxPart = 32U << 10;

std::string_view skip_reason(const FileEntry& f) {
  return is_indexed(f.file_class) ? std::string_view{} : to_string(f.file_class);
}

FileInfo info_of(const BaseView& view, const FileEntry& f) {
  FileInfo out{f.path, f.blob, f.bytes, f.language, 0, false, skip_reason(f)};
  if (f.segment < view.segments.size()) {
    const auto& record = view.segments[f.segment]->record(f.record);
    out.unparsed = record.errors;
    out.gave_up = record.flags != 0;
  }
  return out;
}

// The bytes from which the wanted definitions are described.
ByteSpan described(const std::vector<StoredDefinition>& all,
                   const std::vector<std::uint32_t>& wanted) {
  ByteSpan out{0xFFFFFFFF, 0};
  const auto add = [&](std::uint32_t begin, std::uint32_t end) {
    out = {std::min(out.begin, begin), std::max(out.end, end)};
  };
  for (const auto i : wanted) {
    if (i >= all.size()) continue;
    const auto& d = all[i].d;
    add(d.declaration, std::max(d.signature_end, d.name.end));
    if (d.doc.end != 0) add(d.doc.begin, d.doc.end);
  }
  return out.begin < out.end ? out : ByteSpan{};
}

void body_first(std::vector<Symbol>& v) {
  std::stable_sort(v.begin(), v.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.declaration_only, std::string_view(a.path), a.name_span.begin) <
           std::tuple(b.declaration_only, std::string_view(b.path), b.name_span.begin);
  });
}

}  // namespace

const FileEntry* BaseView::find(std::string_view path) const {
  const auto it =
      std::lower_bound(files.begin(), files.end(), path,
                       [](const FileEntry& f, std::string_view p) { return f.path < p; });
  return it != files.end() && it->path == path ? &*it : nullptr;
}

void BaseView::link() {
  first_file.clear();
  for (const auto& s : segments) first_file.emplace_back(s->record_count(), kNoRecord);
  for (std::size_t i = files.size(); i-- > 0;) {
    auto& f = files[i];
    f.next_same = kNoRecord;
    if (f.segment >= segments.size() || f.record >= first_file[f.segment].size()) continue;
    auto& first = first_file[f.segment][f.record];
    f.next_same = first;
    first = static_cast<std::uint32_t>(i);
  }
}

std::shared_ptr<const Snapshot> SnapshotImpl::with_buffers(const Buffers& buffers) const {
  return laid_over(buffers, &TextSource::outline);
}

std::shared_ptr<const Snapshot> SnapshotImpl::with_typing(const Buffers& buffers) const {
  return laid_over(buffers, &TextSource::typing);
}

std::shared_ptr<const Snapshot> SnapshotImpl::laid_over(const Buffers& buffers, Parse parse) const {
  auto out = std::make_shared<SnapshotImpl>(base_, history_);
  for (const auto& [path, text] : buffers) {
    if (text == nullptr) continue;
    const auto language = language_of(path, std::string_view(*text).substr(0, 4096));
    out->buffers_[path] = (*base_->source.*parse)(path, language, text);
  }
  return out;
}

std::vector<std::string> SnapshotImpl::unsettled() const {
  std::vector<std::string> out;
  for (const auto& [path, b] : buffers_) {
    if (b->provisional) out.push_back(path);
  }
  return out;
}

std::shared_ptr<const Snapshot> SnapshotImpl::settled() const {
  if (unsettled().empty()) return shared_from_this();
  auto out = std::make_shared<SnapshotImpl>(base_, history_);
  out->buffers_ = buffers_;
  for (auto& [path, b] : out->buffers_) {
    if (b->provisional) b = base_->source->outline(path, b->language, b->text);
  }
  return out;
}

std::string SnapshotImpl::tree_name() const {
  auto out = base_->tree_name;
  if (!buffers_.empty()) out += " + " + std::to_string(buffers_.size()) + " unsaved";
  if (const auto n = unsettled().size(); n != 0)
    out += ", " + std::to_string(n) + " as before the last keystrokes";
  return out;
}

std::string SnapshotImpl::content_id() const {
  if (base_->files.empty() && buffers_.empty()) return {};
  std::string all;
  for (const auto& f : base_->files) {
    if (hidden(f.path)) continue;
    all += f.path;
    all.push_back('\0');
    all.append(reinterpret_cast<const char*>(f.blob.bytes.data()), f.blob.bytes.size());
  }
  for (const auto& [path, b] : buffers_) {
    const auto id = hash_blob(*b->text);
    all += path;
    all.push_back('\1');
    all.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  }
  return hash_blob(all).hex();
}

std::vector<ByteSpan> SnapshotImpl::unparsed_ranges(std::string_view path) const {
  const auto p = parsed(path);
  return p == nullptr ? std::vector<ByteSpan>{} : p->facts().errors;
}

std::vector<FileInfo> SnapshotImpl::files() const {
  std::vector<FileInfo> out;
  out.reserve(base_->files.size() + buffers_.size());
  for (const auto& f : base_->files) out.push_back(info_of(*base_, f));
  for (const auto& [path, b] : buffers_) {
    const auto it =
        std::lower_bound(out.begin(), out.end(), path,
                         [](const FileInfo& f, const std::string& p) { return f.path < p; });
    FileInfo info{path, hash_blob(*b->text), b->text->size(), b->language, 0, false, {}};
    if (it != out.end() && it->path == path) {
      *it = std::move(info);
    } else {
      out.insert(it, std::move(info));
    }
  }
  return out;
}

std::optional<FileInfo> SnapshotImpl::file(std::string_view path) const {
  if (const auto it = buffers_.find(path); it != buffers_.end()) {
    return FileInfo{it->first,
                    hash_blob(*it->second->text),
                    it->second->text->size(),
                    it->second->language,
                    0,
                    false,
                    {}};
  }
  if (const auto* f = base_->find(path)) return info_of(*base_, *f);
  return std::nullopt;
}

Result<std::string> SnapshotImpl::text(std::string_view path) const {
  if (const auto it = buffers_.find(path); it != buffers_.end()) return *it->second->text;
  const auto* f = base_->find(path);
  if (f == nullptr)
    return make_error(Code::kNotFound, "the index has no file " + std::string(path));
  if (f->file_class == FileClass::kIgnored || f->file_class == FileClass::kSymlink ||
      f->file_class == FileClass::kSecret) {
    return make_error(Code::kPermission,
                      std::string(path) + " is kept out: " + std::string(to_string(f->file_class)));
  }
  return base_->source->text(*f);
}

Result<std::vector<BlameHunk>> SnapshotImpl::blame(std::string_view path, std::uint32_t line,
                                                   std::uint32_t count) const {
  AMBIT_TRY(content, text(path));
  const auto& repository = base_->source->repository();
  if (!repository.is_git())
    return make_error(Code::kNotFound, repository.root().string() + " is not a git repository");
  return indexer::blame(repository.root(), std::string(path), content, line, count);
}

Parsed SnapshotImpl::parsed(std::string_view path) const {
  if (const auto it = buffers_.find(path); it != buffers_.end())
    return base_->source->parse(it->first, it->second->language, it->second->text);
  const auto* f = base_->find(path);
  if (f == nullptr || !is_indexed(f->file_class) || f->language == Language::kNone) return nullptr;
  auto content = base_->source->text(*f);
  if (!content) return nullptr;
  return base_->source->parse(f->path, f->language,
                              std::make_shared<const std::string>(std::move(*content)));
}

void SnapshotImpl::stored_symbols(const FileEntry& f, const std::vector<std::uint32_t>* wanted,
                                  std::vector<Symbol>& out) const {
  const auto& segment = *base_->segments[f.segment];
  const auto stored =
      wanted == nullptr ? segment.definitions(f.record) : segment.definitions(f.record, *wanted);
  if (stored.empty()) return;
  const auto bytes = segment.record(f.record).bytes;
  // What signatures and comments are made of, at `base` in the file.
  std::uint32_t base = 0;
  std::string text;
  // A file in UTF-16 has another size than what was indexed of it, and is always read whole.
  if (f.bytes == bytes) {
    const auto near = wanted == nullptr ? ByteSpan{0, bytes} : described(stored, *wanted);
    if (near.size() <= kMaxPart) {
      if (auto part = base_->source->part(f, near)) {
        base = near.begin;
        text = std::move(*part);
      }
    }
  }
  if (text.empty()) {
    auto content = base_->source->text(f);
    if (content && content->size() == bytes) text = std::move(*content);
  }
  const auto separator = language_info(f.language).separator;
  const auto one = [&](std::uint32_t i) {
    const auto& d = stored[i].d;
    Symbol s;
    s.path = f.path;
    s.name = stored[i].name;
    std::vector<std::string> parts;
    for (auto k = static_cast<std::int32_t>(i); k >= 0 && parts.size() < 64;) {
      const auto& at = stored[static_cast<std::size_t>(k)].d;
      if (!at.owner.empty()) {
        std::string owner;
        for (const char c : at.owner) {
          if (c == '\x1f') {
            owner += separator;
          } else {
            owner.push_back(c);
          }
        }
        parts.push_back(std::move(owner));
      }
      if (at.parent < 0 || at.parent >= k) break;
      k = at.parent;
      parts.push_back(stored[static_cast<std::size_t>(k)].name);
    }
    for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
      if (!s.scope.empty()) s.scope += separator;
      s.scope += *it;
    }
    auto here = d;
    for (auto* at : {&here.declaration, &here.signature_end, &here.name.begin, &here.name.end})
      *at -= std::min(*at, base);
    if (d.doc.end != 0) here.doc = {d.doc.begin - base, d.doc.end - base};
    s.signature = signature_of(text, here);
    s.doc = doc_line_of(text, here);
    s.kind = d.kind;
    s.span = d.span;
    s.name_span = d.name;
    s.line = d.line;
    s.column = d.column;
    s.end_line = d.end_line;
    s.exported = d.exported;
    s.declaration_only = d.declaration_only;
    out.push_back(std::move(s));
  };
  if (wanted == nullptr) {
    for (std::uint32_t i = 0; i < stored.size(); ++i) one(i);
  } else {
    for (const auto i : *wanted) {
      if (i < stored.size()) one(i);
    }
  }
}

std::vector<Symbol> SnapshotImpl::symbols_in(std::string_view path) const {
  std::vector<Symbol> out;
  if (const auto it = buffers_.find(path); it != buffers_.end()) {
    const auto& p = *it->second;
    for (std::size_t i = 0; i < p.facts().definitions.size(); ++i) {
      out.push_back(make_symbol(path, *p.text, p.language, p.facts().definitions, i));
    }
    return out;
  }
  if (const auto* f = base_->find(path); f != nullptr && f->segment != kNoRecord)
    stored_symbols(*f, nullptr, out);
  return out;
}

std::vector<Reference> SnapshotImpl::references_in(std::string_view path) const {
  std::vector<Reference> out;
  const auto p = parsed(path);
  if (p == nullptr) return out;
  out.reserve(p->facts().mentions.size());
  for (const auto& m : p->facts().mentions) {
    out.push_back({std::string(path), p->text->substr(m.span.begin, m.span.size()), m.kind, m.span,
                   m.line, m.column});
  }
  return out;
}

std::vector<Symbol> SnapshotImpl::definitions(std::string_view name, std::size_t limit) const {
  std::vector<Symbol> out;
  for (const auto& [path, p] : buffers_) {
    for (std::size_t i = 0; i < p->facts().definitions.size(); ++i) {
      const auto n = p->facts().definitions[i].name;
      if (std::string_view(*p->text).substr(n.begin, n.size()) == name) {
        out.push_back(make_symbol(path, *p->text, p->language, p->facts().definitions, i));
      }
    }
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::size_t s = 0; s < base_->segments.size(); ++s) {
    const auto postings = base_->segments[s]->lookup(name);
    if (!postings) continue;
    pairs.clear();
    Segment::decode_definitions(postings->definitions, pairs);
    for (std::size_t i = 0; i < pairs.size() && out.size() < limit;) {
      const auto record = pairs[i].first;
      std::vector<std::uint32_t> wanted;
      for (; i < pairs.size() && pairs[i].first == record; ++i) wanted.push_back(pairs[i].second);
      if (record >= base_->first_file[s].size()) continue;
      for (auto f = base_->first_file[s][record]; f != kNoRecord && out.size() < limit;
           f = base_->files[f].next_same) {
        if (!hidden(base_->files[f].path)) stored_symbols(base_->files[f], &wanted, out);
      }
    }
  }
  body_first(out);
  if (out.size() > limit) out.resize(limit);
  return out;
}

std::vector<Reference> SnapshotImpl::references(std::string_view name, std::size_t limit) const {
  std::vector<Reference> out;
  const auto collect = [&](const std::string& path, std::string_view text, Language language,
                           const std::vector<std::uint32_t>& own) {
    find_mentions(text, language, name,
                  [&](ByteSpan span, std::uint32_t line, std::uint32_t column, ReferenceKind kind) {
                    if (std::find(own.begin(), own.end(), span.begin) == own.end())
                      out.push_back({path, std::string(name), kind, span, line, column});
                    return out.size() < limit;
                  });
  };
  for (const auto& [path, p] : buffers_) {
    std::vector<std::uint32_t> own;  // where the name is defined here: not a reference
    for (const auto& d : p->facts().definitions) {
      if (std::string_view(*p->text).substr(d.name.begin, d.name.size()) == name)
        own.push_back(d.name.begin);
    }
    if (out.size() < limit) collect(path, *p->text, p->language, own);
  }
  std::vector<std::uint32_t> files;
  std::vector<std::uint32_t> records;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>>
      defined;  // file -> definition indexes
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::size_t s = 0; s < base_->segments.size(); ++s) {
    const auto postings = base_->segments[s]->lookup(name);
    if (!postings) continue;
    records.clear();
    pairs.clear();
    Segment::decode_records(postings->references, records);
    Segment::decode_definitions(postings->definitions, pairs);
    for (const auto r : records) {
      if (r >= base_->first_file[s].size()) continue;
      for (auto f = base_->first_file[s][r]; f != kNoRecord; f = base_->files[f].next_same)
        files.push_back(f);
    }
    for (const auto& [r, index] : pairs) {
      if (r >= base_->first_file[s].size()) continue;
      for (auto f = base_->first_file[s][r]; f != kNoRecord; f = base_->files[f].next_same)
        defined[f].push_back(index);
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto i : files) {
    const auto& f = base_->files[i];
    if (out.size() >= limit) break;
    if (hidden(f.path)) continue;
    auto content = base_->source->text(f);
    if (!content) continue;
    std::vector<std::uint32_t> own;
    if (const auto it = defined.find(i); it != defined.end()) {
      const auto stored = base_->segments[f.segment]->definitions(f.record, it->second);
      for (const auto index : it->second) {
        if (index < stored.size()) own.push_back(stored[index].d.name.begin);
      }
    }
    collect(f.path, *content, f.language, own);
  }
  return out;
}

}  // namespace ambit::indexer
