// Opens an index in a test; the test fails when it cannot.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "indexer/index.h"

namespace ambit::indexer {

inline std::unique_ptr<RepoIndex> index_of(const std::filesystem::path& root,
                                           const std::filesystem::path& cache = {}) {
  IndexOptions o;
  o.cache_directory = cache;
  auto r = RepoIndex::open(root, o);
  EXPECT_TRUE(r) << (r ? "" : r.error().message);
  return std::move(*r);
}

}  // namespace ambit::indexer
