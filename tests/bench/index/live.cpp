// What living with the index costs, on one repository:
//   index_live REPO [questions|typing|saves|restart|cancel|all]
// REPO has to be a git work tree that may be written to: files are saved and put back. The store
// goes to a temporary folder. Prints one line per figure: what, how many, p50, p95, p99 and the
// longest in milliseconds. A checkout is timed by checkout.sh, which knows git's share of it.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "indexer/filter.h"
#include "indexer/index.h"
#include "indexer/syntax/languages.h"

namespace {

namespace fs = std::filesystem;
using namespace ambit;           // NOLINT: a program of one file
using namespace ambit::indexer;  // NOLINT
using Clock = std::chrono::steady_clock;

double cpu_ms() {  // of this thread
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void print(const std::string& what, std::vector<double> ms) {
  if (ms.empty()) return;
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double q) {
    return ms[std::min(ms.size() - 1,
                       static_cast<std::size_t>(q * static_cast<double>(ms.size())))];
  };
  std::printf("%-44s %6zu %9.3f %9.3f %9.3f %9.3f\n", what.c_str(), ms.size(), at(0.5), at(0.95),
              at(0.99), ms.back());
  std::fflush(stdout);
}

template <class F>
double timed(F&& f) {
  const auto start = Clock::now();
  f();
  return ms_since(start);
}

std::unique_ptr<RepoIndex> open(const fs::path& root, const fs::path& cache) {
  IndexOptions options;
  options.cache_directory = cache;
  options.threads = 2;
  auto index = RepoIndex::open(root, options);
  if (!index) {
    std::fprintf(stderr, "%s\n", index.error().message.c_str());
    std::exit(1);
  }
  return std::move(*index);
}

// Of /proc/self/status, in MB.
long memory_mb(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key + ":")) return std::atol(line.c_str() + key.size() + 1) / 1024;
  }
  return 0;
}

void must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

std::vector<FileInfo> sources(const Snapshot& s) {
  auto files = s.files();
  std::erase_if(files, [](const FileInfo& f) {
    return !f.skipped.empty() || f.language == Language::kNone || f.bytes < 2000;
  });
  return files;
}

void questions(const Snapshot& s, std::mt19937& random) {
  const auto files = sources(s);
  std::vector<std::string> names;
  while (names.size() < 2000) {
    const auto in = s.symbols_in(files[random() % files.size()].path);
    if (!in.empty()) names.push_back(in[random() % in.size()].name);
  }
  std::vector<double> definitions, references, symbols, plain, regex;
  for (const auto& n : names) definitions.push_back(timed([&] { (void)s.definitions(n, 100); }));
  print("definitions of a name (at most 100)", definitions);
  for (std::size_t i = 0; i < 500; ++i)
    references.push_back(timed([&] { (void)s.references(names[i], 100); }));
  print("references of a name (the first 100)", references);
  for (std::size_t i = 0; i < 300; ++i) {
    auto query = names[i].substr(0, 6);
    if (query.size() > 4) query.erase(2, 1);
    symbols.push_back(timed([&] { (void)s.find_symbols(query, 50); }));
  }
  print("symbols, fuzzy (50)", symbols);
  for (std::size_t i = 0; i < 200; ++i)
    plain.push_back(timed([&] { (void)s.search(names[i], false, 100); }));
  print("text (the first 100)", plain);
  for (std::size_t i = 0; i < 200; ++i) {
    const auto& n = names[i];
    regex.push_back(
        timed([&] { (void)s.search(n.substr(0, n.size() / 2) + "\\w+\\s*\\(", true, 100); }));
  }
  print("regex (the first 100)", regex);
}

// What keystrokes cost.
struct Typed {
  std::vector<double> overlay;  // until the snapshot has it, milliseconds
  std::vector<double> cpu;      // the same without the time that other processes took
  std::vector<double> settled;  // behind it, of those that were not exact at once: until they are
  void print(const std::string& what) const {
    ::print(what, overlay);
    ::print("  CPU time of these", cpu);
    if (overlay.empty() || settled.empty()) return;
    const auto exact = overlay.size() - settled.size();
    ::print("  exact at once " + std::to_string(100 * exact / overlay.size()) + " %; the others",
            settled);
  }
};

// `words` typed at `at`, a letter at a time; between them is time to settle.
void type(const Snapshot& s, const std::string& path, std::string text, std::size_t at,
          std::string_view words, Typed& out) {
  (void)s.with_buffers({{path, std::make_shared<const std::string>(text)}});
  for (const char c : words) {
    text.insert(at++, 1, c);
    auto buffer = std::make_shared<const std::string>(text);
    std::shared_ptr<const Snapshot> with;
    const auto cpu = cpu_ms();
    out.overlay.push_back(timed([&] {
      with = s.with_typing({{path, buffer}});
      (void)with->file(path);
    }));
    out.cpu.push_back(cpu_ms() - cpu);
    if (!with->unsettled().empty()) out.settled.push_back(timed([&] { (void)with->settled(); }));
  }
}

// A function as the language writes it, to be typed before another one.
std::string fresh_function(Language language, const std::string& margin) {
  switch (language) {
    case Language::kPython:
      return "def fresh(a):\n" + margin + "    return a";
    case Language::kRust:
      return "fn fresh(a: i32) -> i32 { return a; }";
    case Language::kGo:
      return "func fresh(a int) int { return a }";
    case Language::kTypeScript:
    case Language::kTsx:
    case Language::kJavaScript:
      return margin.empty() ? "function fresh(a) { return a; }" : "fresh(a) { return a; }";
    case Language::kKotlin:
      return "fun fresh(a: Int): Int { return a }";
    default:
      return "static int fresh(int a) { return a; }";
  }
}

// A statement typed into functions and a function typed between them, in the largest files up to
// 300 KB and in others.
void typing(const Snapshot& s, std::mt19937& random) {
  auto files = sources(s);
  std::erase_if(files, [](const FileInfo& f) {
    return f.bytes > 300'000 || f.language == Language::kJson || f.language == Language::kYaml ||
           f.language == Language::kMarkdown || f.language == Language::kHtml;
  });
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  Typed largest, others, between;
  for (std::size_t k = 0; k < 40 && k < files.size(); ++k) {
    const auto& f = k < 20 ? files[k] : files[random() % files.size()];
    const auto text = s.text(f.path);
    if (!text) continue;
    auto symbols = s.symbols_in(f.path);
    std::erase_if(symbols, [&](const Symbol& d) {
      return (d.kind != SymbolKind::kFunction && d.kind != SymbolKind::kMethod) ||
             d.end_line < d.line + 4 || d.span.end > text->size();
    });
    if (symbols.empty()) continue;
    const auto& d = symbols[random() % symbols.size()];
    auto at = text->rfind('\n', d.name_span.end + (d.span.end - d.name_span.end) / 2);
    if (at == std::string::npos) continue;
    // Typed behind a line, as an editor indents what follows.
    const auto begin = at + 1;
    const auto indent = text->substr(begin, text->find_first_not_of(" \t", begin) - begin);
    const bool blocks = text->find('{', d.name_span.end) < d.span.end;
    type(s, f.path, *text, at,
         "\n" + indent + (blocks ? "if (count > 1) { call(count); }" : "call(count, size)"),
         k < 20 ? largest : others);
    if (k >= 20) continue;
    at = text->rfind('\n', d.span.begin);
    if (at == std::string::npos) continue;
    const auto margin = text->substr(at + 1, text->find_first_not_of(" \t", at + 1) - at - 1);
    type(s, f.path, *text, at, "\n" + margin + fresh_function(f.language, margin) + "\n", between);
  }
  const auto up_to = std::to_string(files.empty() ? 0 : files.front().bytes / 1000) + " KB";
  largest.print("keystroke, the 20 largest up to " + up_to);
  between.print("keystroke, between functions of these");
  others.print("keystroke, other files");
}

void saves(RepoIndex& index, std::mt19937& random) {
  const auto files = sources(*index.snapshot());
  std::vector<double> ms;
  for (int i = 0; i < 100; ++i) {
    const auto& f = files[random() % files.size()];
    const auto before = index.snapshot()->text(f.path);
    if (!before) continue;
    const auto path = index.root() / f.path;
    std::ofstream(path, std::ios::binary) << *before << "\nint saved_" << i << ";\n";
    ms.push_back(timed([&] { must(index.update_paths({f.path}).has_value(), "a save"); }));
    std::ofstream(path, std::ios::binary) << *before;
    must(index.update_paths({f.path}).has_value(), "a save");
  }
  print("a save, until it is in the snapshot", ms);
}

// Of /proc/self/io: what this process has given to write() so far.
std::uint64_t bytes_written() {
  std::ifstream in("/proc/self/io");
  for (std::string key; in >> key;) {
    std::uint64_t value = 0;
    in >> value;
    if (key == "wchar:") return value;
  }
  return 0;
}

// What saves cost the disk: ten times 100 files are changed one after the other, each save is taken
// up at once, and then everything is made durable, as a full update does.
void writes(RepoIndex& index, std::mt19937& random) {
  std::map<std::string, std::string> before;
  std::vector<std::string> paths;
  for (const auto& f : sources(*index.snapshot())) paths.push_back(f.path);
  std::uint64_t saved = 0, at_once = 0, later = 0;
  for (int round = 0; round < 10; ++round) {
    std::shuffle(paths.begin(), paths.end(), random);
    const auto start = bytes_written();
    std::uint64_t ours = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(paths.size(), 100); ++i) {
      auto text = index.snapshot()->text(paths[i]);
      if (!text) continue;
      before.try_emplace(paths[i], *text);
      *text += "\nint saved_" + std::to_string(round) + ";\n";
      std::ofstream(index.root() / paths[i], std::ios::binary) << *text;
      ours += text->size();
      must(index.update_paths({paths[i]}).has_value(), "a save");
    }
    const auto then = bytes_written();
    at_once += then - start - ours;
    must(index.update().has_value(), "an update");
    later += bytes_written() - then;
    saved += ours;
  }
  const auto mb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::printf(
      "saves of %.2f MB: the index wrote %.3f MB at once and %.2f MB with ten full updates, "
      "%.2f times what was saved\n",
      mb(saved), mb(at_once), mb(later), mb(at_once + later) / mb(saved));
  for (const auto& [path, text] : before)
    std::ofstream(index.root() / path, std::ios::binary) << text;
  must(index.update().has_value(), "an update");
}

void cancel(const fs::path& root) {
  std::vector<double> ms;
  for (const int after : {5, 20, 60, 150, 300, 600}) {
    auto index = open(root, {});
    std::stop_source stop;
    Clock::time_point asked;
    std::jthread asker([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(after));
      asked = Clock::now();
      stop.request_stop();
    });
    const auto done = index->update(stop.get_token());
    const auto now = Clock::now();
    asker.join();
    if (!done) ms.push_back(std::chrono::duration<double, std::milli>(now - asked).count());
  }
  print("cancel of a cold index, until it returns", ms);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: index_live REPO [questions|typing|saves|restart|cancel|all]\n");
    return 2;
  }
  const fs::path root = argv[1];
  const std::string only = argc > 2 ? argv[2] : "all";
  const auto wanted = [&](const char* name) { return only == "all" || only == name; };
  std::string pattern = (fs::temp_directory_path() / "ambit-live-XXXXXX").string();
  const fs::path cache = mkdtemp(pattern.data());
  std::mt19937 random(1);
  {
    auto index = open(root, cache);
    const auto start = Clock::now();
    double names_ms = 0, symbols_ms = 0;
    std::jthread eye([&](const std::stop_token& stop) {  // when does it answer at all?
      while (!stop.stop_requested() && symbols_ms == 0) {
        const auto s = index->snapshot();
        if (names_ms == 0 && !s->files().empty()) names_ms = ms_since(start);
        if (names_ms != 0 && !s->find_symbols("a", 1).empty()) symbols_ms = ms_since(start);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
    const auto report = index->update();
    must(report.has_value(), "the first index");
    const double whole = ms_since(start);
    eye.request_stop();
    eye.join();
    std::printf(
        "%s: %llu files, %.1f MB, %llu definitions; cold %.0f ms, file names after %.0f ms, "
        "first definitions after %.0f ms\n",
        root.c_str(), static_cast<unsigned long long>(report->files),
        static_cast<double>(report->bytes) / 1e6,
        static_cast<unsigned long long>(report->definitions), whole, names_ms,
        symbols_ms == 0 ? whole : symbols_ms);
    std::printf("resident after it: %ld MB, of which %ld MB are files of the store\n",
                memory_mb("VmRSS"), memory_mb("RssFile"));
    std::printf("%-44s %6s %9s %9s %9s %9s\n", "milliseconds", "n", "p50", "p95", "p99", "max");
    if (wanted("questions")) questions(*index->snapshot(), random);
    if (wanted("typing")) typing(*index->snapshot(), random);
    if (wanted("saves")) saves(*index, random);
    if (wanted("saves")) writes(*index, random);
  }
  if (wanted("restart")) {
    std::vector<double> ms;
    for (int i = 0; i < 5; ++i) {
      ms.push_back(timed([&] {
        auto index = open(root, cache);
        must(index->update().has_value(), "a restart");
        (void)index->snapshot()->find_symbols("main", 10);
      }));
    }
    print("restart, until a question is answered", ms);
  }
  if (wanted("cancel")) cancel(root);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("peak memory %ld MB\n", usage.ru_maxrss / 1024);
  std::error_code ec;
  fs::remove_all(cache, ec);
}
