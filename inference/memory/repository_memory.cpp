#include "inference/memory/repository_memory.h"

#include <algorithm>

namespace ambit::inference {

RepositoryMemory::RepositoryMemory(std::size_t max_lexemes) : max_lexemes_(max_lexemes) {
  auto empty = std::make_shared<MemoryView>();
  empty->table = table_;
  view_ = std::move(empty);
}

std::shared_ptr<const MemoryView> RepositoryMemory::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

std::optional<std::string> RepositoryMemory::stamp_of(const std::string& path) const {
  const auto found = places_.find(path);
  return found == places_.end() ? std::nullopt : std::optional(found->second.stamp);
}

std::vector<std::string> RepositoryMemory::paths() const {
  std::vector<std::string> out;
  for (const auto& [path, place] : places_) out.push_back(path);
  return out;
}

void RepositoryMemory::bury(const Place& place) {
  live_lexemes_ -= place.lexemes;
  if (place.part == kPending) {
    pending_lexemes_ -= place.lexemes;
    pending_[place.file] = {};
    return;
  }
  Part& part = parts_[place.part];
  // Readers may hold the old marks.
  part.dead = std::make_shared<std::vector<bool>>(*part.dead);
  (*part.dead)[place.file] = true;
  part.dead_lexemes += place.lexemes;
}

bool RepositoryMemory::replace(const std::string& path, std::string stamp, std::string_view text) {
  remove(path);
  // Half of the bytes is more lexemes than any code has; stop before the work is done.
  Pending entry;
  entry.path = path;
  Lexer lexer;
  append_run(text, lexer, entry.run, [&](std::string_view word) { return table_->intern(word); });
  if (live_lexemes_ + entry.run.size() > max_lexemes_) {
    full_ = true;
    return false;
  }
  entry.run.shrink_to_fit();
  live_lexemes_ += entry.run.size();
  pending_lexemes_ += entry.run.size();
  places_[path] = {std::move(stamp), kPending, pending_.size(), entry.run.size()};
  pending_.push_back(std::move(entry));
  return true;
}

void RepositoryMemory::remove(const std::string& path) {
  const auto found = places_.find(path);
  if (found == places_.end()) return;
  bury(found->second);
  places_.erase(found);
}

void RepositoryMemory::commit() {
  std::vector<MemorySegment::Input> inputs;
  for (const auto& entry : pending_) {
    if (!entry.path.empty()) inputs.push_back({entry.path, entry.run});
  }
  if (!inputs.empty()) {
    Part part;
    part.segment = std::make_shared<const MemorySegment>(inputs, *table_);
    part.dead = std::make_shared<std::vector<bool>>(inputs.size(), false);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Place& place = places_[inputs[i].path];
      place.part = parts_.size();
      place.file = i;
    }
    parts_.push_back(std::move(part));
  }
  pending_ = {};
  pending_lexemes_ = 0;
  tidy();

  auto fresh = std::make_shared<MemoryView>();
  fresh->table = table_;
  fresh->full = full_;
  fresh->files = places_.size();
  fresh->lexemes = live_lexemes_;
  fresh->bytes = table_->bytes();
  for (const auto& part : parts_) {
    fresh->parts.push_back({part.segment, part.dead});
    fresh->bytes += part.segment->bytes();
  }
  std::lock_guard lock(mutex_);
  view_ = std::move(fresh);
}

void RepositoryMemory::tidy() {
  const auto live = [&](std::size_t i) {
    return parts_[i].segment->run().size() - parts_[i].dead_lexemes;
  };
  const auto merge_from = [&](std::size_t first) {
    std::vector<MemorySegment::Input> inputs;
    for (std::size_t i = first; i < parts_.size(); ++i) {
      const auto& files = parts_[i].segment->files();
      for (std::size_t f = 0; f < files.size(); ++f) {
        if ((*parts_[i].dead)[f]) continue;
        inputs.push_back({files[f].path, parts_[i].segment->run().subspan(
                                             files[f].begin, files[f].end - files[f].begin)});
      }
    }
    Part merged;
    merged.segment = std::make_shared<const MemorySegment>(inputs, *table_);
    merged.dead = std::make_shared<std::vector<bool>>(inputs.size(), false);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Place& place = places_[inputs[i].path];
      place.part = first;
      place.file = i;
    }
    parts_.resize(first);
    if (!inputs.empty()) parts_.push_back(std::move(merged));
  };
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].dead_lexemes * 3 > parts_[i].segment->run().size()) return merge_from(i);
  }
  // Sizes fall by half at least from part to part, so that there are few.
  while (parts_.size() > 1 && live(parts_.size() - 2) < 2 * live(parts_.size() - 1)) {
    merge_from(parts_.size() - 2);
  }
}

}  // namespace ambit::inference
