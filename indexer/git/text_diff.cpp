#include "indexer/git/text_diff.h"

#include "indexer/git/raw.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{512} << 20;

using Patch = raw::Holder<git_patch, git_patch_free>;

Result<void> compare(const std::string& path, std::optional<std::string_view> old_text,
                     std::optional<std::string_view> new_text, std::uint32_t context, bool minimal,
                     Patch& out) {
  raw::init();
  if (old_text.value_or("").size() > kMaxBytes || new_text.value_or("").size() > kMaxBytes) {
    return make_error(Code::kResourceExhausted, path + " is too large to compare");
  }
  git_diff_options options;
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_FORCE_TEXT | (minimal ? GIT_DIFF_MINIMAL : 0);
  options.context_lines = context;
  options.interhunk_lines = 0;
  // An empty file is a buffer of no bytes, a missing one is no buffer at all.
  const auto data = [](std::optional<std::string_view> t) -> const char* {
    if (!t) return nullptr;
    return t->data() == nullptr ? "" : t->data();
  };
  if (git_patch_from_buffers(&out.p, data(old_text), old_text.value_or("").size(), path.c_str(),
                             data(new_text), new_text.value_or("").size(), path.c_str(),
                             &options) != 0) {
    return raw::last_error(Code::kInternal, "cannot compare " + path);
  }
  return {};
}

}  // namespace

Result<std::vector<LineHunk>> diff_lines(std::string_view old_text, std::string_view new_text,
                                         bool minimal) {
  Patch patch;
  AMBIT_CHECK_OK(compare("text", old_text, new_text, 0, minimal, patch));
  std::vector<LineHunk> out;
  if (patch.p == nullptr) return out;
  const auto n = git_patch_num_hunks(patch.p);
  out.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    const git_diff_hunk* h = nullptr;
    if (git_patch_get_hunk(&h, nullptr, patch.p, i) != 0) {
      return raw::last_error(Code::kInternal, "cannot read a difference");
    }
    // A side without lines names the line before it.
    const auto begin = [](int start, int count) {
      return static_cast<std::uint32_t>(count == 0 ? start : start - 1);
    };
    out.push_back({begin(h->old_start, h->old_lines), static_cast<std::uint32_t>(h->old_lines),
                   begin(h->new_start, h->new_lines), static_cast<std::uint32_t>(h->new_lines)});
  }
  return out;
}

Result<std::string> unified_diff(const std::string& path, std::optional<std::string_view> old_text,
                                 std::optional<std::string_view> new_text,
                                 std::uint32_t context_lines) {
  Patch patch;
  AMBIT_CHECK_OK(compare(path, old_text, new_text, context_lines, false, patch));
  if (patch.p == nullptr) return std::string();
  git_buf buffer = GIT_BUF_INIT;
  if (git_patch_to_buf(&buffer, patch.p) != 0) {
    return raw::last_error(Code::kInternal, "cannot print a difference");
  }
  std::string out(buffer.ptr, buffer.size);
  git_buf_dispose(&buffer);
  return out;
}

}  // namespace ambit::indexer
