// Contents of files, and what recent texts hold.
#include "indexer/encoding.h"
#include "indexer/search/snapshot.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kRecentTexts = 64;

Result<std::string> as_utf8(Result<std::string> content) {
  if (content && is_utf16(*content)) return utf8_of_utf16(*content);
  return content;
}

}  // namespace

Result<std::string> TextSource::text(const FileEntry& f) const {
  constexpr std::uint64_t kMax = std::uint64_t{64} << 20;
  if (f.on_disk) {
    auto content = repository_.read(f.path, kMax);
    if (!content && content.error().code == Code::kPermission) return content;
    if (content && content->size() == f.bytes &&
        ((f.settled && file_stamp(repository_.root() / f.path) == f.stamp) ||
         hash_blob(*content) == f.blob)) {
      return as_utf8(std::move(content));
    }
  }
  {
    std::lock_guard lock(git_mutex_);
    if (auto content = repository_.read_blob(f.blob, kMax)) return as_utf8(std::move(content));
  }
  if (f.on_disk) return as_utf8(repository_.read(f.path, kMax));
  return make_error(Code::kNotFound, "the content of " + f.path + " is not on this machine");
}

Result<std::string> TextSource::part(const FileEntry& f, ByteSpan span) const {
  if (!f.on_disk || !f.settled)
    return make_error(Code::kNotFound, f.path + " has to be read whole");
  return repository_.read_part(f.path, f.stamp, span);
}

Parsed ParseCache::last(const std::string& path, Language language) const {
  std::lock_guard lock(mutex_);
  const auto it = recent_.find(path);
  return it != recent_.end() && it->second->language == language ? it->second : nullptr;
}

void ParseCache::keep(const std::string& path, const Parsed& before, const Parsed& now) const {
  if (before == now) return;
  std::lock_guard lock(mutex_);
  const auto it = recent_.find(path);
  // A newer text came meanwhile: that is the one which the next will be like.
  if (it != recent_.end() && before != nullptr && it->second != before &&
      *it->second->text != *now->text) {
    return;
  }
  if (it == recent_.end() && recent_.size() >= kRecentTexts) recent_.erase(recent_.begin());
  recent_[path] = now;
}

Parsed ParseCache::exact(const std::string& path, Language language,
                         const std::shared_ptr<const std::string>& text,
                         std::uint64_t max_bytes) const {
  const auto is_it = [&](const Parsed& p) {
    return p != nullptr && !p->provisional && (p->text == text || *p->text == *text);
  };
  if (auto known = last(path, language); is_it(known)) return known;
  std::lock_guard lock(exact_mutex_);
  auto before = last(path, language);
  if (is_it(before)) return before;
  ExtractLimits limits;
  limits.time = std::chrono::milliseconds(2000);
  limits.max_bytes = max_bytes;
  auto out = follow(exact_, language, detail_, before, text, limits);
  keep(path, before, out);
  return out;
}

Parsed ParseCache::typing(const std::string& path, Language language,
                          const std::shared_ptr<const std::string>& text,
                          std::uint64_t max_bytes) const {
  auto before = last(path, language);
  if (before == nullptr) return exact(path, language, text, max_bytes);
  std::lock_guard lock(typing_mutex_);
  auto out = follow_typing(typing_, detail_, before, text);
  keep(path, before, out);
  return out;
}

}  // namespace ambit::indexer
