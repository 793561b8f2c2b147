// Rows of the state in the formats that they were rounded to (design notes section 3.1), so that
// memory and disk hold 583 bytes for a KV row of 512 values and 68 for an index key of 128. Packing
// a rounded row loses nothing.
//
//   KV row      e4m3[dim - rope], bf16[rope], e8m0[⌈(dim - rope) / 64⌉]; no alignment
//   index keys  of kKeyBlock neighbouring rows together, so that a vector holds four values of many
//               keys: nibbles [⌈dim/8⌉][kKeyBlock][4], then e8m0 [⌈dim/32⌉][kKeyBlock]. Byte j of
//               a key's octet i is value 8i + j in the low nibble, 8i + 4 + j in the high one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ambit::inference::ops {

inline constexpr std::size_t kKeyBlock = 32;

[[nodiscard]] constexpr std::size_t kv_row_bytes(std::size_t dim, std::size_t rope) {
  return (dim - rope) + 2 * rope + (dim - rope + 63) / 64;
}
[[nodiscard]] constexpr std::size_t key_block_bytes(std::size_t dim) {
  return ((dim + 7) / 8 * 4 + (dim + 31) / 32) * kKeyBlock;
}

// x: as round_kv_row leaves it.
void pack_kv_row(const float* x, std::size_t dim, std::size_t rope, std::uint8_t* row);
// n rows, wherever they lie; out: [n, dim].
void unpack_kv_rows_reference(const std::uint8_t* const* rows, std::size_t n, std::size_t dim,
                              std::size_t rope, float* out);
void unpack_kv_rows_cpu(const std::uint8_t* const* rows, std::size_t n, std::size_t dim,
                        std::size_t rope, float* out);

// key: as round_index_row leaves it; column < kKeyBlock.
void pack_key(const float* key, std::size_t dim, std::size_t column, std::uint8_t* block);
void unpack_key(const std::uint8_t* block, std::size_t dim, std::size_t column, float* key);

}  // namespace ambit::inference::ops
