// The CUDA side of the ops: one launcher a kernel. A launcher takes plain structs with pointers
// into device memory, checks shapes, picks the variant and launches on `stream`. It neither
// allocates nor synchronises, so a step of them can be captured into a graph. Nothing here needs a
// GPU to compile.
//
// Every kernel is batch-invariant: the bits of a row depend on that row's token, its state and the
// weights alone, never on the number of rows of the step. Sums run in one order whatever the grid.
//
// Dimensions that the kernels take (device_model.cpp refuses other checkpoints by name): 4 streams,
// head_dim up to 512 and index_head_dim up to 128, both with their rotated part in multiples of 4,
// 64 index heads, at most 1024 experts, 16 of them per token.
#pragma once

#include <cstdint>

#include "inference/ops/gemm.h"
#include "inference/ops/sample.h"

struct CUstream_st;

namespace ambit::inference::ops::cuda {

using Stream = CUstream_st*;

// What stopped a launch; kNone when it is queued.
enum class LaunchError : std::uint8_t { kNone, kShape, kUnsupported, kDevice };

inline constexpr int kStreams = 4;
inline constexpr int kMaxHeadDim = 512;
inline constexpr int kMaxIndexDim = 128;
inline constexpr int kMaxPerToken = 16;
inline constexpr int kPageRows = 128;  // tokens of a page: kPageTokens of kv/state_shape.h

// A row in the forms that products read; null forms are neither written nor read. All have
// [rows, cols], rows `cols` elements apart.
struct Activation {
  float* f32 = nullptr;
  // `terms` BF16 planes, `plane` elements apart: the high part, what that leaves, … Three are exact
  // to fp32, two to 2^-17.
  std::uint16_t* split = nullptr;
  int terms = 3;
  std::size_t plane = 0;
  // Rounded to FP8 in groups of 128 as quantize.h does, kept as the BF16 that it is exactly.
  std::uint16_t* rounded = nullptr;
  std::size_t cols = 0;
};

// The parts of one page of state (kv/page.h); raw is null when only the edge was kept. Rows,
// index keys and window rows are fp32, or packed (ops/packed_rows.h) where they are rounded, window
// rows in the places of their floats. Offsets into `rows` are in bytes.
struct PageRef {
  float* rows;
  float* window;
  float* raw;
  float* edge;
};

// Rows [row, row + count) of the step are positions start … of one sequence.
struct SegmentRef {
  const PageRef* pages;
  std::int64_t start;
  std::int64_t first_position;  // whose window row exists: 1 in an MTP block
  std::int32_t row;
  std::int32_t count;
  std::int32_t mutual = 0;  // not 0: each of its rows sees all of them (a DSpark block)
};

struct StepRows {
  const std::int32_t* ids = nullptr;  // [rows]
  const std::int64_t* positions = nullptr;
  const std::int32_t* segment_of = nullptr;
  const SegmentRef* segments = nullptr;
  std::size_t rows = 0;
};

// cos and sin, [rows, half], of one table at one offset from the row's position.
struct Angles {
  const float* cos = nullptr;
  const float* sin = nullptr;
  int half = 0;
};

// ---- streams.cu: rows in and out of the residual streams ----

struct EmbedArgs {
  Matrix table;  // F32 or BF16 [vocab, dim]
  StepRows step;
  int copies = 1;
  float* out = nullptr;  // [rows, copies, dim]
};
[[nodiscard]] LaunchError embed(const EmbedArgs& args, Stream stream);

struct AnglesArgs {
  const float* frequencies = nullptr;  // [half]
  int half = 0;
  std::int64_t offset = 0;  // the angle is that of position - offset
  StepRows step;
  float* cos = nullptr;  // [rows, half]
  float* sin = nullptr;
};
[[nodiscard]] LaunchError angles(const AnglesArgs& args, Stream stream);

// out[i] = in[index[i]], `width` floats each; index -1 gives zeros.
struct GatherArgs {
  const float* in = nullptr;
  const std::int32_t* index = nullptr;
  std::size_t n = 0, width = 0;
  float* out = nullptr;
};
[[nodiscard]] LaunchError gather_rows(const GatherArgs& args, Stream stream);

// The kept final streams of a token (state_shape.h): to the page of a row's position, or from that
// of the position before.
struct KeptStreamsArgs {
  StepRows step;
  std::size_t width = 0, raw_at = 0, edge_at = 0;
  float* streams = nullptr;  // [rows, width]
};
[[nodiscard]] LaunchError save_streams(const KeptStreamsArgs& args, Stream stream);
[[nodiscard]] LaunchError load_streams(const KeptStreamsArgs& args, Stream stream);

// out[r · stride + i] = the mean of streams[r, 0 … 3, i] (section 8.2: a tap).
struct TapArgs {
  const float* streams = nullptr;  // [rows, 4, dim]
  std::size_t rows = 0, dim = 0, stride = 0;
  float* out = nullptr;
};
[[nodiscard]] LaunchError tap(const TapArgs& args, Stream stream);

// x[r, j, :] += y[r, :].
struct AddArgs {
  float* x = nullptr;
  const float* y = nullptr;
  std::size_t rows = 0, copies = 1, dim = 0;
};
[[nodiscard]] LaunchError add_rows(const AddArgs& args, Stream stream);

// The largest of each row; ties go to the lower index.
struct ArgmaxArgs {
  const float* x = nullptr;
  std::size_t rows = 0, dim = 0;
  std::int32_t* out = nullptr;
};
[[nodiscard]] LaunchError argmax(const ArgmaxArgs& args, Stream stream);

// ---- sample.cu: the choice of tokens (ops/sample.h) ----

// vocab: up to 2^20.
struct SampleArgs {
  const float* logits = nullptr;  // [n, vocab]
  std::size_t n = 0, vocab = 0;
  const SampleRow* rows = nullptr;       // [n]
  const std::uint32_t* masks = nullptr;  // [·, mask_words(vocab)]
  Sampled* out = nullptr;                // [n]
};
[[nodiscard]] LaunchError sample(const SampleArgs& args, Stream stream);

// ---- norm.cu ----

// RMS norm (norm.h) of each row; weight may be null.
struct NormArgs {
  const float* x = nullptr;  // [rows, out.cols]
  std::size_t rows = 0;
  const float* weight = nullptr;
  float eps = 0;
  Activation out;
};
[[nodiscard]] LaunchError rms_norm(const NormArgs& args, Stream stream);
// The forms of x as they are.
[[nodiscard]] LaunchError prepare(const NormArgs& args, Stream stream);

// ---- hc.cu: hyper-connections (hc_mix.h) ----

// What goes back to the streams before they are read: the sum of a row's `terms` rows of f at
// entries[row, terms] (or row itself), and of `last` when set.
struct Sublayer {
  const float* f = nullptr;  // [·, dim]; null: nothing goes back
  const std::int32_t* entries = nullptr;
  int terms = 1;
  const float* last = nullptr;  // [rows, dim]
  const float* post = nullptr;  // [rows, 4]
  const float* comb = nullptr;  // [rows, 4, 4]
};

// streams ← post · f + combᵀ · streams; partial ← their products with fn and their squares, in
// chunks of kMixChunk columns. outs: 24, or 4 for the head's collapse, or 0: no products.
struct HcMixArgs {
  float* streams = nullptr;  // [rows, 4, dim]
  std::size_t rows = 0, dim = 0;
  Sublayer sublayer;
  const float* fn = nullptr;  // [outs, 4 dim]
  int outs = 24;
  float* partial = nullptr;  // [rows, ⌈dim / kMixChunk⌉, kMixWidth]
};
inline constexpr int kMixChunk = 128;
inline constexpr int kMixWidth = 32;
[[nodiscard]] LaunchError hc_mix(const HcMixArgs& args, Stream stream);

// From hc_mix's partial sums to the sublayer's input: split (24 outs) or the head's split (4 outs),
// collapse, RMS norm with `weight`, and the forms that products need.
struct HcPreArgs {
  const float* streams = nullptr;
  std::size_t rows = 0, dim = 0;
  const float* partial = nullptr;
  int outs = 24;
  const float* base = nullptr;
  const float* scale = nullptr;
  int iterations = 20;
  float hc_eps = 0, norm_eps = 0;
  float* post = nullptr;  // [rows, 4], 24 outs only
  float* comb = nullptr;  // [rows, 4, 4]
  const float* weight = nullptr;
  Activation out;              // [rows, dim]
  float* collapsed = nullptr;  // [rows, dim] before the norm, or null
};
[[nodiscard]] LaunchError hc_pre(const HcPreArgs& args, Stream stream);

// ---- linear.cu: products with matrices (gemm.h) ----

struct LinearJob {
  Matrix w;
  float* y = nullptr;        // [n, y_stride], written from y on
  std::size_t y_stride = 0;  // 0: w.rows
  bool round = false;        // read x.rounded (of FP8 and FP4 matrices)
};

inline constexpr int kMaxJobs = 8;

// y = x · wᵀ of up to kMaxJobs matrices that share x, in one launch. F32 matrices read x.f32, the
// others x.split or x.rounded. groups > 1: the rows of w are cut in `groups` equal runs and run g
// reads columns [g · w.cols, (g + 1) · w.cols) of x (wo_a). Columns: FP8 a multiple of 64 and FP4
// of 128 (their codes 0x7F and 0xFF, NaN, are read as ±480), BF16 of 32, F32 of 4. Scales of FP8
// and FP4 from 2^-87 to 2^21: a larger one makes NaN.
struct LinearArgs {
  LinearJob jobs[kMaxJobs];
  int n_jobs = 0;
  int groups = 1;
  Activation x;
  std::size_t n = 0;
};
[[nodiscard]] LaunchError linear(const LinearArgs& args, Stream stream);

// The same over the experts that tokens were routed to (Assignment below): for every entry of an
// active expert, y[entry] = w[expert] · x[row of entry] (or x[entry] when by_entry).
struct ExpertMatrices {
  MatrixType type = MatrixType::kF32;
  std::size_t rows = 0, cols = 0;
  // [experts], device memory; the matrices themselves may lie in mapped host memory.
  const std::byte* const* data = nullptr;
  const std::uint8_t* const* scales = nullptr;
};

// Entries are sorted by expert, then row: entries [begin[e], begin[e + 1]) are expert e's.
struct Assignment {
  std::int32_t* begin = nullptr;    // [experts + 1]
  std::int32_t* row = nullptr;      // [rows · k]
  float* weight = nullptr;          // [rows · k]
  std::int32_t* entries = nullptr;  // [rows, k]: a row's entries, ascending
  std::int32_t* active = nullptr;   // [experts]: those with entries, ascending
  std::int32_t* n_active = nullptr;
};

struct ExpertLinearArgs {
  ExpertMatrices w[2];
  float* y[2] = {};  // [rows · k, w.rows]
  int n_w = 1;       // w1 and w3 in one launch, then w2
  Assignment assignment;
  bool by_entry = false;
  bool round = false;
  Activation x;
  std::size_t rows = 0, k = 0, experts = 0;
  // A matrix that all rows are multiplied with beside it, the shared expert's: none when w.rows is
  // 0.
  LinearJob beside;
  Activation beside_x;
};
[[nodiscard]] LaunchError expert_linear(const ExpertLinearArgs& args, Stream stream);

// ---- moe.cu ----

struct RouteArgs {
  const float* logits = nullptr;                   // [rows, experts]
  const float* bias = nullptr;                     // or null
  const std::int32_t* experts_of_token = nullptr;  // [vocab, k], or null: choose by score
  StepRows step;
  int experts = 0, k = 0;
  float scale = 1;
  // [rows, k]: what each row chose, experts ascending.
  std::int32_t* ids = nullptr;
  float* weights = nullptr;
  Assignment out;
  std::uint32_t* chosen = nullptr;  // [experts], or null: counted up by each row's choices
};
[[nodiscard]] LaunchError route(const RouteArgs& args, Stream stream);

// silu(min(gate, limit)) · clamp(up) · weight (experts.h), one weight a row or null for 1.
struct SwigluArgs {
  const float* gate = nullptr;  // [rows, out.cols]
  const float* up = nullptr;
  const float* weight = nullptr;
  std::size_t rows = 0;
  float limit = 0;
  Activation out;
  // Further rows in the same launch, without weights: the shared expert's.
  const float* more_gate = nullptr;
  const float* more_up = nullptr;
  std::size_t more_rows = 0;
  Activation more_out;
};
[[nodiscard]] LaunchError swiglu(const SwigluArgs& args, Stream stream);

// ---- latents.cu: what a layer keeps of its tokens ----

struct CompressorArgs {
  const float* values = nullptr;  // [rows, width] of this step; null: no compressor
  const float* scores = nullptr;
  const float* ape = nullptr;   // [ratio, width]
  const float* norm = nullptr;  // [dim]
  int dim = 0, width = 0, ratio = 0;
  bool overlap = false;
  std::size_t raw_at = 0, edge_at = 0;  // in a page's raw part and edge
  std::size_t out_at = 0;               // of the page's first row (or keys) in its rows part
  std::size_t row_bytes = 0;            // from row to row
  Angles rope;                          // at the first position of the block that ends at the row
};

struct LatentsArgs {
  StepRows step;
  // The query bottleneck: normed into `q_latent`. Null: none, the KV rows alone.
  const float* q = nullptr;  // [rows, q_latent.cols]
  const float* q_norm = nullptr;
  Activation q_latent;
  // The KV row of each token: norm, rope, rounding, into its page's window part.
  const float* kv = nullptr;  // [rows, head_dim]
  const float* kv_norm = nullptr;
  int head_dim = 0;
  std::size_t window_at = 0;
  Angles rope;
  CompressorArgs attention;
  CompressorArgs index;  // keys, transposed in the page
  float eps = 0;
  bool round = false;
};
[[nodiscard]] LaunchError latents(const LatentsArgs& args, Stream stream);

// ---- queries.cu ----

struct QueriesArgs {
  StepRows step;
  float* q = nullptr;  // [rows, heads, head_dim], in place: norm per head, rope
  int heads = 0, head_dim = 0;
  float* index_q = nullptr;  // [rows, index_heads, index_dim], in place; null: none
  int index_heads = 0, index_dim = 0;
  float* index_weights = nullptr;  // [rows, index_heads] *= index_scale
  float index_scale = 1;
  Angles rope;
  float eps = 0;
  bool round = false;
};
[[nodiscard]] LaunchError queries(const QueriesArgs& args, Stream stream);

// ---- index.cu: the lightning indexer ----

struct IndexArgs {
  StepRows step;
  std::size_t first = 0, rows = 0;  // of the step's rows
  const float* q = nullptr;         // of queries(), all rows of the step
  const float* weights = nullptr;
  int heads = 0, dim = 0, ratio = 0, top = 0;
  bool rounded = false;  // q and keys are as queries() and latents() with `round` leave them
  std::size_t index_at = 0;
  std::size_t most = 0;     // visible rows of any of these
  float* scores = nullptr;  // [rows, most] scratch
  // [all rows, top]: the selected rows ascending, all visible ones where those are no more than
  // top.
  std::int32_t* selected = nullptr;
};
[[nodiscard]] LaunchError index_scores(const IndexArgs& args, Stream stream);
[[nodiscard]] LaunchError top_k(const IndexArgs& args, Stream stream);

// ---- attention.cu ----

// Attention of rows [first, first + rows) over their window and compressed rows
// (sparse_attention.h), then the inverse rotation.
inline constexpr int kScoreRun = 128, kHeadRun = 64, kLeastRun = 16;
// How many times `most` floats of scratch a row needs: scores, the largest of runs of them, and the
// addresses of the list.
constexpr std::size_t score_heads(int heads) {
  const auto whole = static_cast<std::size_t>((heads + kHeadRun - 1) / kHeadRun * kHeadRun);
  return whole + whole / kLeastRun + 2;
}
struct AttentionArgs {
  StepRows step;
  std::size_t first = 0, rows = 0;
  const float* q = nullptr;     // [all rows, heads, dim]
  const float* sink = nullptr;  // [heads]
  int heads = 0, dim = 0, window = 0, ratio = 0;
  std::size_t window_at = 0, rows_at = 0, row_bytes = 0;
  const std::int32_t* selected = nullptr;  // [all rows, top], or null: every visible row
  int top = 0;
  bool rounded = false;     // the rows are as latents() with `round` leaves them: exact in BF16
  std::size_t most = 0;     // list entries of any of these rows, up to a multiple of kScoreRun
  float* scores = nullptr;  // [rows, score_heads(heads), most] scratch
  Angles rope;
  Activation out;  // [all rows, heads · dim]; f32 and split only
};
[[nodiscard]] LaunchError attention(const AttentionArgs& args, Stream stream);

// ---- lend.cu: routed experts that the CPU computes (device/cold_experts.h) ----

// In pinned host memory: what the CPU is told of a layer.
struct LentRows {
  std::int32_t* begin = nullptr;  // [experts + 1], as in Assignment
  std::int32_t* row = nullptr;  // [rows · k]: of entries of the CPU's experts; others are not set
  float* weight = nullptr;      // likewise
  float* x = nullptr;           // [rows, x.cols]: of rows that chose one of the CPU's experts
};

// Which of the forms of an Activation.
enum class LentForm : std::uint8_t { kF32, kSplit, kRounded };

// Takes the CPU's experts out of the active ones, and hands over their entries.
struct LendArgs {
  Assignment assignment;
  const std::int32_t* ids = nullptr;   // [rows, k], of route()
  const std::uint8_t* lent = nullptr;  // [experts]: 1: the CPU's
  std::size_t rows = 0;
  int k = 0, experts = 0;
  Activation x;
  LentForm form = LentForm::kF32;
  LentRows to;
  float* out = nullptr;               // [rows · k, x.cols]: 0 in the entries of the CPU's experts
  std::int32_t* rows_lent = nullptr;  // [rows]: 1 where the CPU has an entry
};
[[nodiscard]] LaunchError lend(const LendArgs& args, Stream stream);

// y[r, :] += sums[r, :] of rows that lent something.
struct TakeBackArgs {
  const std::int32_t* rows_lent = nullptr;
  const float* sums = nullptr;  // [rows, dim], pinned host memory
  float* y = nullptr;
  std::size_t rows = 0, dim = 0;
};
[[nodiscard]] LaunchError take_back(const TakeBackArgs& args, Stream stream);

}  // namespace ambit::inference::ops::cuda
