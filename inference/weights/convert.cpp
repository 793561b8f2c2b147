#include "inference/weights/convert.h"

#include <bit>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "daemon/support/file.h"
#include "inference/ops/gemm.h"
#include "inference/weights/checkpoint.h"
#include "inference/weights/gguf_dspark.h"
#include "inference/weights/gguf_metadata.h"
#include "inference/weights/gguf_mtp.h"
#include "inference/weights/gguf_names.h"
#include "inference/weights/gguf_sidecar.h"
#include "inference/weights/gguf_writer.h"
#include "inference/weights/mxfp4.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

bool ends(std::string_view s, std::string_view with) {
  return s.ends_with(with);
}

std::string scale_name(const std::string& weight) {
  return weight.substr(0, weight.size() - std::string_view("weight").size()) + "scale";
}

// A matrix of the checkpoint, whatever its format; null rows when it is none.
Result<ops::Matrix> matrix_of(const TensorMap& tensors, const std::string& name, const Tensor& t) {
  ops::Matrix m;
  m.rows = static_cast<std::size_t>(t.shape.size() == 2 ? t.shape[0] : 1);
  m.cols = static_cast<std::size_t>(t.elements()) / std::max<std::size_t>(m.rows, 1);
  m.data = t.data.data();
  const auto scales = [&](std::size_t want) -> Result<void> {
    const auto it = ends(name, ".weight") ? tensors.find(scale_name(name)) : tensors.end();
    if (it == tensors.end() || it->second.data.size() != want) {
      return make_error(Code::kCorrupt, "tensor " + name + " has no scales of its shape");
    }
    m.scales = reinterpret_cast<const std::uint8_t*>(it->second.data.data());
    return {};
  };
  switch (t.type) {
    case TensorType::kF32:
      m.type = ops::MatrixType::kF32;
      break;
    case TensorType::kF16:
      m.type = ops::MatrixType::kF16;
      break;
    case TensorType::kBf16:
      m.type = ops::MatrixType::kBf16;
      break;
    case TensorType::kBlocks:
      m.type = ops::MatrixType::kBlocks;
      m.blocks = t.blocks;
      break;
    case TensorType::kF8E4m3:
      m.type = ops::MatrixType::kFp8Block128;
      AMBIT_CHECK_OK(scales((m.rows + 127) / 128 * ((m.cols + 127) / 128)));
      break;
    case TensorType::kI8:
    case TensorType::kU8:
      m.type = ops::MatrixType::kFp4Group32;
      m.cols *= 2;
      if (m.cols % 32 != 0) {
        return make_error(Code::kCorrupt,
                          "tensor " + name + " has a row that is no multiple of 32");
      }
      AMBIT_CHECK_OK(scales(m.rows * m.cols / 32));
      break;
    default:
      return make_error(Code::kUnsupported, "tensor " + name + " has dtype " +
                                                std::string(dtype_name(t)) + ", no number format");
  }
  return m;
}

std::string floats_of(const ops::Matrix& m) {
  std::string out(4 * m.rows * m.cols, '\0');
  std::vector<float> row(m.cols);
  for (std::size_t r = 0; r < m.rows; ++r) {
    ops::unpack_row(m, r, row.data());
    std::memcpy(out.data() + 4 * r * m.cols, row.data(), 4 * m.cols);
  }
  return out;
}

// Of values that BF16 holds: FP8 codes times powers of two.
std::string halves_of(const ops::Matrix& m) {
  const std::string wide = floats_of(m);
  std::string out(wide.size() / 2, '\0');
  for (std::size_t i = 0; i < out.size() / 2; ++i) std::memcpy(&out[2 * i], &wide[4 * i + 2], 2);
  return out;
}

// FP4 rows as MXFP4 blocks of 32: the scale, then values i and i + 16 in one byte.
std::string mxfp4_of(const ops::Matrix& m) {
  const std::size_t blocks = m.rows * m.cols / 32;
  std::string out(17 * blocks, '\0');
  const auto* in = reinterpret_cast<const std::uint8_t*>(m.data);
  for (std::size_t b = 0; b < blocks; ++b) {
    out[17 * b] = static_cast<char>(m.scales[b]);
    const auto code = [&](std::size_t i) {
      return in[16 * b + i / 2] >> (i % 2 == 0 ? 0U : 4U) & 15U;
    };
    for (std::size_t i = 0; i < 16; ++i)
      out[17 * b + 1 + i] = static_cast<char>(code(i) | code(i + 16) << 4U);
  }
  return out;
}

// And back: packed pairs and scales.
std::pair<std::string, std::string> fp4_of(const Tensor& t) {
  const std::size_t blocks = t.data.size() / kMxfp4Bytes;
  std::pair<std::string, std::string> out(std::string(16 * blocks, '\0'),
                                          std::string(blocks, '\0'));
  unpack_mxfp4(reinterpret_cast<const std::uint8_t*>(t.data.data()), blocks,
               reinterpret_cast<std::uint8_t*>(out.first.data()),
               reinterpret_cast<std::uint8_t*>(out.second.data()));
  return out;
}

std::string raw(const Tensor& t) {
  return {reinterpret_cast<const char*>(t.data.data()), t.data.size()};
}

// --- to GGUF ---------------------------------------------------------------------------------

// What a tensor becomes, decided without touching its data.
GgufType gguf_type(const Tensor& t) {
  if (t.type == TensorType::kI64 || t.type == TensorType::kI32) return GgufType::kI32;
  if (t.shape.size() < 2) return GgufType::kF32;
  switch (t.type) {
    case TensorType::kF16:
      return GgufType::kF16;
    case TensorType::kBf16:
    case TensorType::kF8E4m3:
      return GgufType::kBf16;
    case TensorType::kI8:
    case TensorType::kU8:
      return GgufType::kMxfp4;
    default:
      return GgufType::kF32;
  }
}

Result<std::string> gguf_data(const TensorMap& tensors, const std::string& name, const Tensor& t) {
  switch (gguf_type(t)) {
    case GgufType::kI32: {
      if (t.type == TensorType::kI32) return raw(t);
      std::string out(t.data.size() / 2, '\0');
      for (std::size_t i = 0; i < out.size() / 4; ++i)
        std::memcpy(&out[4 * i], t.data.data() + 8 * i, 4);
      return out;
    }
    case GgufType::kF16:
      return raw(t);
    case GgufType::kBf16: {
      if (t.type == TensorType::kBf16) return raw(t);
      AMBIT_TRY(m, matrix_of(tensors, name, t));
      return halves_of(m);
    }
    case GgufType::kMxfp4: {
      AMBIT_TRY(m, matrix_of(tensors, name, t));
      return mxfp4_of(m);
    }
    case GgufType::kF32:
      break;
  }
  AMBIT_TRY(m, matrix_of(tensors, name, t));
  return floats_of(m);
}

// A tensor, or the stack of all experts that expert 0 speaks for; nothing for what goes with
// another.
Result<std::optional<GgufTensor>> gguf_tensor(const Checkpoint& c, const std::string& name,
                                              const Tensor& t, const std::string& to) {
  if (ends(name, ".scale") && c.tensors.contains(name.substr(0, name.size() - 5) + "weight")) {
    return std::optional<GgufTensor>();
  }
  if (to.empty()) {
    return make_error(Code::kUnsupported, "tensor " + name + " has no name in a GGUF file");
  }
  GgufTensor out{.name = to, .type = gguf_type(t), .shape = t.shape, .parts = {}};
  if (out.type == GgufType::kMxfp4) out.shape.back() *= 2;
  const std::size_t expert = name.find(".ffn.experts.");
  if (expert == std::string::npos) {
    out.parts.emplace_back([&c, &name, &t] { return gguf_data(c.tensors, name, t); });
    return std::optional(std::move(out));
  }
  const std::string at = name.substr(0, expert + 13);
  if (!name.substr(at.size()).starts_with("0.")) return std::optional<GgufTensor>();
  const std::string part = name.substr(at.size() + 1);
  const std::size_t n = c.config.n_routed_experts;
  out.shape.insert(out.shape.begin(), static_cast<std::int64_t>(n));
  for (std::size_t e = 0; e < n; ++e) {
    const std::string one = at + std::to_string(e) + part;
    const auto it = c.tensors.find(one);
    if (it == c.tensors.end() || it->second.type != t.type || it->second.shape != t.shape) {
      return make_error(Code::kCorrupt, "tensor " + one + " is missing or unlike expert 0's");
    }
    out.parts.emplace_back([&c, one, &x = it->second] { return gguf_data(c.tensors, one, x); });
  }
  return std::optional(std::move(out));
}

constexpr std::string_view kFromToken = "mtp.0.e_proj.weight";
constexpr std::string_view kFromStreams = "mtp.0.h_proj.weight";

// The MTP block's two projections as the one that split_projections cuts.
Result<GgufTensor> joined_projections(const Checkpoint& c) {
  const auto a = c.tensors.find(kFromToken);
  const auto b = c.tensors.find(kFromStreams);
  if (a == c.tensors.end() || b == c.tensors.end() || a->second.shape.size() != 2 ||
      a->second.shape != b->second.shape || gguf_type(a->second) != gguf_type(b->second)) {
    return make_error(Code::kUnsupported,
                      "tensors mtp.0.e_proj and mtp.0.h_proj are not both there and of one form");
  }
  GgufTensor out{
      .name = "blk." + std::to_string(c.config.num_hidden_layers) + ".nextn.eh_proj.weight",
      .type = gguf_type(a->second),
      .shape = a->second.shape,
      .parts = {}};
  out.shape.back() *= out.type == GgufType::kMxfp4 ? 4 : 2;
  out.parts.emplace_back([&c, a, b]() -> Result<std::string> {
    AMBIT_TRY(e, gguf_data(c.tensors, a->first, a->second));
    AMBIT_TRY(h, gguf_data(c.tensors, b->first, b->second));
    const std::size_t row = e.size() / static_cast<std::size_t>(a->second.shape[0]);
    std::string both;
    both.reserve(2 * e.size());
    for (std::size_t at = 0; at < e.size(); at += row) {
      both.append(e, at, row).append(h, at, row);
    }
    return both;
  });
  return out;
}

Result<Conversion> to_gguf(const Checkpoint& c, const fs::path& in, const fs::path& out) {
  GgufWriter model;
  AMBIT_CHECK_OK(write_gguf_metadata(c.config, in, GgufContent::kModel, model));
  GgufWriter draft;
  const bool dspark = c.tensors.contains("mtp.0.main_proj.weight");
  const bool mtp = !dspark && c.tensors.contains("mtp.0.enorm.weight");
  if (dspark || mtp) {
    AMBIT_CHECK_OK(write_gguf_metadata(c.config, in,
                                       dspark ? GgufContent::kDspark : GgufContent::kMtp, draft));
  }
  for (const auto& [name, t] : c.tensors) {
    const bool of_draft = name.starts_with("mtp.");
    if (mtp && (name == kFromToken || name == kFromStreams)) continue;
    const std::string to = !of_draft ? gguf_name(name)
                           : dspark  ? gguf_dspark_name(name, c.config.draft_blocks())
                                     : gguf_mtp_name(name, c.config.num_hidden_layers);
    AMBIT_TRY(tensor, gguf_tensor(c, name, t, to));
    if (!tensor) continue;
    // llama.cpp wants these in the MTP block's file too.
    if (mtp && (name == "embed.weight" || name == "head.weight" || name == "norm.weight")) {
      draft.add(*tensor);
    }
    (of_draft ? draft : model).add(std::move(*tensor));
  }
  if (mtp) {
    AMBIT_TRY(projections, joined_projections(c));
    draft.add(std::move(projections));
  }
  Conversion done;
  done.tensors = model.size() + draft.size();
  AMBIT_TRY(bytes, model.write(out));
  done.bytes = bytes;
  if (draft.size() > 0) {
    AMBIT_TRY(more, draft.write(sidecar_file(out, dspark ? Sidecar::kDspark : Sidecar::kMtp)));
    done.bytes += more;
  }
  return done;
}

// --- to safetensors --------------------------------------------------------------------------

struct Entry {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;
  std::function<Result<std::string>()> data;
};

std::vector<Entry> safetensors_entries(const Checkpoint& c) {
  std::vector<Entry> out;
  for (const auto& entry : c.tensors) {
    const std::string& name = entry.first;
    const Tensor& t = entry.second;
    if (t.type != TensorType::kBlocks) {
      out.push_back({name, std::string(dtype_name(t)), t.shape, t.data.size(),
                     [&t] { return Result<std::string>(raw(t)); }});
      continue;
    }
    if (t.blocks == ops::BlockFormat::kMxfp4 && ends(name, ".weight")) {
      std::vector<std::int64_t> pairs = t.shape;
      pairs.back() /= 2;
      std::vector<std::int64_t> groups = t.shape;
      groups.back() /= 32;
      const std::uint64_t n = t.data.size() / 17;
      out.push_back(
          {name, "I8", pairs, 16 * n, [&t] { return Result<std::string>(fp4_of(t).first); }});
      out.push_back({scale_name(name), "F8_E8M0", groups, n,
                     [&t] { return Result<std::string>(fp4_of(t).second); }});
      continue;
    }
    out.push_back({name, "F32", t.shape, 4 * static_cast<std::uint64_t>(t.elements()),
                   [&c, &name, &t]() -> Result<std::string> {
                     AMBIT_TRY(m, matrix_of(c.tensors, name, t));
                     return floats_of(m);
                   }});
  }
  return out;
}

Result<Conversion> to_safetensors(const Checkpoint& c, const fs::path& in, const fs::path& out) {
  std::error_code ec;
  fs::create_directories(out, ec);
  if (ec) return make_error(Code::kIo, "cannot make " + out.string() + ": " + ec.message());
  const std::vector<Entry> entries = safetensors_entries(c);
  Json header = Json::object();
  std::uint64_t at = 0;
  for (const Entry& e : entries) {
    header[e.name] = {{"dtype", e.dtype}, {"shape", e.shape}, {"data_offsets", {at, at + e.bytes}}};
    at += e.bytes;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const fs::path file = out / "model.safetensors";
  std::ofstream to(file, std::ios::binary | std::ios::trunc);
  const std::uint64_t length = text.size();
  to.write(reinterpret_cast<const char*>(&length), 8);
  to << text;
  for (const Entry& e : entries) {
    AMBIT_TRY(data, e.data());
    to.write(data.data(), static_cast<std::streamsize>(data.size()));
  }
  std::ofstream config(out / "config.json", std::ios::trunc);
  config << c.config_json << '\n';
  to.close();
  config.close();
  if (!to || !config) {
    return make_error(Code::kIo, "cannot write " + file.string() + ": is the disk full?");
  }
  Conversion done;
  done.tensors = entries.size();
  done.bytes = 8 + text.size() + at;
  const fs::path beside = (fs::is_directory(in, ec) ? in : in.parent_path()) / "tokenizer.json";
  if (fs::exists(beside, ec)) {
    fs::copy_file(beside, out / "tokenizer.json", ec);
  } else {
    done.left_out = "no tokenizer.json was beside the weights, so none is beside the new ones";
  }
  return done;
}

// What a conversion writes.
std::vector<fs::path> outputs(const fs::path& out, Container to) {
  if (to == Container::kSafetensors) {
    return {out / "model.safetensors", out / "config.json", out / "tokenizer.json"};
  }
  return {out, sidecar_file(out, Sidecar::kMtp), sidecar_file(out, Sidecar::kDspark)};
}

}  // namespace

Result<Conversion> convert_checkpoint(const fs::path& in, const fs::path& out, Container to) {
  std::error_code ec;
  for (const fs::path& file : outputs(out, to)) {
    if (fs::exists(file, ec)) {
      return make_error(Code::kInvalidArgument, file.string() + " exists; name another output");
    }
  }
  AMBIT_TRY(checkpoint, open_checkpoint(in));
  if (to == Container::kGguf && checkpoint.format == "gguf") {
    return make_error(Code::kUnsupported, in.string() + " is a GGUF file already");
  }
  auto done =
      to == Container::kGguf ? to_gguf(checkpoint, in, out) : to_safetensors(checkpoint, in, out);
  if (!done) {
    // Half a checkpoint helps nobody, and would be in the way of the next try.
    for (const fs::path& file : outputs(out, to)) fs::remove(file, ec);
  }
  return done;
}

}  // namespace ambit::inference
