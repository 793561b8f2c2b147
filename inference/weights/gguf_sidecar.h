// Draft blocks of a GGUF model lie in files of their own beside the model's. Which file belongs to
// which model is in their names: V4-Flash-0731-DSpark.gguf and mtp-V4-Flash-BF16.gguf (llama.cpp),
// V4-Flash-MTP-Q4K.gguf (ds4) and V4-Flash-MXFP4-mtp.gguf (ours).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace ambit::inference {

enum class Sidecar : std::uint8_t { kDspark, kMtp };

// Whether the file is called so: "-dspark" or "-mtp" is in its name, or "mtp-" begins it, in
// letters of either case.
[[nodiscard]] bool is_sidecar_name(const std::filesystem::path& file);

// The file of this kind that belongs to a model's: beside it, and what stands before the mark
// begins the model's name too; of a name that begins with the mark, what stands behind it, with or
// without its last word, which says how it is quantised. Of several the one that has more in
// common.
[[nodiscard]] std::optional<std::filesystem::path> find_sidecar(const std::filesystem::path& model,
                                                                Sidecar kind);

// Where Ambit writes it: MODEL-dspark.gguf, MODEL-mtp.gguf.
[[nodiscard]] std::filesystem::path sidecar_file(const std::filesystem::path& model, Sidecar kind);

}  // namespace ambit::inference
