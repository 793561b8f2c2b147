#include "inference/device/expert_store.h"

#include <algorithm>
#include <array>
#include <new>

#include "daemon/support/trace.h"
#include "inference/weights/mxfp4.h"

namespace ambit::inference {
namespace {

using ops::Matrix;
using ops::MatrixType;

constexpr std::array<Matrix ExpertWeights::*, 3> kMatrices = {
    &ExpertWeights::w1, &ExpertWeights::w3, &ExpertWeights::w2};

std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

// From so many rows on nearly every expert is chosen by one.
constexpr std::size_t kStagedRows = 128;

// What tokens choose is saved after so many, and in the end.
constexpr std::size_t kSaveEvery = 65536;

// Of a step of so many tokens: few enough not to be felt, and more where much was learnt.
std::size_t exchanges_of(std::size_t tokens) {
  return std::clamp<std::size_t>(tokens / 16, 2, 64);
}

}  // namespace

bool unpacks(const Matrix& m) {
  return m.type == MatrixType::kBlocks && m.blocks == ops::BlockFormat::kMxfp4;
}

Matrix device_form(const Matrix& m, std::vector<std::uint8_t>& room) {
  if (!unpacks(m)) return m;
  const std::size_t blocks = m.rows * m.cols / 32;
  room.resize(17 * blocks);
  unpack_mxfp4(reinterpret_cast<const std::uint8_t*>(m.data), blocks, room.data(),
               room.data() + 16 * blocks);
  Matrix out = m;
  out.type = MatrixType::kFp4Group32;
  out.data = reinterpret_cast<const std::byte*>(room.data());
  out.scales = room.data() + 16 * blocks;
  return out;
}

std::size_t matrix_data_bytes(const Matrix& m) {
  switch (m.type) {
    case MatrixType::kF32:
      return m.rows * m.cols * 4;
    case MatrixType::kFp8Block128:
      return m.rows * m.cols;
    case MatrixType::kFp4Group32:
      return m.rows * m.cols / 2;
    default:
      return m.rows * m.cols * 2;
  }
}

std::size_t matrix_scale_bytes(const Matrix& m) {
  if (m.type == MatrixType::kFp8Block128) return (m.rows + 127) / 128 * ((m.cols + 127) / 128);
  return m.type == MatrixType::kFp4Group32 ? m.rows * (m.cols / 32) : 0;
}

ExpertStore::ExpertStore(Device& device,
                         const std::vector<const std::vector<ExpertWeights>*>& blocks,
                         std::uint64_t card_bytes, const ExpertSetup& setup)
    : device_(device),
      experts_(blocks[0]->size()),
      use_file_(setup.use_file),
      model_fingerprint_(setup.fingerprint),
      fingerprint_(setup.fingerprint) {
  for (std::size_t m = 0; m < 3; ++m) {
    const Matrix first = device_form(blocks[0]->front().*kMatrices[m], room_);
    Part& p = parts_[m];
    p.data = slot_bytes_;
    p.data_bytes = matrix_data_bytes(first);
    p.scales = p.data + aligned(p.data_bytes);
    p.scale_bytes = matrix_scale_bytes(first);
    slot_bytes_ = p.scales + aligned(p.scale_bytes);
  }
  const std::size_t all = blocks.size() * experts_;
  const std::size_t fit = setup.cpu ? std::min<std::size_t>(card_bytes / slot_bytes_, all)
                                    : places(card_bytes, blocks.size());
  counts_ = DeviceBuffer(device_, all * sizeof(std::uint32_t));
  device_.clear(counts_.data(), counts_.size());
  const std::vector<bool> on_card = choose(setup, blocks.size(), fit);
  if (setup.cpu && fit != all) {
    cpu_bytes_ = (all - use_->binding().on_card()) * slot_bytes_;
    fingerprint_ = use_->binding().fingerprint(setup.fingerprint, ops::simd_name());
    cold_ = std::make_unique<ColdExperts>(device_, *setup.config, setup.numerics, blocks,
                                          setup.files, use_->binding(), setup.threads);
  }
  for (const std::vector<ExpertWeights>* block : blocks) add_block(*block, on_card);
  if (fit == all) return;
  host_counts_ = DeviceBuffer(device_, counts_.size(), DeviceBuffer::Place::kHost);
  hot_.emplace(blocks.size(), experts_, on_card);
  if (!cold_) exchange_ = DeviceBuffer(device_, slot_bytes_);
}

ExpertStore::~ExpertStore() {
  if (unsaved_ != 0) save_use();
  const ops::cuda::Api& api = device_.api();
  if (copies_ != nullptr) {
    (void)api.wait(copies_);
    api.end_stream(copies_);
  }
  for (void* event : {staged_[0], staged_[1], read_[0], read_[1]}) {
    if (event != nullptr) api.end_event(event);
  }
}

// How many experts get a slot on the card, and whether the rest is staged.
std::size_t ExpertStore::places(std::uint64_t card_bytes, std::size_t blocks) {
  const std::size_t all = blocks * experts_;
  const std::size_t fit = std::min<std::size_t>(card_bytes / slot_bytes_, all);
  if (fit == all || blocks < 3) return fit;
  // With n places, two buffers of (all - n) / blocks slots: n + 2 (all - n) / blocks = fit.
  const std::size_t two = 2 * experts_;
  if (fit < 2 * two + 4) return fit;
  const std::size_t n = (fit - two - 4) * blocks / (blocks - 2);  // 4: what rounding may add
  const std::size_t each = (all - n + blocks - 1) / blocks + 1;
  const ops::cuda::Api& api = device_.api();
  device_.use();
  copies_ = api.make_stream();
  for (std::size_t i = 0; i < 2; ++i) {
    staging_[i] = DeviceBuffer(device_, each * slot_bytes_);
    card_bytes_ += staging_[i].size();
    staged_[i] = api.make_event();
    read_[i] = api.make_event();
    if (copies_ == nullptr || staged_[i] == nullptr || read_[i] == nullptr) throw std::bad_alloc();
  }
  return n;
}

// Which experts get the slots on the card, [blocks, experts].
std::vector<bool> ExpertStore::choose(const ExpertSetup& setup, std::size_t blocks,
                                      std::size_t fit) {
  std::vector<bool> on_card(blocks * experts_, true);
  if (fit == on_card.size()) return on_card;
  use_.emplace(blocks, experts_);
  if (!use_file_.empty()) {
    auto known = ExpertUse::load(use_file_, setup.fingerprint, blocks, experts_);
    if (known) {
      use_ = std::move(*known);
    } else if (known.error().code != Code::kNotFound) {
      log(LogLevel::kWarning, "engine", known.error().message);
    }
  }
  if (setup.cpu) {
    const ExpertBinding& binding = use_->bind(fit);
    for (std::size_t i = 0; i < on_card.size(); ++i) on_card[i] = binding.cpu[i] == 0;
    return on_card;
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t here = fit * (b + 1) / blocks - fit * b / blocks;
    for (std::size_t e = here; e < experts_; ++e) on_card[b * experts_ + e] = false;
  }
  return on_card;
}

void ExpertStore::add_block(const std::vector<ExpertWeights>& experts,
                            const std::vector<bool>& on_card) {
  const std::size_t index = blocks_.size();
  Block& block = blocks_.emplace_back();
  const auto first = on_card.begin() + static_cast<std::ptrdiff_t>(index * experts_);
  const auto here = static_cast<std::size_t>(
      std::count(first, first + static_cast<std::ptrdiff_t>(experts_), true));
  const std::size_t there = cold_ ? 0 : experts_ - here;
  if (here != 0) block.card = DeviceBuffer(device_, here * slot_bytes_);
  if (there != 0) {
    block.host = DeviceBuffer(device_, there * slot_bytes_, DeviceBuffer::Place::kHost);
  }
  card_bytes_ += here * slot_bytes_;
  host_bytes_ += there * slot_bytes_;
  std::byte* next_here = block.card.data();
  std::byte* next_there = block.host.data();
  for (std::size_t e = 0; e < experts_; ++e) {
    const bool is_here = on_card[index * experts_ + e];
    if (!is_here && cold_) {
      block.slots.push_back(nullptr);  // no kernel looks there
      continue;
    }
    std::byte*& next = is_here ? next_here : next_there;
    std::byte* const slot = next;
    next += slot_bytes_;
    block.slots.push_back(slot);
    for (std::size_t m = 0; m < 3; ++m) {
      const Matrix from = device_form(experts[e].*kMatrices[m], room_);
      device_.copy(slot + parts_[m].data, from.data, parts_[m].data_bytes);
      device_.copy(slot + parts_[m].scales, from.scales, parts_[m].scale_bytes);
    }
  }
  const std::size_t half = 6 * experts_;  // addresses
  block.table = DeviceBuffer(device_, 2 * half * sizeof(const std::byte*));
  block.mirror = DeviceBuffer(device_, block.table.size(), DeviceBuffer::Place::kHost);
  for (std::size_t t = 0; t < 2; ++t) {
    DeviceExperts& tables = block.tables[t];
    ops::cuda::ExpertMatrices* matrices[3] = {&tables.w1, &tables.w3, &tables.w2};
    auto* at = reinterpret_cast<const std::byte**>(block.table.data()) + t * half;
    for (std::size_t m = 0; m < 3; ++m, at += 2 * experts_) {
      const Matrix shape = device_form(experts[0].*kMatrices[m], room_);
      matrices[m]->type = shape.type;
      matrices[m]->rows = shape.rows;
      matrices[m]->cols = shape.cols;
      matrices[m]->data = at;
      if (parts_[m].scale_bytes != 0) {
        matrices[m]->scales = reinterpret_cast<const std::uint8_t* const*>(at + experts_);
      }
    }
    tables.chosen = reinterpret_cast<std::uint32_t*>(counts_.data()) + index * experts_;
    tables.cold = cold_.get();
    tables.block = index;
  }
  write_table(index);
}

void ExpertStore::write_table(std::size_t i) {
  Block& block = blocks_[i];
  auto* to = reinterpret_cast<const std::byte**>(block.mirror.data());
  for (const bool staged : {false, true}) {
    const auto place = [&](const std::byte* slot) {
      const bool away =
          staged && slot >= block.host.data() && slot < block.host.data() + block.host.size();
      return away ? staging_[i % 2].data() + (slot - block.host.data()) : slot;
    };
    for (const Part& p : parts_) {
      for (const std::size_t at : {p.data, p.scales}) {
        for (const std::byte* slot : block.slots) *to++ = slot ? place(slot) + at : nullptr;
      }
    }
  }
  device_.copy(block.table.data(), block.mirror.data(), block.table.size());
}

void ExpertStore::stage(std::size_t i) {
  const ops::cuda::Api& api = device_.api();
  const Block& block = blocks_[i];
  const std::size_t turn = i % 2;
  if (!api.await_event(read_[turn], copies_) ||
      !api.copy(staging_[turn].data(), block.host.data(), block.host.size(), copies_) ||
      !api.record_event(staged_[turn], copies_)) {
    device_.fail("experts cannot be copied to the CUDA device");
  }
}

void ExpertStore::begin(std::size_t rows) {
  staging_now_ = staging_[0].size() != 0 && rows >= kStagedRows;
  if (!staging_now_) return;
  for (void* event : read_) device_.record(event);  // what was queued before, exchanges too
  stage(0);
}

const DeviceExperts& ExpertStore::enter(std::size_t i) {
  if (!staging_now_) return blocks_[i].tables[0];
  if (i + 1 < blocks_.size()) stage(i + 1);
  device_.await(staged_[i % 2]);
  return blocks_[i].tables[1];
}

void ExpertStore::leave(std::size_t i) {
  if (staging_now_) device_.record(read_[i % 2]);
}

void ExpertStore::queue_counts() {
  if (hot_) device_.copy(host_counts_.data(), counts_.data(), counts_.size());
}

void ExpertStore::save_use() const {
  if (use_file_.empty()) return;
  if (auto saved = use_->save(use_file_, model_fingerprint_, file_system()); !saved) {
    log(LogLevel::kWarning, "engine",
        "what tokens choose is not remembered: " + saved.error().message);
  }
}

void ExpertStore::learn(std::size_t tokens) {
  if (!hot_) return;
  const std::span<const std::uint32_t> totals(
      reinterpret_cast<const std::uint32_t*>(host_counts_.data()), blocks_.size() * experts_);
  hot_->observe(totals, tokens);
  use_->add(totals, tokens);
  unsaved_ += tokens;
  if (unsaved_ >= kSaveEvery) {
    save_use();
    unsaved_ = 0;
  }
  if (cold_) return cold_->end();
  std::vector<bool> changed(blocks_.size());
  for (const HotExperts::Exchange& x : hot_->take(exchanges_of(tokens))) {
    Block& block = blocks_[x.layer];
    std::byte*& in = block.slots[x.in];
    std::byte*& out = block.slots[x.out];
    device_.copy(exchange_.data(), in, slot_bytes_);
    device_.copy(in, out, slot_bytes_);
    device_.copy(out, exchange_.data(), slot_bytes_);
    std::swap(in, out);
    changed[x.layer] = true;
  }
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    if (changed[b]) write_table(b);
  }
}

}  // namespace ambit::inference
