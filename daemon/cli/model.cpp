// `ambit model …`: the tokenizer, the prompt format and the model itself, from the command line, in
// this process. Input that is one document comes from stdin.
#include <array>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "daemon/cli/model_info.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/config.h"
#include "daemon/scheduling/model_spec.h"
#include "daemon/support/file.h"
#include "inference/engine/commands.h"
#include "inference/tokenizer/chat_format.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/weights/convert.h"

namespace ambit::daemon {

namespace {

namespace fs = std::filesystem;
using inference::TokenId;

constexpr std::size_t kLongestInput = std::size_t{256} << 20U;

std::string& model_option(Options& options) {
  return options.text("--model", "", "PATH", "folder of the checkpoint; else the setting `model`");
}

Result<fs::path> checkpoint(const std::string& option) {
  std::string setting = option;
  if (setting.empty()) {
    AMBIT_TRY(config, Config::load());
    setting = config.text("model");
  }
  const auto spec = resolve_model(setting);
  if (!spec && !option.empty() && spec.error().code == Code::kUnavailable) {
    return make_error(Code::kUnavailable, "there is no model at " + option +
                                              "; --model takes a folder with config.json and "
                                              "weights, or a .gguf file");
  }
  if (!spec) return spec.error();
  if (spec->kind != ModelSpec::Kind::kLocal) {
    return make_error(Code::kInvalidArgument,
                      "the model " + spec->text() + " is no checkpoint: give --model PATH");
  }
  return spec->path;
}

// A folder with tokenizer.json is enough; the weights need not be there.
Result<std::shared_ptr<const inference::Tokenizer>> tokenizer_of(const std::string& option) {
  fs::path path = option;
  std::error_code error;
  if (option.empty() || !fs::exists(path, error)) {
    AMBIT_TRY(found, checkpoint(option));
    path = found;
  }
  return inference::checkpoint_tokenizer(path);
}

Result<std::string> standard_input() {
  std::string text;
  std::array<char, 65536> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), stdin)) {
    text.append(buffer.data(), n);
    if (text.size() > kLongestInput) {
      return make_error(Code::kResourceExhausted, "stdin holds more than 256 MiB");
    }
  }
  return text;
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_ids(const std::vector<TokenId>& ids) {
  std::string line = "[";
  for (const TokenId id : ids) line += (line.size() > 1 ? "," : "") + std::to_string(id);
  print(line + "]\n");
}

int finish(const Result<void>& result) {
  return result ? int{kExitDone} : report(result.error());
}

int tokenize(const Arguments& arguments) {
  Options options("model tokenize", "[--special] [--file F]", "Text from stdin to token ids.");
  auto& model = model_option(options);
  auto& special = options.flag("--special", "the text of special tokens becomes their id");
  auto& file = options.text("--file", "", "F", "read this file, not stdin");
  if (auto done = options.parse(arguments)) return *done;
  const auto tokenizer = tokenizer_of(model);
  if (!tokenizer) return report(tokenizer.error());
  const auto text = file.empty() ? standard_input() : read_file(file, kLongestInput);
  if (!text) return report(text.error());
  print_ids(special ? (*tokenizer)->encode_with_special(*text) : (*tokenizer)->encode(*text));
  return kExitDone;
}

int detokenize(const Arguments& arguments) {
  Options options("model detokenize", "", "A JSON array of token ids from stdin to its bytes.");
  auto& model = model_option(options);
  if (auto done = options.parse(arguments)) return *done;
  const auto tokenizer = tokenizer_of(model);
  if (!tokenizer) return report(tokenizer.error());
  const auto text = standard_input();
  if (!text) return report(text.error());
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  std::vector<TokenId> ids;
  bool good = json.is_array();
  for (auto it = json.begin(); good && it != json.end(); ++it) {
    good = it->is_number_integer() && it->get<std::int64_t>() >= 0 &&
           it->get<std::int64_t>() < (*tokenizer)->vocab_size();
    if (good) ids.push_back(it->get<TokenId>());
  }
  if (!good) {
    return report(
        make_error(Code::kInvalidArgument, "stdin is not a JSON array of token ids below " +
                                               std::to_string((*tokenizer)->vocab_size())));
  }
  print((*tokenizer)->decode(ids));
  return kExitDone;
}

int render(const Arguments& arguments) {
  Options options(
      "model render", "[--ids]",
      "A conversation, or {\"fim\": {\"prefix\", \"suffix\"}}, from stdin to the prompt.");
  auto& model = model_option(options);
  auto& as_ids = options.flag("--ids", "print token ids");
  auto& tiers = options.choice("--effort-tiers", "first", {"first", "0731"},
                               "which checkpoints' reasoning efforts: 0731 for that and later");
  if (auto done = options.parse(arguments)) return *done;
  const auto request = standard_input();
  if (!request) return report(request.error());
  const auto text =
      inference::render_chat(*request, tiers == "0731" ? inference::EffortTiers::kSince0731
                                                       : inference::EffortTiers::kFirstRelease);
  if (!text) return report(text.error());
  if (!as_ids) {
    print(*text);
    return kExitDone;
  }
  const auto tokenizer = tokenizer_of(model);
  if (!tokenizer) return report(tokenizer.error());
  print_ids((*tokenizer)->encode_with_special(*text));
  return kExitDone;
}

int logits(const Arguments& arguments) {
  Options options("model logits", "--ids F --out O", "The logits of every position of a sequence.");
  auto& model = model_option(options);
  auto& ids = options.text("--ids", "", "F", "a JSON array of token ids");
  auto& out = options.text("--out", "", "O", "fp32 little-endian [n_ids, vocab], row-major");
  auto& chunk = options.integer("--chunk", 0, 0, 1 << 24, "prefill in pieces; 0: all in one");
  auto& split = options.integer("--split", -1, -1, 1 << 24, "prefill so many, then one at a time");
  auto& backend = options.choice("--backend", "cpu", {"cpu", "cuda", "reference"}, "what computes");
  auto& numerics = options.choice("--numerics", "plain", {"plain", "release", "fast"}, "roundings");
  auto& threads = options.integer("--threads", 0, 0, 4096, "0: one a core");
  if (auto done = options.parse(arguments)) return *done;
  if (ids.empty() || out.empty()) return options.usage_error("--ids and --out are needed");
  const auto path = checkpoint(model);
  if (!path) return report(path.error());
  inference::LogitsCommand command;
  command.model = *path;
  command.ids = ids;
  command.out = out;
  command.chunk = chunk;
  command.split = split;
  command.backend = backend;
  command.numerics = numerics;
  command.threads = static_cast<unsigned>(threads);
  return finish(inference::run_logits(command));
}

int session(const Arguments& arguments) {
  Options options("model session", "", "Requests from stdin, one JSON object a line.");
  auto& model = model_option(options);
  auto& numerics = options.choice("--numerics", "fast", {"plain", "release", "fast"}, "roundings");
  auto& state = options.integer("--state-mib", 1024, 1, 1 << 24, "memory for warm prefixes");
  auto& plain = options.flag("--no-speculation", "decode one token at a time");
  auto& threads = options.integer("--threads", 0, 0, 4096, "0: one a core");
  if (auto done = options.parse(arguments)) return *done;
  const auto path = checkpoint(model);
  if (!path) return report(path.error());
  inference::SessionCommand command;
  command.model = *path;
  command.numerics = numerics;
  command.state_bytes = static_cast<std::uint64_t>(state) << 20U;
  command.speculate = !plain;
  command.threads = static_cast<unsigned>(threads);
  return finish(inference::run_session(command, std::cin, std::cout));
}

int bench(const Arguments& arguments) {
  Options options("model bench", "[--json]", "How fast the model reads and writes here.");
  auto& model = model_option(options);
  auto& json = options.flag("--json", "print one JSON document");
  auto& prompt = options.integer("--prompt", 512, 1, 1 << 24, "tokens to read");
  auto& generate = options.integer("--gen", 64, 1, 1 << 24, "tokens to write");
  auto& depth = options.integer("--depth", 0, 0, 1 << 24, "tokens before the prompt");
  auto& backend = options.choice("--backend", "cpu", {"cpu", "cuda"}, "what computes");
  auto& numerics = options.choice("--numerics", "fast", {"plain", "release", "fast"}, "roundings");
  auto& threads = options.integer("--threads", 0, 0, 4096, "0: one a core");
  if (auto done = options.parse(arguments)) return *done;
  const auto path = checkpoint(model);
  if (!path) return report(path.error());
  inference::BenchCommand command;
  command.model = *path;
  command.backend = backend;
  command.numerics = numerics;
  command.prompt = prompt;
  command.generate = generate;
  command.depth = depth;
  command.threads = static_cast<unsigned>(threads);
  const auto result = inference::run_bench(command);
  if (!result) return report(result.error());
  std::string text = json ? inference::to_json(*result) : inference::to_text(*result);
  if (!text.ends_with('\n')) text += '\n';
  print(text);
  return kExitDone;
}

int info(const Arguments& arguments) {
  Options options("model info", "[--json]", "What a checkpoint holds; its weights are not read.");
  auto& model = model_option(options);
  auto& json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto path = checkpoint(model);
  if (!path) return report(path.error());
  const auto text = model_info(*path, json);
  if (!text) return report(text.error());
  print(*text);
  return kExitDone;
}

int convert(const Arguments& arguments) {
  Options options("model convert", "IN OUT [--to gguf|safetensors]",
                  "A checkpoint in the other container, value for value.");
  auto& in = options.positional("IN", Options::kRequired);
  auto& out = options.positional("OUT", Options::kRequired);
  auto& to = options.choice("--to", "", {"", "gguf", "safetensors"},
                            "else by OUT: a .gguf file, or a folder for safetensors");
  auto& json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const bool gguf = to.empty() ? fs::path(out).extension() == ".gguf" : to == "gguf";
  const auto done = inference::convert_checkpoint(
      in, out, gguf ? inference::Container::kGguf : inference::Container::kSafetensors);
  if (!done) return report(done.error());
  if (json) {
    print(nlohmann::json{
              {"tensors", done->tensors}, {"bytes", done->bytes}, {"left_out", done->left_out}}
              .dump() +
          "\n");
    return kExitDone;
  }
  print(out + ": " + std::to_string(done->tensors) + " tensors, " + std::to_string(done->bytes) +
        " bytes\n");
  if (!done->left_out.empty()) std::fprintf(stderr, "%s\n", done->left_out.c_str());
  return kExitDone;
}

constexpr std::array kVerbs{
    Command{"info", "what a checkpoint holds", info},
    Command{"tokenize", "text to token ids", tokenize},
    Command{"detokenize", "token ids to bytes", detokenize},
    Command{"render", "a conversation to the prompt that the model reads", render},
    Command{"logits", "the logits of every position of a sequence", logits},
    Command{"session", "requests and answers in token ids, one a line", session},
    Command{"bench", "how fast the model reads and writes here", bench},
    Command{"convert", "a checkpoint from safetensors to GGUF or back", convert},
};

}  // namespace

int model_command(const Arguments& arguments) {
  return run_subcommand("model", kVerbs, arguments);
}

}  // namespace ambit::daemon
