// The parts of nano's graph that plain tensor operations do slowly: stream mixing with Sinkhorn,
// windowed attention with compressed rows and a sink, grouped experts, cross entropy, RMS norm with
// rotation; each forward and backward. fp32, row-major, one thread, no allocation kept between
// calls. fast.py compiles this file and wraps it for autograd; model.py is the definition that
// fast_test.py holds it to.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fast.h"

using namespace fast;

namespace {

constexpr int kStreams = 4, kMix = (2 + kStreams) * kStreams, kLanes = 8, kMaxIters = 40;
typedef float v8 __attribute__((vector_size(32)));

/// Sinkhorn of eight tokens' 4x4 matrices; the states after every division and the inverse sums.
struct Sinkhorn {
  v8 soft[16];
  v8 state[2 * kMaxIters][16], inverse[2 * kMaxIters][4];
  int steps = 0;

  void forward(const v8* logits, float eps, int iters) {
    for (int i = 0; i < 4; ++i) {
      v8 top = logits[4 * i];
      for (int j = 1; j < 4; ++j)
        for (int l = 0; l < kLanes; ++l) top[l] = std::max(top[l], logits[4 * i + j][l]);
      v8 sum = {};
      for (int j = 0; j < 4; ++j) {
        float in[kLanes];
        for (int l = 0; l < kLanes; ++l) in[l] = logits[4 * i + j][l] - top[l];
        for (int l = 0; l < kLanes; ++l) in[l] = expf(in[l]);
        std::memcpy(&soft[4 * i + j], in, sizeof in);
        sum += soft[4 * i + j];
      }
      for (int j = 0; j < 4; ++j) soft[4 * i + j] /= sum;
    }
    v8 c[16];
    for (int e = 0; e < 16; ++e) c[e] = soft[e] + eps;
    steps = 0;
    for (int it = 0; it < iters; ++it) {
      if (it > 0) divide(c, eps, 4, 1);
      divide(c, eps, 1, 4);
    }
  }
  /// Divides line l (elements l*across + m*along) by its sum.
  void divide(v8* c, float eps, int across, int along) {
    for (int l = 0; l < 4; ++l) {
      v8* at = c + l * across;
      const v8 inv = 1.0f / (at[0] + at[along] + at[2 * along] + at[3 * along] + eps);
      inverse[steps][l] = inv;
      for (int m = 0; m < 4; ++m) at[m * along] *= inv;
    }
    std::memcpy(state[steps++], c, sizeof(v8) * 16);
  }
  const v8* result() const { return state[steps - 1]; }
  /// g: gradient of the result, becomes the gradient of the logits.
  void backward(v8* g) const {
    for (int k = steps - 1; k >= 0; --k) {
      const int across = k % 2 == 0 ? 1 : 4, along = 5 - across;
      for (int l = 0; l < 4; ++l) {
        v8* at = g + l * across;
        const v8* c = state[k] + l * across;
        v8 sum = {};
        for (int m = 0; m < 4; ++m) sum += at[m * along] * c[m * along];
        for (int m = 0; m < 4; ++m) at[m * along] = (at[m * along] - sum) * inverse[k][l];
      }
    }
    for (int i = 0; i < 4; ++i) {
      v8 sum = {};
      for (int j = 0; j < 4; ++j) sum += g[4 * i + j] * soft[4 * i + j];
      for (int j = 0; j < 4; ++j) g[4 * i + j] = soft[4 * i + j] * (g[4 * i + j] - sum);
    }
  }
};

/// Logits of the mixing matrices of tokens [t, t+8), last ones repeated at the end.
void mix_logits(const float* m, const float* scale, const float* base, i64 t, i64 n, v8* out) {
  for (int e = 0; e < 16; ++e)
    for (int l = 0; l < kLanes; ++l)
      out[e][l] = m[std::min(t + l, n - 1) * kMix + 8 + e] * scale[2] + base[8 + e];
}

float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}

}  // namespace

extern "C" {

/// x [n,4,d] to the collapsed y [n,d], post [n,4], comb [n,4,4] (from, to); keeps m [n,24], r [n].
void hc_forward(i64 n, i64 d, int iters, float eps, float hc_eps, const float* x, const float* fn,
                const float* scale, const float* base, float* m, float* r, float* y, float* post,
                float* comb) {
  const i64 w = kStreams * d;
  nt(n, kMix, w, x, w, fn, w, m, kMix);
  for (i64 t = 0; t < n; ++t) {
    const float* xt = x + t * w;
    r[t] = 1 / std::sqrt(dot(xt, xt, w) / w + eps);
    float* mt = m + t * kMix;
    for (int i = 0; i < kMix; ++i) mt[i] *= r[t];
    float pre[4];
    for (int s = 0; s < 4; ++s) {
      pre[s] = sigmoid(mt[s] * scale[0] + base[s]) + hc_eps;
      post[t * 4 + s] = 2 * sigmoid(mt[4 + s] * scale[1] + base[4 + s]);
    }
    for (i64 i = 0; i < d; ++i)
      y[t * d + i] =
          pre[0] * xt[i] + pre[1] * xt[d + i] + pre[2] * xt[2 * d + i] + pre[3] * xt[3 * d + i];
  }
  Sinkhorn sinkhorn;
  for (i64 t = 0; t < n; t += kLanes) {
    v8 logits[16];
    mix_logits(m, scale, base, t, n, logits);
    sinkhorn.forward(logits, hc_eps, iters);
    for (int l = 0; l < kLanes && t + l < n; ++l)
      for (int e = 0; e < 16; ++e) comb[(t + l) * 16 + e] = sinkhorn.result()[e][l];
  }
}

/// Gradients of x [n,4,d], fn, scale [3], base [24] (all written, none added to).
void hc_backward(i64 n, i64 d, int iters, float hc_eps, const float* x, const float* fn,
                 const float* scale, const float* base, const float* m, const float* r,
                 const float* dy, const float* dpost, const float* dcomb, float* dx, float* dfn,
                 float* dscale, float* dbase) {
  const i64 w = kStreams * d;
  std::vector<float> dm(n * kMix);
  std::fill(dscale, dscale + 3, 0.0f);
  std::fill(dbase, dbase + kMix, 0.0f);
  Sinkhorn sinkhorn;
  for (i64 t = 0; t < n; t += kLanes) {
    v8 g[16];
    mix_logits(m, scale, base, t, n, g);
    sinkhorn.forward(g, hc_eps, iters);
    for (int e = 0; e < 16; ++e)
      for (int l = 0; l < kLanes; ++l) g[e][l] = dcomb[std::min(t + l, n - 1) * 16 + e];
    sinkhorn.backward(g);
    for (int l = 0; l < kLanes && t + l < n; ++l)
      for (int e = 0; e < 16; ++e) dm[(t + l) * kMix + 8 + e] = g[e][l];
  }
  for (i64 t = 0; t < n; ++t) {
    const float *xt = x + t * w, *mt = m + t * kMix, *dyt = dy + t * d;
    float *dmt = dm.data() + t * kMix, *dxt = dx + t * w;
    float pre[4];
    for (int s = 0; s < 4; ++s) {
      const float a = sigmoid(mt[s] * scale[0] + base[s]),
                  b = sigmoid(mt[4 + s] * scale[1] + base[4 + s]);
      pre[s] = a + hc_eps;
      dmt[s] = dot(dyt, xt + s * d, d) * a * (1 - a);
      dmt[4 + s] = dpost[t * 4 + s] * 2 * b * (1 - b);
    }
    float sum = 0;
    for (int i = 0; i < kMix; ++i) {
      const int k = i < 4 ? 0 : i < 8 ? 1 : 2;
      dbase[i] += dmt[i];
      dscale[k] += dmt[i] * mt[i];
      dmt[i] *= scale[k];
      sum += dmt[i] * mt[i];
      dmt[i] *= r[t];
    }
    const float pull = -sum * r[t] * r[t] / w;
    for (int s = 0; s < 4; ++s)
      for (i64 i = 0; i < d; ++i) dxt[s * d + i] = pre[s] * dyt[i] + pull * xt[s * d + i];
  }
  nn(n, w, kMix, dm.data(), kMix, fn, w, dx, w, true);
  tn(kMix, w, n, dm.data(), kMix, x, w, dfn, w);
}

/// out[t,s] = post[s] f + sum_j comb[j,s] x[j].
void merge_forward(i64 n, i64 d, const float* x, const float* f, const float* post,
                   const float* comb, float* out) {
  for (i64 t = 0; t < n; ++t) {
    const float *xt = x + t * 4 * d, *ft = f + t * d, *c = comb + t * 16;
    for (int s = 0; s < 4; ++s) {
      float* o = out + (t * 4 + s) * d;
      const float p = post[t * 4 + s], c0 = c[s], c1 = c[4 + s], c2 = c[8 + s], c3 = c[12 + s];
      for (i64 i = 0; i < d; ++i)
        o[i] = p * ft[i] + c0 * xt[i] + c1 * xt[d + i] + c2 * xt[2 * d + i] + c3 * xt[3 * d + i];
    }
  }
}

void merge_backward(i64 n, i64 d, const float* x, const float* f, const float* post,
                    const float* comb, const float* g, float* dx, float* df, float* dpost,
                    float* dcomb) {
  for (i64 t = 0; t < n; ++t) {
    const float *xt = x + t * 4 * d, *ft = f + t * d, *c = comb + t * 16, *gt = g + t * 4 * d;
    const float* p = post + t * 4;
    for (i64 i = 0; i < d; ++i)
      df[t * d + i] = p[0] * gt[i] + p[1] * gt[d + i] + p[2] * gt[2 * d + i] + p[3] * gt[3 * d + i];
    for (int s = 0; s < 4; ++s) {
      dpost[t * 4 + s] = dot(ft, gt + s * d, d);
      for (int j = 0; j < 4; ++j) dcomb[t * 16 + j * 4 + s] = dot(xt + j * d, gt + s * d, d);
    }
    for (int j = 0; j < 4; ++j) {
      float* o = dx + (t * 4 + j) * d;
      const float c0 = c[4 * j], c1 = c[4 * j + 1], c2 = c[4 * j + 2], c3 = c[4 * j + 3];
      for (i64 i = 0; i < d; ++i)
        o[i] = c0 * gt[i] + c1 * gt[d + i] + c2 * gt[2 * d + i] + c3 * gt[3 * d + i];
    }
  }
}

/// y = turn(weight * x / rms(x)); angles of row t are those of row t % positions; half 0: no turn.
void norm_forward(i64 n, i64 d, i64 positions, i64 half, float eps, const float* x,
                  const float* weight, const float* cos, const float* sin, float* y, float* r) {
  for (i64 t = 0; t < n; ++t) {
    const float* xt = x + t * d;
    float* yt = y + t * d;
    r[t] = 1 / std::sqrt(dot(xt, xt, d) / d + eps);
    for (i64 i = 0; i < d; ++i) yt[i] = weight[i] * (xt[i] * r[t]);
    if (half > 0)
      turn(yt + d - 2 * half, cos + t % positions * half, sin + t % positions * half, half, 1);
  }
}

void norm_backward(i64 n, i64 d, i64 positions, i64 half, const float* x, const float* weight,
                   const float* cos, const float* sin, const float* r, const float* dy, float* dx,
                   float* dweight) {
  std::vector<float> g(d);
  std::fill(dweight, dweight + d, 0.0f);
  for (i64 t = 0; t < n; ++t) {
    const float* xt = x + t * d;
    std::memcpy(g.data(), dy + t * d, d * sizeof(float));
    if (half > 0)
      turn(g.data() + d - 2 * half, cos + t % positions * half, sin + t % positions * half, half,
           -1);
    float sum = 0;
    for (i64 i = 0; i < d; ++i) {
      dweight[i] += g[i] * xt[i] * r[t];
      g[i] *= weight[i];
      sum += g[i] * xt[i];
    }
    const float pull = sum * r[t] * r[t] / d;
    for (i64 i = 0; i < d; ++i) dx[t * d + i] = r[t] * (g[i] - pull * xt[i]);
  }
}

/// Weighted mean cross entropy of x [n,d] head[v,d]^T on target [n], and its gradients dx and dhead
/// (written). Works through kRows tokens at a time, so that their logits stay in the cache.
double cross_entropy(i64 n, i64 d, i64 v, const float* x, const float* head, const i64* target,
                     const float* weight, float* dx, float* dhead) {
  constexpr i64 kRows = 64;
  double loss = 0, total = 0;
  for (i64 t = 0; t < n; ++t) total += weight[t];
  const float share = total > 0 ? static_cast<float>(1 / total) : 0;
  std::fill(dhead, dhead + v * d, 0.0f);
  std::vector<float> logits(kRows * v);
  for (i64 first = 0; first < n; first += kRows) {
    const i64 rows = std::min(kRows, n - first);
    nt(rows, v, d, x + first * d, d, head, d, logits.data(), v);
    for (i64 i = 0; i < rows; ++i) {
      float* row = logits.data() + i * v;
      const float w = weight[first + i] * share;
      if (w == 0) {
        std::fill(row, row + v, 0.0f);
        continue;
      }
      const i64 wanted = target[first + i];
      float top = row[0], sum = 0;
      for (i64 j = 0; j < v; ++j) top = std::max(top, row[j]);
      const float gap = row[wanted] - top;
      for (i64 j = 0; j < v; ++j) {
        row[j] = expf(row[j] - top);
        sum += row[j];
      }
      loss += (std::log(sum) - gap) * w;
      for (i64 j = 0; j < v; ++j) row[j] *= w / sum;
      row[wanted] -= w;
    }
    nn(rows, d, v, logits.data(), v, head, d, dx + first * d, d);
    tn(v, d, rows, logits.data(), v, x + first * d, d, dhead, d, true);
  }
  return loss;
}

/// The head's collapse: x [n,4,d] to y [n,d] with pre [n,4] (kept, before + eps) and r [n].
void head_forward(i64 n, i64 d, float eps, float hc_eps, const float* x, const float* fn,
                  const float* scale, const float* base, float* m, float* r, float* y) {
  const i64 w = kStreams * d;
  nt(n, kStreams, w, x, w, fn, w, m, kStreams);
  for (i64 t = 0; t < n; ++t) {
    const float* xt = x + t * w;
    r[t] = 1 / std::sqrt(dot(xt, xt, w) / w + eps);
    float pre[kStreams];
    for (int s = 0; s < kStreams; ++s) {
      m[t * kStreams + s] *= r[t];
      pre[s] = sigmoid(m[t * kStreams + s] * scale[0] + base[s]) + hc_eps;
    }
    for (i64 i = 0; i < d; ++i)
      y[t * d + i] =
          pre[0] * xt[i] + pre[1] * xt[d + i] + pre[2] * xt[2 * d + i] + pre[3] * xt[3 * d + i];
  }
}

/// Gradients of x, fn [4,4d], scale [1], base [4] (all written).
void head_backward(i64 n, i64 d, float hc_eps, const float* x, const float* fn, const float* scale,
                   const float* base, const float* m, const float* r, const float* dy, float* dx,
                   float* dfn, float* dscale, float* dbase) {
  const i64 w = kStreams * d;
  std::vector<float> dm(n * kStreams);
  dscale[0] = 0;
  std::fill(dbase, dbase + kStreams, 0.0f);
  for (i64 t = 0; t < n; ++t) {
    const float *xt = x + t * w, *dyt = dy + t * d;
    float *g = dm.data() + t * kStreams, *dxt = dx + t * w, pre[kStreams], sum = 0;
    for (int s = 0; s < kStreams; ++s) {
      const float logit = m[t * kStreams + s], a = sigmoid(logit * scale[0] + base[s]);
      pre[s] = a + hc_eps;
      g[s] = dot(dyt, xt + s * d, d) * a * (1 - a);
      dbase[s] += g[s];
      dscale[0] += g[s] * logit;
      g[s] *= scale[0];
      sum += g[s] * logit;
      g[s] *= r[t];
    }
    const float pull = -sum * r[t] * r[t] / w;
    for (int s = 0; s < kStreams; ++s)
      for (i64 i = 0; i < d; ++i) dxt[s * d + i] = pre[s] * dyt[i] + pull * xt[s * d + i];
  }
  nn(n, w, kStreams, dm.data(), kStreams, fn, w, dx, w, true);
  tn(kStreams, w, n, dm.data(), kStreams, x, w, dfn, w);
}

/// Newton-Schulz of optim.py on `count` matrices g [rows,cols], rows <= cols, in place.
void orthogonal(i64 count, i64 rows, i64 cols, float* g) {
  constexpr float a = 3.4445f, b = -4.7750f, c = 2.0315f;
  std::vector<float> m(rows * rows), p(rows * rows), y(rows * cols);
  for (i64 k = 0; k < count; ++k) {
    float* x = g + k * rows * cols;
    const float inv = 1 / (std::sqrt(dot(x, x, rows * cols)) + 1e-7f);
    for (i64 i = 0; i < rows * cols; ++i) x[i] *= inv;
    for (int round = 0; round < 5; ++round) {
      nt(rows, rows, cols, x, cols, x, cols, m.data(), rows);
      nn(rows, rows, rows, m.data(), rows, m.data(), rows, p.data(), rows);
      for (i64 i = 0; i < rows * rows; ++i) p[i] = b * m[i] + c * p[i];
      nn(rows, cols, rows, p.data(), rows, x, cols, y.data(), cols);
      for (i64 i = 0; i < rows * cols; ++i) x[i] = a * x[i] + y[i];
    }
  }
}

}  // extern "C"
