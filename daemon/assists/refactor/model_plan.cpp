#include "daemon/assists/refactor/model_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/ask.h"
#include "daemon/assists/refactor/edit_grammar.h"
#include "daemon/assists/refactor/site_text.h"
#include "indexer/git/repository.h"
#include "indexer/secrets.h"

namespace ambit::daemon {

using indexer::Snapshot;
using indexer::Symbol;

namespace {

constexpr std::size_t kMaxFiles = 12, kMaxWords = 60;
constexpr std::size_t kWholeFileBytes = std::size_t{32} << 10;
constexpr std::size_t kMaxOffered = std::size_t{120} << 10;
constexpr std::int64_t kMaxNewTokens = 8192;
constexpr std::uint32_t kLinesAround = 8;

// Words of an instruction that could be names or paths.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  const auto keep = [&] {
    while (!word.empty() && (word.back() == '.' || word.back() == '/')) word.pop_back();
    if (word.size() > 2 && out.size() < kMaxWords &&
        std::find(out.begin(), out.end(), word) == out.end()) {
      out.push_back(word);
    }
    word.clear();
  };
  for (const char c : text) {
    if (word_byte(c) || c == '.' || c == '/' || c == '-' || c == ':') {
      word += c;
    } else {
      keep();
    }
  }
  keep();
  return out;
}

// A word like "make" is the name of something in most repositories: only when it looks like a name
// or few things have it does it count.
bool distinctive(std::string_view word, std::size_t definitions) {
  const bool mixed =
      word.find('_') != std::string_view::npos ||
      std::any_of(word.begin() + 1, word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return mixed || (word.size() >= 4 && definitions <= 4);
}

struct Candidate {
  double score = 0;
  std::set<std::uint32_t> lines;  // of what the instruction names
};

// The lines around what is named, whole definitions where they are short.
std::string excerpt_of(const Snapshot& snapshot, const std::string& path, const std::string& text,
                       const std::set<std::uint32_t>& lines) {
  std::vector<std::size_t> starts{0};
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    starts.push_back(at + 1);
  }
  const auto last = static_cast<std::uint32_t>(starts.size() - 1);
  std::set<std::uint32_t> shown;
  const auto symbols = snapshot.symbols_in(path);
  for (const auto line : lines) {
    auto begin = line > kLinesAround ? line - kLinesAround : 0;
    auto end = std::min(last, line + kLinesAround);
    for (const auto& s : symbols) {
      if (s.line <= line && line <= s.end_line && s.end_line - s.line < 120) {
        begin = std::min(begin, s.line);
        end = std::max(end, s.end_line);
      }
    }
    for (auto at = begin; at <= end; ++at) shown.insert(at);
  }
  std::string out;
  std::uint32_t next = 0;
  for (const auto line : shown) {
    if (line != next) out += "[…]\n";
    next = line + 1;
    const auto end = line < last ? starts[line + 1] : text.size();
    out.append(text, starts[line], end - starts[line]);
  }
  if (next <= last) out += "[…]\n";
  return out;
}

bool below(const std::vector<std::string>& paths, const std::string& path) {
  return paths.empty() || std::any_of(paths.begin(), paths.end(), [&](std::string p) {
           while (p.ends_with('/')) p.pop_back();
           return p.empty() || p == "." || path == p || path.starts_with(p + "/");
         });
}

// Lines [begin, end) of the text that equal `quote`, compared by whole lines.
Result<std::size_t> place_of(const std::string& text, const std::string& quote,
                             const std::string& path) {
  std::size_t found = std::string::npos;
  for (auto at = text.find(quote); at != std::string::npos; at = text.find(quote, at + 1)) {
    if (at != 0 && text[at - 1] != '\n') continue;
    if (found != std::string::npos) {
      return make_error(Code::kInvalidArgument, path + " holds the quoted lines more than once");
    }
    found = at;
  }
  if (found == std::string::npos) {
    return make_error(Code::kInvalidArgument, path + " does not hold the quoted lines");
  }
  return found;
}

Result<PlanFile> file_of(const Snapshot& snapshot, const RefactorRequest& request,
                         const ModelEdit& edit, const std::vector<OfferedFile>& offered) {
  AMBIT_CHECK_OK(check_path(edit.path));
  PlanFile out;
  out.path = edit.path;
  if (edit.create) {
    const bool hidden = edit.path.front() == '.' || edit.path.find("/.") != std::string::npos;
    if (hidden || !below(request.paths, edit.path) || snapshot.file(edit.path)) {
      return make_error(Code::kInvalidArgument,
                        edit.path + (hidden ? " is hidden" : " exists or lies outside") +
                            "; a step may not create it");
    }
    out.create = edit.new_text;
    return out;
  }
  if (std::none_of(offered.begin(), offered.end(),
                   [&](const OfferedFile& f) { return f.path == edit.path; })) {
    return make_error(Code::kInvalidArgument, edit.path + " is not among the files of this plan");
  }
  AMBIT_TRY(text, snapshot.text(edit.path));
  out.blob = indexer::hash_blob(text).hex();
  const auto end = line_end_of(text);
  auto old_text = with_line_ends(edit.old_text, end);
  auto new_text = with_line_ends(edit.new_text, end);
  // The last line of a file may have no end.
  if (text.find(old_text) == std::string::npos && old_text.ends_with(end) &&
      text.ends_with(old_text.substr(0, old_text.size() - end.size()))) {
    old_text.resize(old_text.size() - end.size());
    if (new_text.ends_with(end)) new_text.resize(new_text.size() - end.size());
  }
  if (old_text.empty()) {
    return make_error(Code::kInvalidArgument, "an edit of " + edit.path + " quotes no lines");
  }
  AMBIT_TRY(at, place_of(text, old_text, edit.path));
  PlanEdit one;
  one.at = PlanSite{static_cast<std::uint32_t>(std::count(
                        text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) +
                        1,
                    1, "", ""};
  one.old_text = std::move(old_text);
  one.new_text = std::move(new_text);
  out.edits.push_back(std::move(one));
  return out;
}

std::string question_of(const RefactorRequest& request, const std::vector<OfferedFile>& offered) {
  std::string out = "Change this repository: " + printable_line(request.instruction, 10'000) +
                    "\n\nOnly these files may be edited";
  out += "; [\xE2\x80\xA6] stands for lines that are left out:\n";
  for (const auto& f : offered) {
    out += "\nfile: " + f.path + "\n" + f.text + (f.text.ends_with('\n') ? "" : "\n");
  }
  out += "\nChange what the instruction asks for and nothing else. ";
  out += steps_format();
  return out;
}

std::string text_of(const ModelStep& s) {
  std::string out = "step: " + s.title + "\n";
  if (!s.instruction.empty()) out += "index: " + s.instruction + "\n";
  for (const auto& e : s.edits) {
    out += (e.create ? "create: " : "edit: ") + e.path + "\n";
    if (!e.create) out += "@@ old\n" + e.old_text;
    out += "@@ new\n" + e.new_text + "@@ end\n";
  }
  return out;
}

}  // namespace

std::vector<OfferedFile> offered_files(const Snapshot& snapshot, const RefactorRequest& request,
                                       const std::vector<std::string>& open_files,
                                       std::size_t max_bytes) {
  std::map<std::string, Candidate> found;
  if (!request.at_path.empty()) {
    found[request.at_path].score += 10;
    if (const auto text = snapshot.text(request.at_path)) {
      const auto before = std::string_view(*text).substr(0, request.at_offset);
      found[request.at_path].lines.insert(
          static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')));
    }
  }
  for (const auto& word : words_of(request.instruction)) {
    if (snapshot.file(word)) found[word].score += 9;
    const auto name = last_name(word);
    const auto definitions = snapshot.definitions(name, 50);
    if (definitions.empty() || !distinctive(name, definitions.size())) continue;
    for (const auto& d : definitions) {
      found[d.path].score += d.declaration_only ? 3 : 5;
      found[d.path].lines.insert(d.line);
    }
    std::map<std::string, int> uses;
    for (const auto& r : snapshot.references(name, 400)) {
      found[r.path].lines.insert(r.line);
      if (++uses[r.path] <= 3) found[r.path].score += 0.5;
    }
  }
  if (found.empty() && !open_files.empty()) found[open_files.front()].score = 1;
  std::vector<std::pair<double, std::string>> ranked;
  for (const auto& [path, c] : found) {
    if (below(request.paths, path) && may_be_asked_about(snapshot, path)) {
      ranked.emplace_back(-c.score, path);
    }
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<OfferedFile> out;
  std::size_t bytes = 0;
  for (const auto& [score, path] : ranked) {
    if (out.size() >= kMaxFiles) break;
    auto text = snapshot.text(path);
    if (!text || text->find('\0') != std::string::npos) continue;
    OfferedFile file{path, std::move(*text), false};
    if (file.text.size() > kWholeFileBytes) {
      file.excerpt = true;
      file.text = excerpt_of(snapshot, path, file.text, found[path].lines);
    }
    file.text = indexer::redact_secrets(with_line_ends(file.text, "\n"));
    if (bytes + file.text.size() > max_bytes) continue;
    bytes += file.text.size();
    out.push_back(std::move(file));
  }
  return out;
}

Result<std::vector<PlanStep>> checked_step(const Snapshot& snapshot, const RefactorRequest& request,
                                           const ModelStep& step,
                                           const std::vector<OfferedFile>& offered,
                                           std::vector<std::string>& notes, std::stop_token stop) {
  std::vector<PlanStep> out;
  if (!step.instruction.empty()) {
    auto mechanical = request;
    mechanical.instruction = step.instruction;
    mechanical.at_path.clear();
    AMBIT_TRY(plan, plan_by_index(snapshot, mechanical, stop));
    for (auto& s : plan.steps) out.push_back(std::move(s));
    notes.insert(notes.end(), plan.notes.begin(), plan.notes.end());
  }
  if (step.edits.empty()) return out;
  PlanStep made;
  made.title = step.title;
  made.author = PlanAuthor::kModel;
  for (const auto& edit : step.edits) {
    AMBIT_TRY(file, file_of(snapshot, request, edit, offered));
    const auto known = std::find_if(made.files.begin(), made.files.end(),
                                    [&](const PlanFile& f) { return f.path == file.path; });
    if (known == made.files.end()) {
      made.files.push_back(std::move(file));
    } else if (known->create || file.create) {
      return make_error(Code::kInvalidArgument, file.path + " is created twice");
    } else {
      known->edits.push_back(std::move(file.edits[0]));
    }
  }
  out.push_back(std::move(made));
  return out;
}

Result<Plan> plan_by_model(const AssistContext& context, const RefactorRequest& request) {
  AMBIT_CHECK_OK(
      can_judge(context.scheduler->backend()->describe(), "changes that need judgement"));
  const auto& snapshot = *context.snapshot;
  // Four bytes a token, a safe guess for code; half of the window is for the pack and the answer.
  const auto room = room_for_question(context, kMaxNewTokens);
  const auto bytes = std::min(kMaxOffered, static_cast<std::size_t>(room / 2 * 3));
  const auto offered = offered_files(snapshot, request, context.open_files, bytes);
  if (offered.empty()) {
    return make_error(Code::kNotFound,
                      "the index finds no code for these words: name a symbol, a file or --paths");
  }
  Question question;
  question.text = question_of(request, offered);
  question.path = offered.front().path;
  question.max_new_tokens = kMaxNewTokens;
  question.grammar = steps_grammar(offered);
  for (const auto& f : offered) question.draft += f.text;
  AMBIT_TRY(answer, ask_model(context, question));
  const auto read = read_model_steps(answer.text);

  Plan out;
  out.id = new_plan_id();
  out.instruction = request.instruction;
  out.tree = snapshot.tree_name();
  for (const auto& p : read.problems) out.notes.push_back("left out: " + p);
  if (answer.finish == inference::Finish::kLength) {
    out.notes.emplace_back("the model's answer was cut off at its limit");
  }
  const auto reader = reader_of(snapshot);
  std::string why;
  // Whether the plan can still be carried out with this step behind the others.
  const auto add = [&](const ModelStep& step) -> Result<void> {
    AMBIT_TRY(steps, checked_step(snapshot, request, step, offered, out.notes, context.stop));
    const auto before = out.steps.size();
    for (auto& s : steps) out.steps.push_back(std::move(s));
    if (auto changes = plan_changes(out, reader); !changes) {
      out.steps.resize(before);
      return changes.error();
    }
    return {};
  };
  std::size_t done = 0;
  for (const auto& step : read.steps) {
    if (context.stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
    if (context.progress) {
      context.progress(static_cast<int>(50 + 50 * done / read.steps.size()), step.title);
    }
    ++done;
    auto added = add(step);
    if (added) continue;
    if (added.error().code == Code::kCancelled) return added.error();
    auto repair = question;
    repair.text +=
        "\nThis step cannot be carried out: " + printable_line(added.error().message, 500) +
        ".\n\n" + indexer::redact_secrets(text_of(step)) +
        "\nAnswer with this one step again, corrected, in the same format.\n";
    repair.draft += text_of(step);
    if (const auto again = ask_model(context, repair)) {
      const auto corrected = read_model_steps(again->text);
      if (corrected.steps.size() == 1) {
        auto second = add(corrected.steps[0]);
        if (second) continue;
        added = std::move(second);
      }
    } else if (again.error().code == Code::kCancelled) {
      return again.error();
    }
    PlanStep dropped;
    dropped.title = step.title;
    dropped.author = PlanAuthor::kModel;
    dropped.dropped = true;
    dropped.reason = printable_line(added.error().message, 300);
    why = dropped.reason;
    out.steps.push_back(std::move(dropped));
  }
  if (std::all_of(out.steps.begin(), out.steps.end(),
                  [](const PlanStep& s) { return s.dropped; })) {
    if (why.empty() && !read.problems.empty()) why = read.problems.front();
    return make_error(Code::kInvalidArgument,
                      "nothing that the model proposed can be carried out: " + why);
  }
  return out;
}

}  // namespace ambit::daemon
