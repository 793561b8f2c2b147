#include "daemon/assists/review/model_findings.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "daemon/assists/ask.h"
#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/findings_grammar.h"
#include "indexer/secrets.h"

namespace ambit::daemon::review {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxMessageBytes = 300, kMaxWhyBytes = 1200, kMaxListed = 1000;
constexpr std::size_t kMaxDiffBytes = std::size_t{400} << 10;
constexpr std::int64_t kMaxLines = 20;  // of one finding

// One printable line of at most `most` bytes, cut between characters.
std::string one_line(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    out.push_back(u < 0x20 || u == 0x7F ? ' ' : c);
  }
  out = normalise_code(out);
  if (out.size() > most) {
    while (most > 0 && (static_cast<unsigned char>(out[most]) & 0xC0U) == 0x80U) --most;
    out.resize(most);
  }
  return out;
}

std::string text_member(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::int64_t number_member(const json& object, const char* key, std::int64_t fallback) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<std::int64_t>() : fallback;
}

bool overlap(const Finding& a, const Finding& b) {
  return a.path == b.path && a.range.line <= b.range.end_line && b.range.line <= a.range.end_line;
}

std::optional<Finding> read_one(const json& item, const ChangeSet& change,
                                const ModelLimits& limits) {
  if (!item.is_object()) return std::nullopt;
  const auto* file = change.find(text_member(item, "path"));
  if (file == nullptr || !file->after) return std::nullopt;
  const auto starts = line_starts(file->after->text);
  const auto count = static_cast<std::int64_t>(starts.size());
  const auto line = number_member(item, "line", 0);
  const auto end_line = number_member(item, "end_line", line);
  if (line < 1 || line > count || end_line < line || end_line > count ||
      end_line - line >= kMaxLines) {
    return std::nullopt;
  }
  const auto first = static_cast<std::uint32_t>(line - 1);
  const auto last = static_cast<std::uint32_t>(end_line - 1);
  const auto changed = file->changed();
  if (std::none_of(changed.begin(), changed.end(),
                   [&](const Lines& l) { return l.begin <= last && first < l.end; })) {
    return std::nullopt;
  }
  std::string code;
  for (auto at = first; at <= last; ++at) {
    code += line_text(file->after->text, starts, at);
    code.push_back('\n');
  }
  const auto quote = normalise_code(text_member(item, "quote"));
  if (quote.size() < 2 ||
      normalise_code(indexer::redact_secrets(code)).find(quote) == std::string::npos) {
    return std::nullopt;
  }
  const auto sure = item.find("confidence");
  if (sure == item.end() || !sure->is_number()) return std::nullopt;
  const auto confidence = sure->get<double>();
  if (!std::isfinite(confidence) || confidence < limits.confidence_floor || confidence > 1) {
    return std::nullopt;
  }
  Finding f;
  f.rule = "model";
  f.origin = Origin::kModel;
  f.severity = Severity::kWarning;
  f.path = file->path;
  f.range = whole_line(file->after->text, starts, first);
  if (last > first) {
    f.range.end_line = last;
    f.range.end_column = whole_line(file->after->text, starts, last).end_column;
  }
  f.message = one_line(indexer::redact_secrets(text_member(item, "message")), kMaxMessageBytes);
  f.explanation = one_line(indexer::redact_secrets(text_member(item, "why")), kMaxWhyBytes);
  if (f.message.empty()) return std::nullopt;
  f.confidence = confidence;
  complete_finding(f, file, file->after->text);
  return f;
}

std::size_t most_findings(const ChangeSet& change, const ModelLimits& limits) {
  return std::max<std::size_t>(1, change.added * limits.per_100_lines / 100);
}

bool may_be_sent(const ChangedFile& file, const indexer::Snapshot& worktree) {
  if (!file.skipped.empty() || indexer::is_secret_path(file.path) ||
      !indexer::is_packable(file.file_class)) {
    return false;
  }
  const auto info = worktree.file(file.path);
  return !info || info->skipped.empty();
}

}  // namespace

ModelAnswer read_model_findings(std::string_view answer, const ChangeSet& change,
                                const std::vector<Finding>& facts, const ModelLimits& limits) {
  ModelAnswer out;
  const auto begin = answer.find('{');
  const auto end = answer.rfind('}');
  if (answer.size() > limits.max_answer_bytes || begin == std::string_view::npos ||
      end == std::string_view::npos || end < begin) {
    out.problem = "the model's answer was no list of findings";
    return out;
  }
  const auto document = json::parse(answer.substr(begin, end - begin + 1), nullptr, false);
  const auto list = document.is_object() ? document.find("findings") : document.end();
  if (!document.is_object() || list == document.end() || !list->is_array()) {
    out.problem = "the model's answer was no list of findings";
    return out;
  }
  std::vector<Finding> good;
  for (const auto& item : *list) {
    if (good.size() >= kMaxListed) break;
    auto f = read_one(item, change, limits);
    if (f) {
      good.push_back(std::move(*f));
    }
  }
  std::stable_sort(good.begin(), good.end(),
                   [](const Finding& a, const Finding& b) { return a.confidence > b.confidence; });
  const auto most = most_findings(change, limits);
  const auto said = [&](const std::vector<Finding>& others, const Finding& f) {
    return std::any_of(others.begin(), others.end(),
                       [&](const Finding& o) { return overlap(o, f); });
  };
  for (auto& f : good) {
    if (out.findings.size() >= most) break;
    if (said(facts, f) || said(out.findings, f)) continue;
    out.findings.push_back(std::move(f));
  }
  out.dropped = list->size() - out.findings.size();
  return out;
}

std::string review_question(const ChangeSet& change, const indexer::Snapshot& after,
                            const indexer::Snapshot& worktree) {
  std::string out =
      "Review this change. Report only faults that it introduces and that you are sure of, at "
      "added "
      "lines or at the line beside what it removed: wrong results, crashes, leaks, races, broken "
      "callers. No style, nothing that a "
      "compiler or linter says, nothing about lines that did not change. Most changes have no "
      "fault: then the list is empty.\n"
      "Answer with JSON alone: {\"findings\": [{\"path\": …, \"line\": number in the new file, "
      "\"quote\": that line word for word, \"message\": one sentence, \"why\": …, \"confidence\": "
      "0 to 1}]}\n\n";
  std::set<std::string> names;
  for (const auto& f : change.files) {
    if (!may_be_sent(f, worktree)) {
      out += "(" + f.path + " is changed too; its content is kept out)\n";
      continue;
    }
    if (out.size() > kMaxDiffBytes) {
      out += "(" + f.path + " is changed too; the change is too large to show)\n";
      continue;
    }
    out += indexer::to_unified(f.diff);
    if (!f.after) continue;
    for (const auto& d : f.after->facts.definitions) {
      if (names.size() < 40 && f.touches(d.line, d.end_line) &&
          (d.kind == indexer::SymbolKind::kFunction || d.kind == indexer::SymbolKind::kMethod)) {
        names.emplace(f.after->slice(d.name));
      }
    }
  }
  std::string users;
  for (const auto& name : names) {
    std::size_t shown = 0;
    for (const auto& r : after.references(name, 20)) {
      const auto* changed = change.find(r.path);
      if (shown >= 4 || (changed != nullptr && changed->line_added(r.line))) continue;
      const auto info = worktree.file(r.path);
      if (!info || !info->skipped.empty()) continue;
      const auto text = after.text(r.path);
      if (!text) continue;
      const auto line = line_text(*text, line_starts(*text), r.line);
      if (line.size() > 300) continue;
      users += r.path + ":" + std::to_string(r.line + 1) + ": " + std::string(line) + "\n";
      ++shown;
    }
  }
  if (!users.empty()) out += "\nWho uses what it changes:\n" + users;
  return indexer::redact_secrets(out);
}

Result<void> can_review(const inference::BackendInfo& model) {
  return can_judge(model, "findings beyond facts");
}

Result<ModelAnswer> review_by_model(const AssistContext& context, const ChangeSet& change,
                                    const indexer::Snapshot& after,
                                    const std::vector<Finding>& facts, inference::Priority priority,
                                    const ModelLimits& limits) {
  const auto info = context.scheduler->backend()->describe();
  AMBIT_CHECK_OK(can_review(info));
  Question question;
  question.text = review_question(change, after, *context.snapshot);
  if (!change.files.empty()) question.path = change.files.front().path;
  question.task = indexer::Task::kReview;
  question.pack_tokens = limits.pack_tokens;
  question.max_new_tokens = limits.max_new_tokens;
  // Some of them will be dropped: unsure, or said by a fact already.
  question.grammar =
      findings_grammar(change, std::min<std::size_t>(50, 2 * most_findings(change, limits)),
                       [&](const ChangedFile& f) { return may_be_sent(f, *context.snapshot); });
  question.priority = priority;
  AMBIT_TRY(generated, ask_model(context, question));
  return read_model_findings(generated.text, change, facts, limits);
}

}  // namespace ambit::daemon::review
