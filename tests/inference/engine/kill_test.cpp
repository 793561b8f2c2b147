// kill -9 of an engine that keeps state on disk: whatever its death leaves there, the next one
// answers as one without any state would, to the last bit of every log-probability, and the store
// stays within its size.
//
//   engine_kill_test [KILLS [SEED]]     as a test 30 kills; for hours, some 10000
//
// This program starts itself as the engine, again and again on one folder, reads what it answers,
// and kills it after a random time, some of them while it loads. Records are written in pieces,
// each a system call of its own, so that deaths tear them: those of a model of this size would be
// one.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/trace.h"
#include "inference/engine/local_backend.h"
#include "tests/inference/model/golden.h"

extern char** environ;

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

constexpr int kFound = 1;  // exit status: a property does not hold

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(kFound);
}

// Prompts of the same pages in different places: state under a wrong key would be another's.
std::vector<std::vector<TokenId>> prompts() {
  constexpr std::array<std::array<int, 4>, 8> kBlocks = {{{0, 1, 2, -1},
                                                          {1, 0, 2, -1},
                                                          {0, 1, 3, 2},
                                                          {2, 2, -1, -1},
                                                          {3, 0, 1, 2},
                                                          {0, -1, -1, -1},
                                                          {1, 0, 3, -1},
                                                          {3, 3, 3, -1}}};
  std::mt19937 random(5);
  std::array<std::array<TokenId, 128>, 4> block{};
  for (auto& b : block) {
    for (TokenId& id : b) id = static_cast<TokenId>(random() % 512);
  }
  std::vector<std::vector<TokenId>> out;
  for (const auto& blocks : kBlocks) {
    auto& prompt = out.emplace_back();
    for (const int b : blocks) {
      if (b >= 0) prompt.insert(prompt.end(), block.at(b).begin(), block.at(b).end());
    }
    for (std::size_t i = 0; i < 5 + out.size(); ++i) {
      prompt.push_back(static_cast<TokenId>(random() % 512));
    }
  }
  return out;
}

// A slow disk: the store's records in 8 pieces. `at_record` hears of the begin (+) and the end (-)
// of each.
class PiecewiseFiles final : public FileSystem {
 public:
  explicit PiecewiseFiles(int at_record) : out_(at_record) {}
  Result<void> append(const fs::path& path, std::string_view content) override {
    say('+');
    const std::size_t piece = content.size() / 8 + 1;
    for (; !content.empty(); content.remove_prefix(std::min(piece, content.size()))) {
      AMBIT_CHECK_OK(FileSystem::append(path, content.substr(0, piece)));
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
    say('-');
    return {};
  }

 private:
  void say(char c) const {
    const char line[2] = {c, '\n'};
    if (::write(out_, line, 2) != 2) std::_Exit(kFound);
  }
  int out_;
};

std::unique_ptr<Backend> open_engine(const fs::path& state, std::uint64_t cap, FileSystem* files) {
  LocalOptions options;
  options.state_directory = state;
  options.state_disk_bytes = cap;
  options.state_files = files;
  options.model.threads = 1;
  auto model = Model::open(*golden::folder("q-c"), options.model);
  if (!model) fail(model.error().message);
  return make_local_backend(std::move(*model), options);
}

struct Answer {
  std::int64_t reused = 0;
  std::string text;  // every id and the bits of every log-probability
};

Answer ask(Backend& engine, const std::vector<TokenId>& prompt, bool on_disk) {
  std::promise<Answer> promise;
  Answer answer;
  GenerateEvents events;
  events.on_tokens = [&](std::span<const GeneratedToken> tokens) {
    for (const GeneratedToken& t : tokens) {
      answer.text += std::to_string(t.id);
      for (const TokenLogprob& top : t.top) {
        answer.text += "," + std::to_string(std::bit_cast<std::uint32_t>(top.logprob));
      }
      answer.text += ";";
    }
  };
  events.on_done = [&](const GenerateResult& r) {
    answer.reused = r.usage.reused_tokens;
    if (r.finish != Finish::kLength) answer.text = "error " + r.error.message;
    promise.set_value(answer);
  };
  GenerateRequest request{.prompt = prompt, .max_new_tokens = 4, .logprobs = 2};
  request.keep = on_disk;
  request.on_disk = on_disk;
  engine.submit(std::move(request), std::move(events), {});
  return promise.get_future().get();
}

// The engine that dies: a round of all prompts in an order of its own. Lines to stdout: "ready",
// "+" and "-" of records, and answers "NUMBER REUSED TEXT".
int serve(const fs::path& state, std::uint64_t cap, unsigned seed) {
  PiecewiseFiles files(STDOUT_FILENO);
  const auto engine = open_engine(state, cap, &files);
  const auto all = prompts();
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  std::string line = "ready\n";
  for (const std::size_t i : order) {
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) return kFound;
    // It writes when nothing is asked.
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 6));
    const Answer a = ask(*engine, all[i], true);
    line = std::to_string(i) + " " + std::to_string(a.reused) + " " + a.text + "\n";
  }
  return ::write(STDOUT_FILENO, line.data(), line.size()) < 0 ? kFound : 0;
}

// A served round, as far as it came.
struct Round {
  std::vector<Answer> answers;
  std::vector<std::size_t> numbers;  // of the prompts answered
  bool was_killed = false;
  bool was_writing = false;  // at the kill, a record
  double ms = 0;             // from "ready"
};

void parse(const std::string& text, Round& round) {
  std::size_t at = 0;
  for (std::size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = text.substr(at, end - at);
    if (line == "+" || line == "-") {
      round.was_writing = line == "+";
      continue;
    }
    if (line == "ready") continue;
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    if (second == std::string::npos) fail("the engine said: " + line);
    round.numbers.push_back(std::stoul(line.substr(0, first)));
    round.answers.push_back({std::stol(line.substr(first + 1, second)), line.substr(second + 1)});
  }
}

// after_ms < 0: lets it live. from_start: the time counts from its start, else from its "ready".
Round run(const fs::path& state, std::uint64_t cap, unsigned seed, double after_ms,
          bool from_start) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) fail("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  std::array<std::string, 5> words = {"engine_kill_test", "--serve", state.string(),
                                      std::to_string(cap), std::to_string(seed)};
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int started =
      ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  if (started != 0) fail("the engine cannot be started");

  Round round;
  auto since = Steady::now();
  std::string text;
  std::jthread killer;
  const auto kill_later = [&] {
    if (after_ms < 0) return;
    killer = std::jthread(
        [pid, until = since + std::chrono::duration_cast<Steady::duration>(
                                  std::chrono::duration<double, std::milli>(after_ms))] {
          std::this_thread::sleep_until(until);
          ::kill(pid, SIGKILL);  // not reaped yet: the id is its own
        });
  };
  if (from_start) kill_later();
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
    const bool is_first = text.empty();
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (is_first) since = Steady::now();
    if (is_first && !from_start) kill_later();
  }
  ::close(pipe[0]);
  round.ms = std::chrono::duration<double, std::milli>(Steady::now() - since).count();
  if (killer.joinable()) killer.join();
  int status = 0;
  ::waitpid(pid, &status, 0);
  round.was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!round.was_killed && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
    fail("the engine ended with status " + std::to_string(status) + " on what a kill left");
  }
  parse(text, round);
  return round;
}

std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t sum = 0;
  for (const auto& file : fs::directory_iterator(folder)) sum += file.file_size();
  return sum;
}

int test(int kills, unsigned seed) {
  const auto all = prompts();
  std::vector<std::string> expected;
  {
    const auto engine = open_engine({}, 0, nullptr);
    for (const auto& p : all) expected.push_back(ask(*engine, p, false).text);
  }
  std::string name = (fs::temp_directory_path() / "ambit-kill-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) fail("no folder for state");
  const fs::path state = fs::path(name) / "kv";
  const auto check = [&](const Round& round) {
    for (std::size_t i = 0; i < round.answers.size(); ++i) {
      if (round.answers[i].text == expected.at(round.numbers[i])) continue;
      fail("prompt " + std::to_string(round.numbers[i]) + " with " +
           std::to_string(round.answers[i].reused) + " tokens of old state: answered " +
           round.answers[i].text + ", not " + expected[round.numbers[i]] + "; state in " + name);
    }
  };
  // What all of it takes, and how long. Most of the time there is room for two thirds of it, so
  // that the oldest goes while new is written.
  const Round whole = run(state, std::uint64_t{1} << 30U, seed, -1, false);
  check(whole);
  const std::uint64_t cap = bytes_in(state) * 2 / 3;
  fs::remove_all(state);

  std::mt19937 random(seed);
  int done = 0, torn = 0, loading = 0, survived = 0, restored = 0;
  std::size_t answers = 0;
  std::uint64_t most = 0;
  while (done < kills) {
    const bool from_start = random() % 8 == 0;
    const double after = std::uniform_real_distribution<>(0, from_start ? 30 : whole.ms)(random);
    const Round round = run(state, cap, random(), after, from_start);
    check(round);
    most = std::max(most, fs::exists(state) ? bytes_in(state) : 0);
    if (most > cap)
      fail("the store has " + std::to_string(most) + " bytes of " + std::to_string(cap));
    answers += round.answers.size();
    restored += !round.answers.empty() && round.answers.front().reused > 0 ? 1 : 0;
    done += round.was_killed ? 1 : 0;
    survived += round.was_killed ? 0 : 1;
    torn += round.was_killed && round.was_writing ? 1 : 0;
    loading += round.was_killed && round.answers.empty() && !round.was_writing ? 1 : 0;
  }
  // One that lives, and one that begins on what it wrote.
  check(run(state, cap, seed, -1, false));
  const Round last = run(state, cap, seed, -1, false);
  check(last);
  if (last.answers.size() != all.size()) fail("the last round is not complete");
  std::int64_t reused = 0;
  for (const Answer& a : last.answers) reused += a.reused;
  if (last.answers.front().reused == 0 && reused == 0) fail("nothing was read back from the disk");
  fs::remove_all(name);
  std::printf(
      "%d kills, of them %d inside of a record and %d before any answer; %d rounds outran theirs; "
      "%zu answers, all right; %d rounds began on state that a killed one left; at most %llu of "
      "%llu "
      "bytes\n",
      done, torn, loading, survived, answers, restored, static_cast<unsigned long long>(most),
      static_cast<unsigned long long>(cap));
  return 0;
}

}  // namespace
}  // namespace ambit::inference

int main(int argc, char** argv) {
  using namespace ambit;
  using namespace ambit::inference;
  if (!golden::folder("q-c")) {
    std::puts("skipped: golden checkpoint q-c is not here");
    return 77;
  }
  const std::vector<std::string> args(argv + 1, argv + argc);
  const auto number = [&](std::size_t i, std::uint64_t otherwise) {
    std::uint64_t v = otherwise;
    if (i < args.size()) std::from_chars(args[i].data(), args[i].data() + args[i].size(), v);
    return v;
  };
  if (args.size() == 4 && args[0] == "--serve") {
    return serve(args[1], number(2, 0), static_cast<unsigned>(number(3, 0)));
  }
  return test(static_cast<int>(number(0, 30)), static_cast<unsigned>(number(1, 1)));
}
