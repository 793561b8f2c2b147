// `ambit ignore check PATH…`: would this file be sent to the model, and by which rule not?
#include <cstdio>
#include <nlohmann/json.hpp>

#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/support/file.h"
#include "indexer/filter.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {
namespace {

struct Verdict {
  bool indexed = false, sent = false;
  std::string rule;  // "source" when nothing speaks against it
};

Result<Verdict> judge(const std::string& path, const Config& config) {
  const auto full = std::filesystem::absolute(path).lexically_normal();
  AMBIT_TRY(repo, indexer::Repository::open(full.parent_path()));
  AMBIT_TRY(inside, path_in(repo.root(), full));
  const auto verdict = [](indexer::FileClass c) {
    return Verdict{indexer::is_indexed(c), indexer::is_packable(c), std::string(to_string(c))};
  };
  const auto file = repo.look(inside);
  if (!file) {
    std::error_code ignored;
    if (!std::filesystem::exists(std::filesystem::symlink_status(full, ignored))) {
      return file.error();
    }
    if (std::filesystem::is_directory(full, ignored)) {
      return make_error(Code::kInvalidArgument, path + " is a folder; name a file");
    }
    return Verdict{false, false, "git ignore rules"};
  }
  if (file->kind == indexer::FileKind::kSymlink) return verdict(indexer::FileClass::kSymlink);
  if (file->kind == indexer::FileKind::kSubmodule) return verdict(indexer::FileClass::kSubmodule);
  indexer::IgnoreRules rules;
  if (const auto text = repo.read(".ambitignore", 1U << 20)) rules.add(*text);
  if (rules.ignored(inside)) return Verdict{false, false, ".ambitignore"};
  if (const auto by_path = indexer::classify_path(inside); by_path != indexer::FileClass::kSource) {
    return verdict(by_path);
  }
  const auto content = repo.read(inside, std::uint64_t{64} << 20);
  if (!content) {
    if (content.error().code == Code::kResourceExhausted) {
      return verdict(indexer::FileClass::kTooLarge);
    }
    if (content.error().code == Code::kPermission) return verdict(indexer::FileClass::kSymlink);
    return content.error();
  }
  return verdict(
      indexer::classify(inside, *content, content->size(),
                        static_cast<std::uint64_t>(config.integer("index.max_file_bytes"))));
}

}  // namespace

int ignore_command(const Arguments& arguments) {
  Options options("ignore check", "PATH… [--json]",
                  "Would this file be sent to the model, and by which rule not?");
  auto& paths = options.rest("PATH", Options::kRequired);
  auto& as_json = options.flag("--json", "print one JSON document");
  if (arguments.empty() || arguments.front() != "check") {
    if (!arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h")) {
      return options.parse(arguments).value_or(kExitDone);
    }
    return options.usage_error("say check first");
  }
  if (auto done = options.parse(Arguments(arguments.begin() + 1, arguments.end()))) return *done;
  const auto config = Config::load();
  if (!config) return report(config.error());
  auto out = nlohmann::json::array();
  int code = kExitDone;
  for (const auto& path : paths) {
    const auto verdict = judge(path, *config);
    if (!verdict) {
      code = report(verdict.error());
      continue;
    }
    if (as_json) {
      out.push_back({{"path", path},
                     {"indexed", verdict->indexed},
                     {"sent", verdict->sent},
                     {"rule", verdict->rule}});
    } else {
      std::printf("%s: %s (%s)\n", path.c_str(),
                  verdict->sent      ? "sent"
                  : verdict->indexed ? "indexed, not sent"
                                     : "left out",
                  verdict->rule.c_str());
    }
  }
  if (as_json) print_json(out);
  return code;
}

}  // namespace ambit::daemon
