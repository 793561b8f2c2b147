// What `ambit model logits`, `session` and `bench` do (docs: the command-line contract), as
// functions, so that the command line only parses its options. They run in the calling process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>

#include "daemon/support/result.h"
#include "inference/model/model.h"

namespace ambit::inference {

// "plain", "release" or "fast"; kInvalidArgument for anything else.
[[nodiscard]] Result<Numerics> parse_numerics(std::string_view name);

struct LogitsCommand {
  std::filesystem::path model{};
  std::filesystem::path ids{};  // a JSON array of token ids
  std::filesystem::path out{};  // fp32 little-endian [n_ids, vocab], row-major
  std::int64_t chunk = 0;       // tokens of a prefill step; 0: all in one
  std::int64_t split = -1;      // prefill so many, then one at a time; -1: prefill all
  std::string backend = "cpu";  // or "cuda", "reference"
  std::string numerics = "plain";
  unsigned threads = 0;
};
[[nodiscard]] Result<void> run_logits(const LogitsCommand& command);

struct SessionCommand {
  std::filesystem::path model{};
  std::string numerics = "fast";
  std::uint64_t state_bytes = std::uint64_t{1} << 30U;
  unsigned threads = 0;
  bool speculate = true;
};
// One JSON object a line in, one a line out, flushed, until `in` ends. A line that is not a request
// gives a line {"error": …} and the session goes on.
[[nodiscard]] Result<void> run_session(const SessionCommand& command, std::istream& in,
                                       std::ostream& out);

struct BenchCommand {
  std::filesystem::path model{};
  std::string numerics = "fast";
  std::int64_t prompt = 512;
  std::int64_t generate = 64;
  std::int64_t depth = 0;       // tokens before the prompt
  std::string backend = "cpu";  // or "cuda"
  unsigned threads = 0;
};
struct BenchReport {
  double prefill_tps = 0;
  double decode_tps = 0;
  double ttft_ms = 0;          // prefill of the prompt and the first token
  double bytes_per_token = 0;  // weights read for one decoded token
  double bandwidth_gbs = 0;    // of that, at the measured rate
  std::uint64_t peak_rss_bytes = 0;
  std::size_t threads = 0;
  std::string backend;
  std::string isa;
};
[[nodiscard]] Result<BenchReport> run_bench(const BenchCommand& command);
// One JSON document, and the same for people.
[[nodiscard]] std::string to_json(const BenchReport& report);
[[nodiscard]] std::string to_text(const BenchReport& report);

}  // namespace ambit::inference
