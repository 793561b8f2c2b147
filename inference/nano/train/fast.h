// Matrix products and small row helpers of fast.cpp and fast_blocks.cpp. Row-major fp32.
#pragma once
#include <cblas.h>

#include <cstdint>

namespace fast {

using i64 = std::int64_t;

/// c[m,n] = a[m,k] b[n,k]^T (+ c where `add`).
inline void nt(i64 m, i64 n, i64 k, const float* a, i64 lda, const float* b, i64 ldb, float* c,
               i64 ldc, bool add = false) {
  if (m > 0 && n > 0)
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, a, lda, b, ldb, add, c, ldc);
}
/// c[m,n] = a[m,k] b[k,n].
inline void nn(i64 m, i64 n, i64 k, const float* a, i64 lda, const float* b, i64 ldb, float* c,
               i64 ldc, bool add = false) {
  if (m > 0 && n > 0)
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, lda, b, ldb, add, c, ldc);
}
/// c[m,n] = a[k,m]^T b[k,n].
inline void tn(i64 m, i64 n, i64 k, const float* a, i64 lda, const float* b, i64 ldb, float* c,
               i64 ldc, bool add = false) {
  if (m > 0 && n > 0 && k > 0)
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1, a, lda, b, ldb, add, c, ldc);
}

inline float dot(const float* a, const float* b, i64 n) {
  float sum = 0;
  for (i64 i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// Rotates the pairs of x[0..2*half) by the angles; `sign` -1 turns back.
inline void turn(float* x, const float* cos, const float* sin, i64 half, float sign) {
  for (i64 p = 0; p < half; ++p) {
    const float a = x[2 * p], b = x[2 * p + 1], s = sign * sin[p];
    x[2 * p] = a * cos[p] - b * s;
    x[2 * p + 1] = a * s + b * cos[p];
  }
}

}  // namespace fast
