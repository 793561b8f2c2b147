#include "indexer/learn.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "daemon/support/trace.h"
#include "indexer/encoding.h"
#include "indexer/filter.h"

namespace ambit::indexer {
namespace {

constexpr std::uint64_t kReadLimit = std::uint64_t{64} << 20;

// Whether a file of this name may be of this language; of some names only the content says which.
bool may_be(std::string_view path, Language language) {
  const auto name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".h") || name.ends_with(".H")) {
    return family_of(language) == family_of(Language::kC);
  }
  return name.find('.') == std::string_view::npos || name.ends_with(".inc") ||
         language == language_of(path);
}

// The name without what a path rule goes by: its class is decided already.
std::string neutral_name(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? "x" : "x" + std::string(name.substr(dot));
}

// #define lines of a header that holds nothing else: no need to parse them.
Facts lexical_facts(std::string_view text) {
  Facts out;
  std::uint32_t line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto row = text.substr(at, end - at);
    if (row.starts_with("#define ")) {
      auto begin = std::size_t{8};
      while (begin < row.size() && row[begin] == ' ') ++begin;
      auto stop = begin;
      while (stop < row.size() &&
             (std::isalnum(static_cast<unsigned char>(row[stop])) != 0 || row[stop] == '_'))
        ++stop;
      if (stop > begin) {
        Definition d;
        const auto base = static_cast<std::uint32_t>(at);
        d.name = {base + static_cast<std::uint32_t>(begin),
                  base + static_cast<std::uint32_t>(stop)};
        d.declaration = base;
        d.span = {base, static_cast<std::uint32_t>(end)};
        d.signature_end = d.span.end;
        d.line = d.end_line = line;
        d.column = static_cast<std::uint32_t>(begin);
        d.kind = SymbolKind::kMacro;
        out.definitions.push_back(d);
      }
    }
    at = end + 1;
  }
  return out;
}

}  // namespace

bool attach(const Catalog& catalog, FileEntry& f) {
  // The same content under another name may have been read as something else.
  const auto found =
      catalog.find(f.blob, [&](const RecordEntry& r) { return may_be(f.path, r.language); });
  if (!found) return false;
  f.segment = found->first;
  f.record = found->second;
  const auto& r = catalog.segments()[f.segment]->record(f.record);
  f.language = r.language;
  if (f.file_class == FileClass::kSource || r.file_class == FileClass::kLfsPointer)
    f.file_class = r.file_class;
  return true;
}

void Learner::learn(const Repository& repo, FileEntry& f, SegmentBuilder& builder,
                    const std::stop_token& stop) {
  const auto known = f.blob;
  Result<std::string> content = make_error(Code::kNotFound, "");
  if (f.on_disk) content = repo.read(f.path, kReadLimit);
  if (!content && known != BlobId{}) content = repo.read_blob(known, kReadLimit);
  if (!content) {
    f.file_class = content.error().code == Code::kPermission          ? FileClass::kSymlink
                   : content.error().code == Code::kResourceExhausted ? FileClass::kTooLarge
                                                                      : FileClass::kUnreadable;
    return;
  }
  // The bytes decide, not what the index file says: filters and races change them.
  f.blob = hash_blob(*content);
  f.bytes = content->size();
  if (attach(catalog_, f)) return;
  if (is_utf16(*content)) content = utf8_of_utf16(*content);
  SegmentBuilder::Input in;
  in.blob = f.blob;
  in.text = *content;
  in.language = f.language = language_of(f.path, std::string_view(*content).substr(0, 4096));
  in.file_class = classify(neutral_name(f.path), *content, content->size(), max_bytes_);
  in.index_text = is_indexed(in.file_class);
  Facts facts;
  if (in.file_class == FileClass::kRegisters) {
    facts = lexical_facts(*content);
    in.facts = &facts;
  } else if (in.index_text && in.language != Language::kNone && in.file_class != FileClass::kData) {
    ExtractLimits limits;
    limits.stop = stop;
    limits.max_bytes = max_bytes_;
    auto extracted = extractor_.outline(in.language, *content, limits);
    if (extracted) {
      facts = std::move(*extracted);
      in.facts = &facts;
    } else if (extracted.error().code == Code::kCancelled) {
      return;
    } else if (extracted.error().code != Code::kUnsupported) {
      in.gave_up = true;
      log(LogLevel::kWarning, "index", f.path + ": " + extracted.error().message);
    }
  }
  builder.add(in);
}

}  // namespace ambit::indexer
