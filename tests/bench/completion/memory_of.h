#pragma once

#include <memory>

#include "inference/memory/repository_memory.h"
#include "tests/bench/completion/cases.h"

namespace ambit::bench {

// Everything in the repository, each file as the daemon takes it.
[[nodiscard]] inline std::unique_ptr<inference::RepositoryMemory> memory_of(
    const Repository& repository) {
  auto memory = std::make_unique<inference::RepositoryMemory>();
  for (const auto& file : repository.files) memory->replace(file.path, "", file.text);
  memory->commit();
  return memory;
}

}  // namespace ambit::bench
