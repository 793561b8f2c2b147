#include <algorithm>
#include <cstdio>

#include "daemon/assists/refactor/journal_guard.h"
#include "daemon/cli/refactor_verbs.h"
#include "daemon/paths.h"
#include "daemon/support/words.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

using nlohmann::json;

Result<RefactorHome> open_refactor_home() {
  AMBIT_TRY(repository, indexer::Repository::open(std::filesystem::current_path()));
  if (repository.is_bare()) {
    return make_error(Code::kUnsupported, "a bare repository has no files to change");
  }
  AMBIT_TRY(journal, Journal::open(repository.root(), state_directory()));
  AMBIT_TRY(store, PlanStore::open(repository.root(), state_directory()));
  journal.guard_with(executable());
  AMBIT_TRY(said, journal.recover());
  for (const auto& line : said) std::fprintf(stderr, "ambit: %s\n", line.c_str());
  return RefactorHome{repository.root(), std::move(journal), std::move(store)};
}

FileReader disk_reader(const Journal& journal) {
  return [&journal](const std::string& path) -> Result<std::optional<std::string>> {
    AMBIT_TRY(state, journal.tree().look(path));
    if (state.kind == FileState::kMissing) return std::optional<std::string>();
    AMBIT_TRY(text, journal.tree().read(path));
    return std::optional<std::string>(std::move(text));
  };
}

namespace {

json step_json(const PlanStep& s) {
  const auto n = count(s);
  json files = json::array();
  for (const auto& f : s.files) {
    files.push_back({{"path", f.path},
                     {"places", f.change.size() + f.edits.size()},
                     {"unsure", f.unsure.size()}});
  }
  return {{"title", s.title},        {"by", s.author == PlanAuthor::kModel ? "model" : "index"},
          {"files", n.files},        {"places", n.places},
          {"unsure", n.unsure},      {"in_comments", n.comments},
          {"in_strings", n.strings}, {"dropped", s.dropped},
          {"reason", s.reason},      {"paths", std::move(files)}};
}

}  // namespace

json plan_json(const Plan& p, const PlanStore& store) {
  json steps = json::array();
  for (const auto& s : p.steps) steps.push_back(step_json(s));
  return {{"id", p.id},       {"instruction", p.instruction},         {"tree", p.tree},
          {"notes", p.notes}, {"file", store.file_of(p.id).string()}, {"steps", std::move(steps)}};
}

void print_plan(const Plan& p) {
  for (std::size_t i = 0; i < p.steps.size(); ++i) {
    const auto& s = p.steps[i];
    const auto n = count(s);
    std::printf("%zu. %s%s\n   by the %s: %s in %s\n", i + 1, s.title.c_str(),
                s.dropped ? " (dropped)" : "", s.author == PlanAuthor::kModel ? "model" : "index",
                counted(n.places, "place").c_str(), counted(n.files, "file").c_str());
    if (s.dropped && !s.reason.empty()) std::printf("   dropped: %s\n", s.reason.c_str());
    if (n.unsure > 0) {
      std::printf("   %s may mean it too, left as it is:\n", counted(n.unsure, "place").c_str());
      std::size_t shown = 0;
      for (const auto& f : s.files) {
        for (const auto& u : f.unsure) {
          if (++shown > 10) break;
          std::printf("     %s:%u:%u  %s\n", f.path.c_str(), u.line, u.column, u.note.c_str());
        }
      }
      if (shown > 10) std::printf("     … all are in the plan file\n");
    }
    if (!s.old_name.empty() && n.comments + n.strings > 0) {
      std::printf("   also in comments: %zu%s, in strings: %zu%s\n", n.comments,
                  s.with_comments ? "" : " (--comments changes them)", n.strings,
                  s.with_strings ? "" : " (--strings changes them)");
    }
  }
  for (const auto& n : p.notes) std::printf("note: %s\n", n.c_str());
}

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace ambit::daemon
