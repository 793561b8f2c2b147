// One file: what the store knows of its content, or what is learnt of it now.
#pragma once

#include <cstdint>
#include <stop_token>

#include "indexer/git/repository.h"
#include "indexer/search/snapshot.h"
#include "indexer/store/catalog.h"

namespace ambit::indexer {

// Gives the entry the record of its blob, with the language and class found there; false when the
// store has none that a file of this name may have.
bool attach(const Catalog& catalog, FileEntry& f);

// Reads files and adds what they hold to a builder. For one thread.
class Learner {
 public:
  Learner(const Catalog& catalog, std::uint64_t max_bytes)
      : catalog_(catalog), max_bytes_(max_bytes) {}
  // Sets the entry's blob and size from the bytes that are there now, and its class when they
  // cannot be read. Adds nothing when the store knows them, or after a stop request.
  void learn(const Repository& repo, FileEntry& f, SegmentBuilder& builder,
             const std::stop_token& stop);

 private:
  const Catalog& catalog_;
  std::uint64_t max_bytes_;
  Extractor extractor_;
};

}  // namespace ambit::indexer
