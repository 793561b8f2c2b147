#include "inference/device/cold_experts.h"

#include <algorithm>
#include <new>

#include "inference/device/step_rows.h"
#include "inference/model/moe.h"

namespace ambit::inference {

namespace cuda = ops::cuda;

ColdExperts::ColdExperts(Device& device, const ModelConfig& config, Numerics numerics,
                         const std::vector<const std::vector<ExpertWeights>*>& blocks,
                         std::shared_ptr<const void> files, const ExpertBinding& binding,
                         unsigned threads)
    : device_(device), config_(config), pool_(threads), files_(std::move(files)) {
  step_.config = &config_;
  step_.ops = ops::cpu_ops();
  step_.pool = &pool_;
  step_.scratch = &scratch_;
  // On a card fast is release (device_model.h).
  step_.numerics = numerics == Numerics::kPlain ? Numerics::kPlain : Numerics::kRelease;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    Block& block = blocks_.emplace_back();
    for (std::size_t e = 0; e < binding.experts; ++e) {
      if (!binding.is_cpu(b, e)) continue;
      block.experts.push_back(static_cast<std::int32_t>(e));
      block.weights.push_back((*blocks[b])[e]);
    }
  }
  const cuda::Api& api = device_.api();
  lent_ = DeviceBuffer(device_, binding.cpu.size());
  device_.copy(lent_.data(), binding.cpu.data(), binding.cpu.size());
  few_ = make_room(kRecordedRows);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (std::size_t n = 1; n <= kRecordedRows; ++n) jobs_.push_back({this, b, n, &few_});
  }
  device_.use();
  calls_ = api.make_stream();
  lent_event_ = api.make_event();
  computed_event_ = api.make_event();
  if (calls_ == nullptr || lent_event_ == nullptr || computed_event_ == nullptr) {
    throw std::bad_alloc();
  }
}

ColdExperts::~ColdExperts() {
  const cuda::Api& api = device_.api();
  if (calls_ != nullptr) {
    (void)api.wait(calls_);
    api.end_stream(calls_);
  }
  for (void* event : {lent_event_, computed_event_}) {
    if (event != nullptr) api.end_event(event);
  }
}

ColdExperts::Room ColdExperts::make_room(std::size_t rows) {
  const std::size_t n = rows * config_.num_experts_per_tok, dim = config_.hidden_size;
  const auto whole = [](std::size_t count) { return (count + 63) / 64 * 64; };  // of 4-byte numbers
  const std::size_t begin = whole(config_.n_routed_experts + 1), entries = whole(n);
  const std::size_t x = whole(rows * dim);
  Room room;
  room.rows = rows;
  room.memory = DeviceBuffer(device_, (begin + 2 * entries + 2 * x) * sizeof(float),
                             DeviceBuffer::Place::kHost);
  auto* at = reinterpret_cast<float*>(room.memory.data());
  room.lent.begin = reinterpret_cast<std::int32_t*>(at);
  room.lent.row = reinterpret_cast<std::int32_t*>(at + begin);
  room.lent.weight = at + begin + entries;
  room.lent.x = at + begin + 2 * entries;
  room.sums = room.lent.x + x;
  return room;
}

const ColdExperts::Room& ColdExperts::room_for(std::size_t rows) {
  if (rows <= few_.rows) return few_;
  if (rows > many_.rows) {
    (void)device_.wait();  // nothing may still use the old one
    many_ = make_room(rows);
  }
  return many_;
}

ColdExperts::Job* ColdExperts::job_for(std::size_t block, std::size_t rows) {
  if (rows <= kRecordedRows) return &jobs_[block * kRecordedRows + rows - 1];
  return &many_jobs_.emplace_back(Job{this, block, rows, &many_});
}

void ColdExperts::end() {
  hold_.reset();
  many_jobs_.clear();
}

void ColdExperts::lend(const Rows& r) {
  if (blocks_[r.block].experts.empty() || r.rows == 0) return;
  const Room& room = room_for(r.rows);
  cuda::LendArgs a;
  a.assignment = r.assignment;
  a.ids = r.ids;
  a.lent = reinterpret_cast<const std::uint8_t*>(lent_.data()) + r.block * config_.n_routed_experts;
  a.rows = r.rows;
  a.k = static_cast<int>(r.k);
  a.experts = static_cast<int>(config_.n_routed_experts);
  a.x = r.x;
  a.form = r.form;
  a.to = room.lent;
  a.out = r.out;
  a.rows_lent = r.lent_rows;
  const cuda::Api& api = device_.api();
  device_.run(api.lend, a, "lend");
  device_.record(lent_event_);
  if (!api.await_event(lent_event_, calls_) ||
      !api.call_host(
          [](void* context) {
            const auto* job = static_cast<const Job*>(context);
            job->owner->compute(*job);
          },
          job_for(r.block, r.rows), calls_) ||
      !api.record_event(computed_event_, calls_)) {
    device_.fail("the CUDA device does not call the CPU");
  }
}

void ColdExperts::take_back(const Rows& r, float* y) {
  if (blocks_[r.block].experts.empty() || r.rows == 0) return;
  device_.await(computed_event_);
  cuda::TakeBackArgs a;
  a.rows_lent = r.lent_rows;
  a.sums = room_for(r.rows).sums;
  a.y = y;
  a.rows = r.rows;
  a.dim = config_.hidden_size;
  device_.run(device_.api().take_back, a, "take_back");
}

// Whether the card's numbers can be walked along.
bool ColdExperts::makes_sense(const Job& job) const {
  const cuda::LentRows& lent = job.room->lent;
  const auto n = static_cast<std::int32_t>(job.rows * config_.num_experts_per_tok);
  for (const std::int32_t e : blocks_[job.block].experts) {
    const std::int32_t first = lent.begin[e], end = lent.begin[e + 1];
    if (first < 0 || first > end || end > n) return false;
    for (std::int32_t i = first; i < end; ++i) {
      if (lent.row[i] < 0 || static_cast<std::size_t>(lent.row[i]) >= job.rows) return false;
    }
  }
  return true;
}

void ColdExperts::compute(const Job& job) {
  if (!makes_sense(job)) {
    device_.fail_later("the CUDA device gave the CPU rows that are not there");
    return;
  }
  try {
    if (!hold_) hold_.emplace(pool_);
    const cuda::LentRows& lent = job.room->lent;
    const Block& block = blocks_[job.block];
    const std::size_t dim = config_.hidden_size;
    scratch_.reset();
    std::fill_n(job.room->sums, job.rows * dim, 0.0F);
    for (std::size_t i = 0; i < block.experts.size(); ++i) {
      const std::int32_t first = lent.begin[block.experts[i]];
      const auto n = static_cast<std::size_t>(lent.begin[block.experts[i] + 1] - first);
      if (n == 0) continue;
      const std::int32_t* rows = lent.row + first;
      const ScratchScope scope(scratch_);
      const float* in = lent.x + static_cast<std::size_t>(rows[0]) * dim;
      if (n > 1) {
        float* gathered = scratch_.take(n * dim);
        for (std::size_t r = 0; r < n; ++r) {
          std::copy_n(lent.x + static_cast<std::size_t>(rows[r]) * dim, dim, gathered + r * dim);
        }
        in = gathered;
      }
      float* out = scratch_.take(n * dim);
      run_expert(step_, block.weights[i], {in, dim, n}, lent.weight + first, out);
      for (std::size_t r = 0; r < n; ++r) {
        float* sum = job.room->sums + static_cast<std::size_t>(rows[r]) * dim;
        for (std::size_t d = 0; d < dim; ++d) sum[d] += out[r * dim + d];
      }
    }
  } catch (const std::bad_alloc&) {
    device_.fail_later("there is no memory for the experts that the CPU computes");
  }
}

}  // namespace ambit::inference
