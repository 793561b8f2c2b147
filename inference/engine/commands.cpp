#include "inference/engine/commands.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <istream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>

#include "daemon/support/clock.h"
#include "daemon/support/file.h"
#include "inference/engine/local_backend.h"
#include "inference/weights/checkpoint.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLongestIds = std::uint64_t{256} << 20U;

Result<std::vector<TokenId>> ids_of(const Json& json, std::size_t vocab) {
  if (!json.is_array())
    return make_error(Code::kInvalidArgument, "ids is not a JSON array of integers");
  std::vector<TokenId> ids;
  ids.reserve(json.size());
  for (const Json& v : json) {
    if (!v.is_number_integer() || v.get<std::int64_t>() < 0 ||
        v.get<std::int64_t>() >= static_cast<std::int64_t>(vocab)) {
      return make_error(Code::kInvalidArgument, "ids holds " + v.dump() +
                                                    ", which is not an id of the model's " +
                                                    std::to_string(vocab) + " tokens");
    }
    ids.push_back(v.get<TokenId>());
  }
  if (ids.empty()) return make_error(Code::kInvalidArgument, "ids is empty");
  return ids;
}

double ms_since(Clock::time_point from) {
  return elapsed_ms(from, std::chrono::steady_clock::now());
}

// A whole request, waited for.
struct Exchange {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<GeneratedToken> tokens;
  std::optional<GenerateResult> result;
};

Json answer_of(Backend& backend, GenerateRequest request) {
  const auto exchange = std::make_shared<Exchange>();
  GenerateEvents events;
  events.on_tokens = [exchange](std::span<const GeneratedToken> tokens) {
    const std::lock_guard lock(exchange->mutex);
    exchange->tokens.insert(exchange->tokens.end(), tokens.begin(), tokens.end());
  };
  events.on_done = [exchange](const GenerateResult& r) {
    const std::lock_guard lock(exchange->mutex);
    exchange->result = r;
    exchange->changed.notify_all();
  };
  const bool with_logprobs = request.logprobs > 0;
  backend.submit(std::move(request), std::move(events), {});
  std::unique_lock lock(exchange->mutex);
  exchange->changed.wait(lock, [&] { return exchange->result.has_value(); });
  const GenerateResult& r = *exchange->result;
  if (r.finish == Finish::kError) return {{"error", r.error.message}};
  Json ids = Json::array();
  Json logprobs = Json::array();
  Json chosen = Json::array();
  for (const GeneratedToken& t : exchange->tokens) {
    ids.push_back(t.id);
    chosen.push_back(t.logprob);
    if (!with_logprobs) continue;
    Json top = Json::array();
    for (const TokenLogprob& p : t.top) top.push_back({p.id, p.logprob});
    logprobs.push_back(std::move(top));
  }
  return {{"ids", std::move(ids)},
          {"prompt_tokens", r.usage.prompt_tokens},
          {"reused_tokens", r.usage.reused_tokens},
          {"computed_tokens", r.usage.computed_tokens},
          {"drafted_tokens", r.usage.drafted_tokens},
          {"accepted_tokens", r.usage.accepted_tokens},
          {"logprobs", std::move(logprobs)},
          {"chosen", std::move(chosen)},
          {"prefill_ms", r.usage.prefill_ms},
          {"decode_ms", r.usage.decode_ms}};
}

Result<GenerateRequest> parse_request(const std::string& line, std::size_t vocab) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("ids")) {
    return make_error(Code::kInvalidArgument, "a request is a JSON object with \"ids\"");
  }
  GenerateRequest r;
  AMBIT_TRY(ids, ids_of(json["ids"], vocab));
  r.prompt = std::move(ids);
  std::optional<Error> wrong;  // the first
  const auto refuse = [&](const char* key, const std::string& what) {
    if (!wrong) wrong = make_error(Code::kInvalidArgument, std::string(key) + " is not " + what);
  };
  const auto number = [&](const char* key, double fallback, double least, double most) {
    const auto it = json.find(key);
    if (it == json.end() || it->is_null()) return fallback;
    const double value = it->is_number() ? it->get<double>() : std::nan("");
    if (value >= least && value <= most) return value;
    refuse(key, "a number from " + Json(least).dump() + " to " + Json(most).dump());
    return fallback;
  };
  const auto whole = [&](const char* key, std::int64_t most) {
    const auto it = json.find(key);
    if (it == json.end() || it->is_null()) return std::int64_t{0};
    // JSON's 3.0 is a whole number too.
    const double value = it->is_number() ? it->get<double>() : -1;
    if (value >= 0 && value <= static_cast<double>(most) && value == std::floor(value)) {
      return static_cast<std::int64_t>(value);
    }
    refuse(key, "a whole number from 0 to " + std::to_string(most));
    return std::int64_t{0};
  };
  r.max_new_tokens = static_cast<std::int32_t>(whole("predict", 1 << 24));
  if (json.contains("answer")) {
    AMBIT_TRY(answer, ids_of(json["answer"], vocab));
    r.answer = std::move(answer);
    r.max_new_tokens = static_cast<std::int32_t>(r.answer.size());
  }
  r.logprobs = static_cast<std::int32_t>(whole("logprobs", 64));
  r.sampling.seed = static_cast<std::uint64_t>(whole("seed", std::int64_t{1} << 53));
  r.sampling.temperature = static_cast<float>(number("temperature", 0, 0, 1e6));
  r.sampling.top_p = static_cast<float>(number("top_p", 1, 0, 1));
  r.sampling.top_k = static_cast<std::int32_t>(whole("top_k", 1 << 24));
  r.sampling.min_p = static_cast<float>(number("min_p", 0, 0, 1));
  if (const auto grammar = json.find("grammar"); grammar != json.end() && !grammar->is_null()) {
    if (!grammar->is_string()) refuse("grammar", "text");
    if (grammar->is_string()) r.grammar = grammar->get<std::string>();
  }
  if (const auto drop = json.find("drop"); drop != json.end() && !drop->is_null()) {
    if (!drop->is_boolean()) refuse("drop", "true or false");
    if (drop->is_boolean()) r.keep = !drop->get<bool>();
  }
  if (wrong) return *wrong;
  return r;
}

// Weights that one decoded token reads: everything but the embedding and the experts not chosen.
double bytes_per_token(const ModelConfig& c, const ModelWeights& w) {
  const auto bytes = [](const ops::Matrix& m) {
    const double n = static_cast<double>(m.rows) * static_cast<double>(m.cols);
    switch (m.type) {
      case ops::MatrixType::kF32:
        return 4 * n;
      case ops::MatrixType::kF16:
      case ops::MatrixType::kBf16:
        return 2 * n;
      case ops::MatrixType::kBlocks: {
        const auto shape = ops::block_shape(m.blocks);
        return n * static_cast<double>(shape.bytes) / static_cast<double>(shape.values);
      }
      case ops::MatrixType::kFp8Block128:
        return n;
      case ops::MatrixType::kFp4Group32:
        return n * (0.5 + 1.0 / 32);
    }
    return 0.0;
  };
  const auto expert = [&](const ExpertWeights& e) {
    return bytes(e.w1) + bytes(e.w2) + bytes(e.w3);
  };
  const auto compressor = [&](const CompressorWeights& k) { return bytes(k.wkv) + bytes(k.wgate); };
  double sum = bytes(w.head) + bytes(w.hc_head.fn);
  for (const BlockWeights& b : w.layers) {
    const AttentionWeights& a = b.attn;
    sum += bytes(b.hc_attn.fn) + bytes(b.hc_ffn.fn) + bytes(a.wq_a) + bytes(a.wq_b) + bytes(a.wkv) +
           bytes(a.wo_a) + bytes(a.wo_b) + bytes(b.ffn.gate) + expert(b.ffn.shared);
    if (a.compressor) sum += compressor(*a.compressor);
    if (a.indexer) {
      sum += bytes(a.indexer->wq_b) + bytes(a.indexer->weights_proj) +
             compressor(a.indexer->compressor);
    }
    sum += static_cast<double>(c.num_experts_per_tok) * expert(b.ffn.experts[0]);
  }
  return sum;
}

DeviceChoice device_of(const std::string& backend) {
  return backend == "cuda" ? DeviceChoice::kCuda : DeviceChoice::kCpu;
}

// On a card, for the one sequence that these commands compute.
constexpr std::uint64_t kCommandState = std::uint64_t{4} << 30U;

}  // namespace

Result<Numerics> parse_numerics(std::string_view name) {
  if (name == "plain") return Numerics::kPlain;
  if (name == "release") return Numerics::kRelease;
  if (name == "fast") return Numerics::kFast;
  return make_error(Code::kInvalidArgument,
                    "numerics '" + std::string(name) + "' is none of plain, release, fast");
}

Result<void> run_logits(const LogitsCommand& c) {
  AMBIT_TRY(numerics, parse_numerics(c.numerics));
  if (c.backend != "cpu" && c.backend != "cuda" && c.backend != "reference") {
    return make_error(Code::kInvalidArgument,
                      "backend '" + c.backend + "' is none of cpu, cuda, reference");
  }
  if (c.chunk < 0 || c.split < -1) {
    return make_error(Code::kInvalidArgument, "--chunk and --split take a positive number");
  }
  AMBIT_TRY(opened, open_step_model(c.model,
                                    {.numerics = numerics,
                                     .reference_ops = c.backend == "reference",
                                     .threads = c.threads,
                                     .mtp = false},
                                    device_of(c.backend), {.state_bytes = kCommandState}));
  const auto& model = opened.model;
  AMBIT_TRY(text, read_file(c.ids, kLongestIds));
  AMBIT_TRY(ids, ids_of(Json::parse(text, nullptr, false), model->config().vocab_size));
  if (static_cast<std::int64_t>(ids.size()) > model->config().max_position_embeddings) {
    return make_error(Code::kInvalidArgument,
                      "the ids are longer than the model's context of " +
                          std::to_string(model->config().max_position_embeddings) + " tokens");
  }
  std::ofstream out(c.out, std::ios::binary | std::ios::trunc);
  if (!out) {
    return make_error(Code::kIo, "cannot write " + c.out.string() + ": " + std::strerror(errno));
  }
  // A step of the whole prompt needs scratch for all its rows, so very long ones go in pieces; the
  // pieces do not change a bit.
  constexpr std::int64_t kMostRows = 4096;
  const auto n = static_cast<std::int64_t>(ids.size());
  const std::int64_t prefill = c.split < 0 ? n : std::min(c.split, n);
  const std::int64_t chunk = std::min(c.chunk > 0 ? c.chunk : n, kMostRows);
  KvCache cache(model->pages());
  for (std::int64_t at = 0; at < n;) {
    const std::int64_t count = at < prefill ? std::min(chunk, prefill - at) : 1;
    const StepInput in{.cache = &cache,
                       .ids = std::span(ids).subspan(static_cast<std::size_t>(at),
                                                     static_cast<std::size_t>(count)),
                       .logits_from = 0};
    AMBIT_TRY(stepped, model->step({&in, 1}));
    const auto logits = stepped.logits;
    out.write(reinterpret_cast<const char*>(logits.data()),
              static_cast<std::streamsize>(logits.size_bytes()));
    at += count;
  }
  out.close();
  if (!out) return make_error(Code::kIo, "cannot write " + c.out.string() + ": is the disk full?");
  return {};
}

Result<void> run_session(const SessionCommand& c, std::istream& in, std::ostream& out) {
  LocalOptions options;
  AMBIT_TRY(numerics, parse_numerics(c.numerics));
  options.model.numerics = numerics;
  options.model.threads = c.threads;
  options.state_bytes = c.state_bytes;
  options.speculate = c.speculate;
  AMBIT_TRY(model, Model::open(c.model, options.model));
  // For grammars; ids need none.
  if (auto tokenizer = checkpoint_tokenizer(c.model)) options.tokenizer = std::move(*tokenizer);
  const std::size_t vocab = model->config().vocab_size;
  const auto backend = make_local_backend(std::move(model), options);
  std::string line;
  while (std::getline(in, line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto request = parse_request(line, vocab);
    const Json answer = request ? answer_of(*backend, std::move(*request))
                                : Json{{"error", request.error().message}};
    out << answer.dump() << '\n' << std::flush;
  }
  return {};
}

Result<BenchReport> run_bench(const BenchCommand& c) {
  AMBIT_TRY(numerics, parse_numerics(c.numerics));
  if (c.prompt < 1 || c.generate < 1 || c.depth < 0) {
    return make_error(Code::kInvalidArgument,
                      "--prompt and --gen are at least 1, --depth at least 0");
  }
  AMBIT_TRY(opened,
            open_step_model(c.model, {.numerics = numerics, .threads = c.threads, .mtp = false},
                            device_of(c.backend), {.state_bytes = kCommandState}));
  const auto& model = opened.model;
  const std::size_t vocab = model->config().vocab_size;
  const auto total = static_cast<std::size_t>(c.depth + c.prompt + c.generate);
  std::vector<TokenId> ids(total);
  std::uint64_t random = 1;
  for (TokenId& id : ids) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    id = static_cast<TokenId>((random >> 33U) % vocab);
  }
  Result<void> done;
  const auto feed = [&](KvCache& cache, std::size_t from, std::size_t to, std::size_t chunk) {
    for (std::size_t at = from; at < to;) {
      const std::size_t n = std::min(chunk, to - at);
      const StepInput in{.cache = &cache,
                         .ids = std::span(ids).subspan(at, n),
                         .logits_from = at + n == to ? n - 1 : n};
      if (auto stepped = model->step({&in, 1}); !stepped) {
        done = stepped.error();
        return;
      }
      cache.strip(0);
      at += n;
    }
  };
  const std::size_t chunk = model->most_rows();
  const auto depth = static_cast<std::size_t>(c.depth);
  const auto prompt = static_cast<std::size_t>(c.prompt);
  {
    KvCache warm_up(model->pages());
    feed(warm_up, 0, std::min<std::size_t>(total, 64), chunk);
  }
  KvCache cache(model->pages());
  feed(cache, 0, depth, chunk);
  BenchReport report;
  auto start = std::chrono::steady_clock::now();
  feed(cache, depth, depth + prompt, chunk);
  report.ttft_ms = ms_since(start);
  report.prefill_tps = static_cast<double>(prompt) / report.ttft_ms * 1000;
  start = std::chrono::steady_clock::now();
  for (std::size_t at = depth + prompt; at < total; ++at) feed(cache, at, at + 1, 1);
  if (!done) return done.error();
  report.decode_tps = static_cast<double>(c.generate) / ms_since(start) * 1000;
  AMBIT_TRY(checkpoint, open_checkpoint(c.model));
  AMBIT_TRY(weights, bind_weights(checkpoint));
  report.bytes_per_token = bytes_per_token(checkpoint.config, weights);
  report.bandwidth_gbs = report.bytes_per_token * report.decode_tps * 1e-9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  report.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  report.backend = model->backend();
  if (const auto* cpu = dynamic_cast<const Model*>(model.get())) report.threads = cpu->threads();
  report.isa = report.threads != 0 ? ops::simd_name() : model->device();
  return report;
}

std::string to_json(const BenchReport& r) {
  return Json{{"prefill_tps", r.prefill_tps},
              {"decode_tps", r.decode_tps},
              {"ttft_ms", r.ttft_ms},
              {"bytes_per_token", r.bytes_per_token},
              {"bandwidth_gbs", r.bandwidth_gbs},
              {"peak_rss_bytes", r.peak_rss_bytes},
              {"threads", r.threads},
              {"backend", r.backend},
              {"isa", r.isa}}
      .dump();
}

std::string to_text(const BenchReport& r) {
  char text[400];
  std::snprintf(text, sizeof(text),
                "prefill  %10.1f tokens/s (first token after %.1f ms)\n"
                "decode   %10.1f tokens/s, %.1f MB a token, %.2f GB/s\n"
                "memory   %10.1f MB at most; %zu threads, %s\n",
                r.prefill_tps, r.ttft_ms, r.decode_tps, r.bytes_per_token * 1e-6, r.bandwidth_gbs,
                static_cast<double>(r.peak_rss_bytes) * 1e-6, r.threads, r.isa.c_str());
  return text;
}

}  // namespace ambit::inference
