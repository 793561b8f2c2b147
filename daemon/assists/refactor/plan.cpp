#include "daemon/assists/refactor/plan.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

#include "indexer/git/repository.h"

namespace ambit::daemon {
namespace {

Error stale(const std::string& path) {
  return make_error(Code::kInvalidArgument,
                    path + " was changed since the plan was made; plan again");
}

// Byte offset of a line and column.
Result<std::uint32_t> offset_of(const std::vector<std::size_t>& lines, std::string_view text,
                                const PlanSite& at, const std::string& path) {
  if (at.line < 1 || at.line > lines.size() || at.column < 1) return stale(path);
  const auto offset = lines[at.line - 1] + at.column - 1;
  const auto end = at.line < lines.size() ? lines[at.line] : text.size() + 1;
  if (offset >= end || offset > text.size()) return stale(path);
  return static_cast<std::uint32_t>(offset);
}

std::vector<std::size_t> line_starts(std::string_view text) {
  std::vector<std::size_t> out{0};
  for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    out.push_back(at + 1);
  }
  return out;
}

Result<void> add_edits(const PlanStep& step, std::uint32_t number, const PlanFile& f,
                       std::string_view text, std::vector<TextEdit>& edits) {
  const auto lines = line_starts(text);
  const auto place = [&](const PlanSite& at, std::string_view old_text,
                         std::string new_text) -> Result<void> {
    AMBIT_TRY(begin, offset_of(lines, text, at, f.path));
    if (text.substr(begin, old_text.size()) != old_text) return stale(f.path);
    edits.push_back({{begin, begin + static_cast<std::uint32_t>(old_text.size())},
                     std::move(new_text),
                     number});
    return {};
  };
  const auto names = [&](const std::vector<PlanSite>& sites) -> Result<void> {
    for (const auto& s : sites) {
      auto words = step.new_name;
      if (s.form == "keep-key") words = step.old_name + ": " + step.new_name;
      if (s.form == "keep-value") words = step.new_name + ": " + step.old_name;
      AMBIT_CHECK_OK(place(s, step.old_name, std::move(words)));
    }
    return {};
  };
  if (!step.old_name.empty()) {
    AMBIT_CHECK_OK(names(f.change));
    if (step.with_comments) AMBIT_CHECK_OK(names(f.comments));
    if (step.with_strings) AMBIT_CHECK_OK(names(f.strings));
  }
  const auto end = line_end_of(text);
  for (const auto& e : f.edits) {
    // A plan is written with '\n'; the file keeps its own line ends.
    auto old_text = e.old_text;
    if (end == "\r\n" && text.find(old_text) == std::string_view::npos) {
      old_text = with_line_ends(old_text, end);
    }
    auto new_text = end == "\r\n" ? with_line_ends(e.new_text, end) : e.new_text;
    if (e.at) {
      AMBIT_CHECK_OK(place(*e.at, old_text, std::move(new_text)));
      continue;
    }
    const auto at = old_text.empty() ? std::string_view::npos : text.find(old_text);
    if (at == std::string_view::npos) {
      return make_error(Code::kInvalidArgument,
                        f.path + " does not hold the text that a step wants to replace");
    }
    if (text.find(old_text, at + 1) != std::string_view::npos) {
      return make_error(Code::kInvalidArgument,
                        f.path + " holds the text that a step wants to replace more than once");
    }
    edits.push_back(
        {{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + old_text.size())},
         std::move(new_text),
         number});
  }
  return {};
}

}  // namespace

std::string new_plan_id() {
  std::random_device random;
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "p%07x", random() & 0xFFFFFFFU);
  return text.data();
}

Result<ChangeSet> plan_changes(const Plan& plan, const FileReader& read,
                               const std::set<std::size_t>& skip) {
  struct Work {
    std::optional<std::string> before;
    std::vector<TextEdit> edits;
    std::optional<std::string> create;
    bool remove = false;
    std::string like;                   // what a created file was before
    std::optional<std::string> source;  // its text
  };
  std::map<std::string, Work> work;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const auto& step = plan.steps[i];
    if (step.dropped || skip.contains(i)) continue;
    for (const auto& f : step.files) {
      AMBIT_CHECK_OK(check_path(f.path));
      const auto known = work.find(f.path);
      if (known == work.end()) {
        AMBIT_TRY(now, read(f.path));
        work[f.path].before = std::move(now);
      }
      auto& w = work[f.path];
      if (!f.from.empty()) {
        if (w.before || w.create) {
          return make_error(Code::kInvalidArgument,
                            f.path + " exists already; a step wants to move " + f.from + " there");
        }
        AMBIT_CHECK_OK(check_path(f.from));
        AMBIT_TRY(source, read(f.from));
        if (!source || (!f.blob.empty() && indexer::hash_blob(*source).hex() != f.blob)) {
          return stale(f.from);
        }
        std::vector<TextEdit> edits;
        AMBIT_CHECK_OK(add_edits(step, static_cast<std::uint32_t>(i), f, *source, edits));
        AMBIT_TRY(text, apply_edits(*source, edits));
        w.create = std::move(text);
        w.like = f.from;
        w.source = std::move(source);
        continue;
      }
      if (f.create) {
        if (w.before || w.create) {
          return make_error(Code::kInvalidArgument,
                            f.path + " exists already; a step wants to create it");
        }
        w.create = f.create;
        continue;
      }
      if (!w.before) {
        return make_error(Code::kInvalidArgument, "there is no file " + f.path + "; plan again");
      }
      if (!f.blob.empty() && indexer::hash_blob(*w.before).hex() != f.blob) return stale(f.path);
      if (f.remove) w.remove = true;
      AMBIT_CHECK_OK(add_edits(step, static_cast<std::uint32_t>(i), f, *w.before, w.edits));
    }
  }
  ChangeSet out;
  for (auto& [path, w] : work) {
    FileChange change;
    change.path = path;
    change.before = std::move(w.before);
    if (w.create) {
      change.after = std::move(w.create);
      change.like = std::move(w.like);
    } else if (!w.remove) {
      auto after = apply_edits(*change.before, w.edits);
      if (!after) return make_error(after.error().code, path + ": " + after.error().message);
      change.after = std::move(*after);
    }
    if (change.before == change.after) continue;
    if (w.source) {
      AMBIT_CHECK_OK(check_syntax({path, std::move(w.source), change.after}));
    } else {
      AMBIT_CHECK_OK(check_syntax(change));
    }
    out.emplace(path, std::move(change));
  }
  return out;
}

PlanStep rename_step(const Rename& r, bool comments, bool strings) {
  PlanStep out;
  out.title = "rename " + r.symbol + " to " + r.new_name;
  out.old_name = r.old_name;
  out.new_name = r.new_name;
  out.with_comments = comments;
  out.with_strings = strings;
  for (const auto& f : r.files) {
    PlanFile file;
    file.path = f.path;
    file.blob = f.blob.hex();
    for (const auto& s : f.sites) {
      PlanSite site{s.line + 1, s.column + 1, "", ""};
      if (!s.before.empty()) site.form = "keep-key";
      if (!s.after.empty()) site.form = "keep-value";
      if (s.place == Place::kComment) {
        file.comments.push_back(site);
      } else if (s.place == Place::kString) {
        file.strings.push_back(site);
      } else if (s.confidence >= kSureConfidence) {
        file.change.push_back(site);
      } else {
        std::array<char, 16> number{};
        std::snprintf(number.data(), number.size(), "%.2f", static_cast<double>(s.confidence));
        site.note = std::string(number.data()) + " " + std::string(s.why);
        file.unsure.push_back(site);
      }
    }
    out.files.push_back(std::move(file));
  }
  return out;
}

PlanCount count(const PlanStep& step) {
  PlanCount out;
  for (const auto& f : step.files) {
    auto n = f.change.size() + f.edits.size() + (f.create ? 1 : 0) + (f.remove ? 1 : 0) +
             (f.from.empty() ? 0 : 1);
    if (step.with_comments) n += f.comments.size();
    if (step.with_strings) n += f.strings.size();
    out.places += n;
    out.files += n > 0 ? 1 : 0;
    out.unsure += f.unsure.size();
    out.comments += f.comments.size();
    out.strings += f.strings.size();
  }
  return out;
}

}  // namespace ambit::daemon
