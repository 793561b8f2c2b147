// `ambit refactor plan`, `show` and `preview`: what would be done, and what was.
#include <algorithm>
#include <cstdio>

#include "daemon/assists/ask.h"
#include "daemon/assists/refactor/refactor.h"
#include "daemon/cli/daemon_client.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/refactor_verbs.h"
#include "daemon/config.h"
#include "daemon/session/documents.h"
#include "daemon/support/file.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

// What the daemon's model proposes. Small models are not asked at all.
Result<Plan> plan_of_daemon(const std::filesystem::path& root, const Config& config,
                            const RefactorRequest& request, const std::string& model) {
  AMBIT_TRY(info, model_before_loading(config));
  AMBIT_CHECK_OK(can_judge(info, "changes that need judgement"));
  AMBIT_TRY(fd, connect_or_start(model));
  const json params{{"root", root.string()},          {"instruction", request.instruction},
                    {"paths", request.paths},         {"at_path", request.at_path},
                    {"at_offset", request.at_offset}, {"comments", request.comments},
                    {"strings", request.strings}};
  AMBIT_TRY(answer, ask_daemon(fd.get(), "ambit/plan", params));
  const auto text = answer.is_object() ? answer.value("plan", std::string()) : std::string();
  return parse_plan(text);
}

}  // namespace

int refactor_plan_verb(const Arguments& arguments) {
  Options options(
      "refactor plan", "\"INSTRUCTION\" [--paths P,…] [--at FILE:LINE:COL] [--json]",
      "Plans a change over the repository. `rename A to B`, `add parameter \"DECL\" to F "
      "with VALUE`\nand `remove parameter P from F` are done by the index, exactly; "
      "anything else asks the model.");
  auto& instruction = options.positional("INSTRUCTION", Options::kRequired);
  auto& paths = options.text("--paths", "", "P,…", "only below these files and folders");
  auto& at = options.text("--at", "", "FILE:LINE:COL", "where the symbol stands");
  auto& comments = options.flag("--comments", "rename in comments too");
  auto& strings = options.flag("--strings", "rename in strings too");
  auto& output = options.text("--output", "", "FILE", "also write the plan here, to be committed");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_refactor_home();
  if (!home) return report(home.error());
  auto config = Config::load();
  if (!config) return report(config.error());
  if (!model.empty()) {
    const auto set = config->set("model", model, "--model");
    if (!set) return report(set.error());
  }
  auto open = open_index(home->root.string(), *config);
  if (!open) return report(open.error());
  const auto snapshot = open->index->snapshot();
  RefactorRequest request;
  request.instruction = instruction;
  request.comments = comments;
  request.strings = strings;
  for (const auto& p : split_commas(paths)) {
    auto inside = path_in(home->root, std::filesystem::absolute(p));
    if (!inside) return report(inside.error());
    request.paths.push_back(*inside);
  }
  if (!at.empty()) {
    const auto where = parse_position(at);
    if (!where) return report(where.error());
    auto inside = path_in(home->root, where->file);
    if (!inside) return report(inside.error());
    const auto text = snapshot->text(*inside);
    if (!text) return report(text.error());
    request.at_path = *inside;
    request.at_offset = static_cast<std::uint32_t>(
        offset_at(*text, {where->line - 1, where->column - 1}, PositionEncoding::kUtf8));
  }
  auto plan = plan_by_index(*snapshot, request);
  if (!plan && plan.error().code == Code::kUnsupported) {
    auto made = plan_of_daemon(home->root, *config, request, model);
    if (!made && made.error().code == Code::kUnsupported) {
      return report(make_error(Code::kUnavailable,
                               plan.error().message + plain_forms() + made.error().message));
    }
    plan = std::move(made);
  }
  if (!plan) return report(plan.error());
  // Whatever cannot be carried out is said now, not later.
  const auto changes = plan_changes(*plan, reader_of(*snapshot));
  if (!changes) return report(changes.error());
  const auto file = home->store.save(*plan);
  if (!file) return report(file.error());
  if (!output.empty()) {
    const auto written = file_system().replace(output, to_toml(*plan), 0644);
    if (!written) return report(written.error());
  }
  if (as_json) {
    print_json(plan_json(*plan, home->store));
  } else {
    print_plan(*plan);
    std::printf("plan %s (%s)\nnext: ambit refactor preview, ambit refactor apply\n",
                plan->id.c_str(), file->c_str());
  }
  return kExitDone;
}

namespace {

// The first lines of a hunk, so that a person knows it again.
void print_lines(char mark, std::string_view text) {
  constexpr std::size_t kLines = 3, kBytes = 100;
  for (std::size_t n = 0, at = 0; at < text.size(); ++n) {
    if (n == kLines) {
      std::printf("      %c…\n", mark);
      return;
    }
    const auto end = std::min(text.find('\n', at), text.size());
    std::string line(text.substr(at, std::min(end - at, kBytes)));
    for (auto& c : line) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';  // no codes to the terminal
    }
    std::printf("      %c%s\n", mark, line.c_str());
    at = end + 1;
  }
}

}  // namespace

int refactor_show_verb(const Arguments& arguments) {
  Options options("refactor show", "[PLAN|CHANGE] [--json]",
                  "A plan (an id or a file; the newest without one), or the numbered hunks of a "
                  "change that was applied.");
  auto& name = options.positional("PLAN", Options::kOptional);
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_refactor_home();
  if (!home) return report(home.error());
  const auto plan = home->store.load(name);
  if (plan) {
    if (as_json) {
      print_json(plan_json(*plan, home->store));
    } else {
      print_plan(*plan);
    }
    return kExitDone;
  }
  if (name.empty() || plan.error().code != Code::kNotFound) return report(plan.error());
  const auto entry = home->journal.entry(name);
  if (!entry) return report(entry.error());
  const auto hunks = hunks_of(*entry);
  if (!hunks) return report(hunks.error());
  json list = json::array();
  for (std::size_t i = 0; i < hunks->size(); ++i) {
    const auto& h = (*hunks)[i];
    if (as_json) {
      list.push_back({{"hunk", i + 1},
                      {"path", h.path},
                      {"line", h.line + 1},
                      {"removed", h.removed},
                      {"added", h.added}});
    } else {
      std::printf("%4zu  %s:%u\n", i + 1, h.path.c_str(), h.line + 1);
      print_lines('-', h.removed);
      print_lines('+', h.added);
    }
  }
  if (as_json) print_json({{"id", entry->id}, {"title", entry->title}, {"hunks", list}});
  return kExitDone;
}

int refactor_preview_verb(const Arguments& arguments) {
  Options options("refactor preview", "[PLAN] [--json]", "The plan as a unified diff.");
  auto& name = options.positional("PLAN", Options::kOptional);
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto home = open_refactor_home();
  if (!home) return report(home.error());
  const auto plan = home->store.load(name);
  if (!plan) return report(plan.error());
  const auto changes = plan_changes(*plan, disk_reader(home->journal));
  if (!changes) return report(changes.error());
  const auto diff = unified_diff_of(*changes);
  if (!diff) return report(diff.error());
  if (as_json) {
    json files = json::array();
    for (const auto& [path, c] : *changes) files.push_back(path);
    print_json({{"id", plan->id}, {"files", files}, {"diff", *diff}});
  } else {
    std::fwrite(diff->data(), 1, diff->size(), stdout);
  }
  return kExitDone;
}

}  // namespace ambit::daemon
