// A repository before and after an instruction, as text: files begin with "//- path".
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/refactor.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::daemon {

using Files = std::map<std::string, std::string>;

inline Files parse(std::string_view text) {
  Files out;
  std::string path;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const auto line = text.substr(at, end - at);
    at = end;
    if (line.starts_with("//- ")) {
      path = line.substr(4, line.size() - 5);
      out[path];
    } else {
      out[path] += line;
    }
  }
  return out;
}

// The files after the instruction, or {"": error}.
inline Files carry_out(const std::string& instruction, const Files& before,
                       std::vector<std::string>* notes = nullptr) {
  const indexer::TempRepo repo(false);
  for (const auto& [path, text] : before) repo.write(path, text);
  const auto index = indexer::RepoIndex::open(repo.path(), {}).value();
  static_cast<void>(index->update().value());
  const auto snapshot = index->snapshot();
  RefactorRequest request;
  request.instruction = instruction;
  const auto plan = plan_by_index(*snapshot, request);
  if (!plan) return {{"", plan.error().message}};
  if (notes != nullptr) *notes = plan->notes;
  // What a person reads is what is carried out.
  const auto read = parse_plan(to_toml(*plan));
  EXPECT_TRUE(read) << read.error().message;
  const auto changes = plan_changes(*read, reader_of(*snapshot));
  if (!changes) return {{"", changes.error().message}};
  auto out = before;
  for (const auto& [path, c] : *changes) {
    if (c.after) {
      out[path] = *c.after;
    } else {
      out.erase(path);
    }
  }
  return out;
}
inline void check(const std::string& instruction, std::string_view before, std::string_view after) {
  const auto got = carry_out(instruction, parse(before));
  const auto want = parse(after);
  for (const auto& [path, text] : want) {
    EXPECT_TRUE(got.contains(path)) << path << " is missing";
    if (got.contains(path)) {
      EXPECT_EQ(got.at(path), text) << path;
    }
  }
  EXPECT_EQ(got.size(), want.size()) << (got.contains("") ? got.at("") : "other files");
}
inline void refused(const std::string& instruction, std::string_view before,
                    const std::string& why) {
  const auto got = carry_out(instruction, parse(before));
  ASSERT_TRUE(got.contains("")) << "it was carried out: " << instruction << "\n" << before;
  EXPECT_NE(got.at("").find(why), std::string::npos) << got.at("") << "\n" << before;
}

}  // namespace ambit::daemon
