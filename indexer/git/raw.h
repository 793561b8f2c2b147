// Small helpers around libgit2 handles. For indexer/git only.
#pragma once

#include <git2.h>

#include <cstring>
#include <mutex>
#include <string>

#include "daemon/support/result.h"
#include "indexer/types.h"

namespace ambit::indexer::raw {

template <class T, void (*Free)(T*)>
struct Holder {
  T* p = nullptr;
  Holder() = default;
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    if (p != nullptr) Free(p);
  }
  T* release() {
    auto* out = p;
    p = nullptr;
    return out;
  }
};

// libgit2 lives as long as the process. Blobs are read by id that git itself gave us, so hashing
// them again only costs time (1.6x on reads); another user's repository may be opened, since we
// never run what it configures.
inline void init() {
  static std::once_flag once;
  std::call_once(once, [] {
    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  });
}

inline Error last_error(Code code, const std::string& what) {
  const auto* e = git_error_last();
  std::string message = what;
  if (e != nullptr && e->message != nullptr) message += std::string(": ") + e->message;
  for (auto& c : message) {
    if (c == '\n') c = ' ';
  }
  return make_error(code, std::move(message));
}

inline BlobId blob_id(const git_oid& id) {
  BlobId out;
  std::memcpy(out.bytes.data(), id.id, GIT_OID_RAWSZ);
  return out;
}
inline git_oid oid(const BlobId& id) {
  git_oid out;
  std::memcpy(out.id, id.bytes.data(), GIT_OID_RAWSZ);
  return out;
}
inline std::string hex(const git_oid& id) {
  char text[GIT_OID_HEXSZ + 1];
  git_oid_tostr(text, sizeof text, &id);
  return text;
}

// kNotFound, kResourceExhausted.
inline Result<std::string> read_blob(git_repository* repo, const BlobId& id,
                                     std::uint64_t max_bytes) {
  git_blob* blob = nullptr;
  const auto o = oid(id);
  if (git_blob_lookup(&blob, repo, &o) != 0) {
    return make_error(Code::kNotFound, "the object store has no blob " + id.hex());
  }
  const auto bytes = static_cast<std::uint64_t>(git_blob_rawsize(blob));
  Result<std::string> out = make_error(
      Code::kResourceExhausted, "blob " + id.hex() + " has " + std::to_string(bytes) + " bytes");
  if (bytes <= max_bytes) {
    out = std::string(static_cast<const char*>(git_blob_rawcontent(blob)),
                      static_cast<std::size_t>(bytes));
  }
  git_blob_free(blob);
  return out;
}

}  // namespace ambit::indexer::raw
