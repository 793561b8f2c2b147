// `ambit index VERB`: the index of a repository, asked in this process.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/support/words.h"
#include "indexer/store/maintenance.h"
#include "indexer/syntax/describe.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

Result<OpenIndex> opened(const std::string& repo) {
  AMBIT_TRY(config, Config::load());
  return open_index(repo, config);
}

std::uint64_t peak_rss() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

json report_json(const OpenIndex& open) {
  const auto& r = open.report;
  return {{"root", open.index->root().string()},
          {"files", r.files},
          {"bytes", r.bytes},
          {"languages", r.languages},
          {"definitions", r.definitions},
          {"references", r.references},
          {"skipped", r.skipped},
          {"partial", r.partial},
          {"seconds", r.seconds},
          {"index_bytes", r.index_bytes},
          {"peak_rss_bytes", peak_rss()},
          {"reused_files", r.reused_files}};
}

void print_report(const json& j) {
  const auto number = [&](const char* key) { return j[key].get<std::uint64_t>(); };
  const auto line = [](const char* about, const std::string& what) {
    std::printf("  %-10s %s\n", about, what.c_str());
  };
  std::printf("%s\n", j["root"].get<std::string>().c_str());
  line("files", grouped(number("files")) + ", " + sized(number("bytes")));
  line("found", counted(number("definitions"), "definition") + ", " +
                    counted(number("references"), "reference"));
  line("index", sized(number("index_bytes")));
  line("this look", lasted(j["seconds"].get<double>()) + ", " +
                        counted(number("reused_files"), "file") + " known before, at most " +
                        sized(number("peak_rss_bytes")) + " of memory");
  for (const char* group : {"languages", "skipped"}) {
    std::string counts;
    for (const auto& [name, count] : j[group].items()) {
      counts += (counts.empty() ? "" : ", ") + name + " " + grouped(count.get<std::uint64_t>());
    }
    if (!counts.empty()) line(group, counts);
  }
}

int build(const Arguments& arguments) {
  Options options("index build", "[REPO] [--json]", "Bring the index up to date with the disk.");
  auto& repo = options.positional("REPO", Options::kOptional);
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  auto open = opened(repo);
  if (!open) return report(open.error());
  const auto out = report_json(*open);
  as_json ? print_json(out) : print_report(out);
  return kExitDone;
}

int status(const Arguments& arguments) {
  Options options("index status", "[REPO] [--ranges] [--json]",
                  "The tree that the index stands for, the files whose content is left out, and "
                  "those of which the grammar did not understand everything.");
  auto& repo = options.positional("REPO", Options::kOptional);
  auto& ranges = options.flag("--ranges", "which lines were not understood (reads those files)");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  auto open = opened(repo);
  if (!open) return report(open.error());
  auto out = report_json(*open);
  const auto snapshot = open->index->snapshot();
  out["tree"] = snapshot->tree_name();
  out["content"] = snapshot->content_id();
  out["partial_files"] = json::array();
  for (const auto& file : snapshot->files()) {
    if (file.unparsed == 0 && !file.gave_up) continue;
    json one = {{"path", file.path}, {"gave_up", file.gave_up}};
    if (ranges) {
      const auto content = snapshot->text(file.path);
      one["lines"] = json::array();
      for (const auto& r : snapshot->unparsed_ranges(file.path)) {
        if (!content || r.end > content->size()) break;
        const auto line = [&](std::uint32_t at) {
          return 1 + std::count(content->begin(), content->begin() + at, '\n');
        };
        one["lines"].push_back({line(r.begin), line(r.end - 1)});
      }
    } else {
      one["ranges"] = file.unparsed;
    }
    out["partial_files"].push_back(std::move(one));
  }
  out["skipped_files"] = json::array();
  for (const auto& file : snapshot->files()) {
    if (file.skipped.empty()) continue;
    out["skipped_files"].push_back({{"path", file.path}, {"reason", file.skipped}});
  }
  if (as_json) {
    print_json(out);
    return kExitDone;
  }
  print_report(out);
  std::printf("  tree       %s\n  content    %s\n", snapshot->tree_name().c_str(),
              snapshot->content_id().c_str());
  for (const auto& file : out["partial_files"]) {
    std::printf("    partial        %s%s%s\n", file["path"].get<std::string>().c_str(),
                ranges ? " lines " : "",
                ranges ? file["lines"].dump().c_str()
                       : (file["gave_up"].get<bool>() ? " (parsing took too long)" : ""));
  }
  for (const auto& file : snapshot->files()) {
    if (file.skipped.empty()) continue;
    std::printf("    %-14.*s %s\n", static_cast<int>(file.skipped.size()), file.skipped.data(),
                file.path.c_str());
  }
  return kExitDone;
}

std::string& format_option(Options& options) {
  return options.choice("--format", "text", {"text", "jsonl"}, "jsonl: one JSON object a line");
}

int symbols(const Arguments& arguments) {
  Options options("index symbols", "[REPO] [--file F] [--format jsonl]", "The definitions.");
  auto& repo = options.positional("REPO", Options::kOptional);
  auto& only = options.text("--file", "", "F", "of this file only (relative to the repository)");
  auto& format = format_option(options);
  if (auto done = options.parse(arguments)) return *done;
  auto open = opened(repo);
  if (!open) return report(open.error());
  const auto snapshot = open->index->snapshot();
  std::vector<std::string> paths;
  if (only.empty()) {
    for (auto& file : snapshot->files()) paths.push_back(std::move(file.path));
  } else {
    auto path = only;
    if (!snapshot->file(path)) {  // perhaps named from the current folder
      if (auto inside = path_in(open->index->root(), only)) path = *inside;
    }
    if (!snapshot->file(path)) {
      return report(make_error(Code::kNotFound, "the index has no file " + only));
    }
    paths.push_back(path);
  }
  for (const auto& path : paths) {
    for (const auto& s : snapshot->symbols_in(path)) {
      if (format == "jsonl") {
        print_json({{"path", s.path},
                    {"line", s.line + 1},
                    {"col", s.column + 1},
                    {"end_line", s.end_line + 1},
                    {"name", s.name},
                    {"kind", to_string(s.kind)},
                    {"scope", s.scope},
                    {"signature", s.signature}},
                   false);
      } else {
        std::printf("%s:%u:%u: %s\n", s.path.c_str(), s.line + 1, s.column + 1,
                    s.signature.c_str());
      }
    }
  }
  return kExitDone;
}

int refs(const Arguments& arguments) {
  Options options("index refs", "NAME [REPO] [--declarations] [--format jsonl]",
                  "The uses of a name.");
  auto& name = options.positional("NAME", Options::kRequired);
  auto& repo = options.positional("REPO", Options::kOptional);
  auto& limit = options.integer("--limit", 100000, 1, 10000000, "the most to print");
  auto& declarations =
      options.flag("--declarations", "before them the places that define or declare it");
  auto& format = format_option(options);
  if (auto done = options.parse(arguments)) return *done;
  auto open = opened(repo);
  if (!open) return report(open.error());
  const auto snapshot = open->index->snapshot();
  const auto most = static_cast<std::size_t>(limit);
  const auto print = [&](const auto& at, std::string_view kind, const json& means) {
    if (format == "jsonl") {
      print_json({{"path", at.path},
                  {"line", at.line + 1},
                  {"col", at.column + 1},
                  {"name", at.name},
                  {"kind", kind},
                  {"definition", means}},
                 false);
    } else {
      std::printf("%s:%u:%u: %.*s\n", at.path.c_str(), at.line + 1, at.column + 1,
                  static_cast<int>(kind.size()), kind.data());
    }
  };
  const auto place = [](const indexer::Symbol& s) {
    return json{{"path", s.path}, {"line", s.line + 1}};
  };
  if (declarations) {
    for (const auto& d : snapshot->definitions(name, most))
      print(d, d.declaration_only ? "declaration" : "definition", place(d));
  }
  for (const auto& r : snapshot->references(name, most)) {
    json means;
    if (format == "jsonl") {
      if (const auto found = snapshot->resolve(r.path, r.span.begin); !found.empty())
        means = place(found.front().symbol);
    }
    print(r, to_string(r.kind), means);
  }
  return kExitDone;
}

// One question: a position, and what the name there means.
json answer(const indexer::Snapshot& snapshot, const std::filesystem::path& root,
            const FilePosition& at) {
  json out = {{"definitions", json::array()}};
  const auto path = path_in(root, at.file);
  if (!path) {
    out["error"] = path.error().message;
    return out;
  }
  out["path"] = *path;
  out["line"] = at.line;
  out["col"] = at.column;
  const auto content = snapshot.text(*path);
  if (!content) {
    out["error"] = content.error().message;
    return out;
  }
  std::size_t begin = 0;
  for (std::uint32_t line = 1; line < at.line && begin != std::string::npos; ++line) {
    begin = content->find('\n', begin);
    if (begin != std::string::npos) ++begin;
  }
  if (begin == std::string::npos || begin + at.column - 1 > content->size()) {
    out["error"] = *path + " has no such position";
    return out;
  }
  for (const auto& d : snapshot.resolve(*path, static_cast<std::uint32_t>(begin + at.column - 1))) {
    out["definitions"].push_back({{"path", d.symbol.path},
                                  {"line", d.symbol.line + 1},
                                  {"col", d.symbol.column + 1},
                                  {"name", d.symbol.name},
                                  {"kind", to_string(d.symbol.kind)},
                                  {"scope", d.symbol.scope},
                                  {"signature", d.symbol.signature},
                                  {"confidence", d.confidence}});
  }
  return out;
}

int definition(const Arguments& arguments) {
  Options options("index definition", "FILE:LINE:COL|--stdin [REPO] [--format jsonl]",
                  "What the name at a position means, best answer first.");
  auto& stdin_flag = options.flag("--stdin", "one FILE:LINE:COL a line on standard input");
  auto& first = options.positional("POSITION", Options::kOptional);
  auto& second = options.positional("REPO", Options::kOptional);
  auto& format = format_option(options);
  if (auto done = options.parse(arguments)) return *done;
  if (!stdin_flag && first.empty()) {
    return report(make_error(Code::kInvalidArgument, "give FILE:LINE:COL or --stdin"));
  }
  auto open = opened(stdin_flag ? first : second);
  if (!open) return report(open.error());
  const auto snapshot = open->index->snapshot();
  const auto one = [&](const std::string& position) -> Result<void> {
    AMBIT_TRY(at, parse_position(position));
    const auto said = answer(*snapshot, open->index->root(), at);
    if (format == "jsonl") {
      print_json(said, false);
      return {};
    }
    for (const auto& d : said["definitions"]) {
      std::printf("%s:%u:%u: %s\n", d["path"].get<std::string>().c_str(), d["line"].get<unsigned>(),
                  d["col"].get<unsigned>(), d["signature"].get<std::string>().c_str());
    }
    return {};
  };
  if (!stdin_flag) {
    if (auto done = one(first); !done) return report(done.error());
    return kExitDone;
  }
  for (std::string line; std::getline(std::cin, line);) {
    if (auto done = one(line); !done) return report(done.error());
  }
  return kExitDone;
}

int search(const Arguments& arguments) {
  Options options("index search", "TEXT [REPO] [--regex] [--limit N] [--format jsonl]",
                  "Find text, by index.");
  auto& text = options.positional("TEXT", Options::kRequired);
  auto& repo = options.positional("REPO", Options::kOptional);
  auto& regex = options.flag("--regex", "TEXT is a regular expression (PCRE2)");
  auto& limit = options.integer("--limit", 1000, 1, 10000000, "the most to print");
  auto& format = format_option(options);
  if (auto done = options.parse(arguments)) return *done;
  auto open = opened(repo);
  if (!open) return report(open.error());
  const auto matches =
      open->index->snapshot()->search(text, regex, static_cast<std::size_t>(limit));
  if (!matches) return report(matches.error());
  for (const auto& m : *matches) {
    if (format == "jsonl") {
      print_json({{"path", m.path},
                  {"line", m.line + 1},
                  {"col", m.column + 1},
                  {"length", m.length},
                  {"text", m.line_text}},
                 false);
    } else {
      std::printf("%s:%u:%u: %s\n", m.path.c_str(), m.line + 1, m.column + 1, m.line_text.c_str());
    }
  }
  return kExitDone;
}

int languages(const Arguments& arguments) {
  Options options("index languages", "[--json]", "The languages that the index reads.");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  json out = json::array();
  for (const auto& l : indexer::describe_languages()) {
    json kinds = json::array();
    for (const auto kind : l.kinds) kinds.push_back(to_string(kind));
    out.push_back({{"id", l.info->id},
                   {"name", l.info->name},
                   {"grammar", l.info->package},
                   {"version", l.version},
                   {"extensions", l.info->extensions},
                   {"file_names", l.info->file_names},
                   {"definitions", kinds},
                   {"references", l.references}});
    if (!as_json) {
      std::string words;
      for (const auto& kind : kinds) words += " " + kind.get<std::string>();
      std::printf("%-12s %-36s .%s\n            %s%s\n", std::string(l.info->name).c_str(),
                  (std::string(l.info->package) + " " + l.version).c_str(),
                  std::string(l.info->extensions).c_str(), words.c_str(),
                  l.references ? " references" : "");
    }
  }
  if (as_json) print_json(out);
  return kExitDone;
}

json store_json(const indexer::StoreReport& r) {
  return {{"segments", r.segments},
          {"records", r.records},
          {"bytes", r.bytes},
          {"damaged", r.damaged},
          {"removed_records", r.removed_records},
          {"bytes_after", r.bytes_after}};
}

int print_store(const Result<indexer::StoreReport>& done, bool as_json) {
  if (!done) return report(done.error());
  const auto out = store_json(*done);
  if (as_json) {
    print_json(out);
  } else {
    for (const auto& [key, value] : out.items()) {
      std::printf("  %-15s %s\n", key.c_str(), value.dump().c_str());
    }
  }
  return kExitDone;
}

int verify(const Arguments& arguments) {
  Options options("index verify", "[--json]",
                  "Read the whole store and check it. What is damaged is removed; the next use "
                  "learns it again.");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  return print_store(indexer::verify_store(index_directory()), as_json);
}

int collect(const Arguments& arguments) {
  Options options("index gc", "[--max-bytes N] [--keep-days N] [--json]",
                  "Drop from the store what no file of a known repository has any more.");
  auto& max_bytes = options.integer("--max-bytes", 0, 0, std::int64_t{1} << 50,
                                    "drop the oldest until the store is this small; 0: no limit");
  auto& keep_days = options.integer("--keep-days", 14, 0, 36500,
                                    "leave alone what was written in the last N days");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  indexer::GarbageOptions how;
  how.max_bytes = static_cast<std::uint64_t>(max_bytes);
  how.keep_days = static_cast<std::uint32_t>(keep_days);
  return print_store(indexer::collect_store(index_directory(), how), as_json);
}

constexpr std::array kVerbs{
    Command{"build", "bring the index up to date", build},
    Command{"status", "what is indexed, what is left out and why", status},
    Command{"symbols", "definitions", symbols},
    Command{"refs", "uses of a name", refs},
    Command{"definition", "what the name at a position means", definition},
    Command{"search", "text search by index", search},
    Command{"gc", "drop what is no longer needed from the store", collect},
    Command{"verify", "check the store", verify},
    Command{"languages", "which languages are read, and what of them", languages},
};

}  // namespace

int index_command(const Arguments& arguments) {
  return run_subcommand("index", kVerbs, arguments);
}

}  // namespace ambit::daemon
