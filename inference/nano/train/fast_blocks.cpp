// Attention and experts of nano's training step, forward and backward; see fast.cpp.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "fast.h"

using namespace fast;

namespace {

constexpr i64 kQueries = 32;  // queries of one attention block

/// Shapes of one attention call: b sequences of t tokens, h heads of width d, window win, rows
/// compressed rows of `ratio` tokens each (0: none), the last 2*half entries rotated.
struct Shape {
  i64 b, t, h, d, win, ratio, rows, half;
  i64 stride() const { return win - 1 + kQueries + rows; }  // of a row of weights
};

/// One block of queries: the tokens [first, last), its window keys [key, last), visible rows.
struct Block {
  i64 first, last, key, keys, seen;
  Block(const Shape& s, i64 at)
      : first(at),
        last(std::min(at + kQueries, s.t)),
        key(std::max<i64>(0, at - s.win + 1)),
        keys(last - key),
        seen(s.ratio > 0 ? std::min(s.rows, last / s.ratio) : 0) {}
};

}  // namespace

extern "C" {

/// q [b,t,h,d] as projected; kv [b,t,d] and rows [b,rows,d] ready; chosen [b,t,rows] or null (all
/// visible rows). Keeps qn (normed, turned, scaled), rq, weights p [b,t,h,stride], ps (the sink's).
/// out [b,t,h,d] turned back; looked [b,t,rows] or null gets the weight on every row.
void attention_forward(const Shape* shape, float eps, const float* q, const float* kv,
                       const float* rows, const float* sink, const std::uint8_t* chosen,
                       const float* cos, const float* sin, float* qn, float* rq, float* p,
                       float* ps, float* out, float* looked) {
  const Shape& s = *shape;
  const i64 hd = s.h * s.d, ld = s.stride();
  const float shrink = 1 / std::sqrt(static_cast<float>(s.d));
  for (i64 n = 0; n < s.b * s.t; ++n)
    for (i64 h = 0; h < s.h; ++h) {
      const float* x = q + n * hd + h * s.d;
      float* y = qn + n * hd + h * s.d;
      const float r = 1 / std::sqrt(dot(x, x, s.d) / s.d + eps);
      rq[n * s.h + h] = r;
      for (i64 i = 0; i < s.d; ++i) y[i] = x[i] * r * shrink;
      turn(y + s.d - 2 * s.half, cos + n % s.t * s.half, sin + n % s.t * s.half, s.half, 1);
    }
  for (i64 b = 0; b < s.b; ++b)
    for (i64 at = 0; at < s.t; at += kQueries) {
      const Block k(s, at);
      const i64 base = b * s.t + k.first, m = (k.last - k.first) * s.h;
      float* w = p + base * s.h * ld;
      const float *keys = kv + (b * s.t + k.key) * s.d, *far = rows + b * s.rows * s.d;
      nt(m, k.keys, s.d, qn + base * hd, s.d, keys, s.d, w, ld);
      nt(m, k.seen, s.d, qn + base * hd, s.d, far, s.d, w + k.keys, ld);
      for (i64 i = 0; i < m; ++i) {
        float* row = w + i * ld;
        const i64 t = k.first + i / s.h;
        const i64 lo = std::max(k.key, t - s.win + 1) - k.key, hi = t + 1 - k.key;
        const i64 visible = s.ratio > 0 ? std::min(s.rows, (t + 1) / s.ratio) : 0;
        float* more = row + k.keys;
        if (chosen != nullptr) {
          const std::uint8_t* c = chosen + (b * s.t + t) * s.rows;
          for (i64 j = 0; j < visible; ++j) more[j] = c[j] != 0 ? more[j] : -1e30f;
        }
        float top = sink[i % s.h], sum = 0;
        for (i64 j = lo; j < hi; ++j) top = std::max(top, row[j]);
        for (i64 j = 0; j < visible; ++j) top = std::max(top, more[j]);
        for (i64 j = lo; j < hi; ++j) sum += row[j] = expf(row[j] - top);
        for (i64 j = 0; j < visible; ++j) sum += more[j] = expf(std::max(more[j] - top, -80.0f));
        const float zero = expf(sink[i % s.h] - top), inv = 1 / (sum + zero);
        ps[base * s.h + i] = zero * inv;
        std::fill(row, row + lo, 0.0f);
        for (i64 j = lo; j < hi; ++j) row[j] *= inv;
        std::fill(row + hi, more, 0.0f);
        for (i64 j = 0; j < visible; ++j) more[j] *= inv;
        std::fill(more + visible, more + k.seen, 0.0f);
        if (looked != nullptr) {
          float* l = looked + (b * s.t + t) * s.rows;
          for (i64 j = 0; j < visible; ++j) l[j] += more[j];
        }
      }
      float* o = out + base * hd;
      nn(m, s.d, k.keys, w, ld, keys, s.d, o, s.d);
      nn(m, s.d, k.seen, w + k.keys, ld, far, s.d, o, s.d, true);
      for (i64 i = 0; i < m; ++i) {
        const i64 t = k.first + i / s.h;
        turn(o + (i + 1) * s.d - 2 * s.half, cos + t * s.half, sin + t * s.half, s.half, -1);
      }
    }
}

/// Gradients of q, kv, rows, sink (all written).
void attention_backward(const Shape* shape, const float* q, const float* kv, const float* rows,
                        const float* cos, const float* sin, const float* qn, const float* rq,
                        const float* p, const float* ps, const float* dout, float* dq, float* dkv,
                        float* drows, float* dsink) {
  const Shape& s = *shape;
  const i64 hd = s.h * s.d, ld = s.stride();
  const float shrink = 1 / std::sqrt(static_cast<float>(s.d));
  std::fill(dkv, dkv + s.b * s.t * s.d, 0.0f);
  std::fill(drows, drows + s.b * s.rows * s.d, 0.0f);
  std::fill(dsink, dsink + s.h, 0.0f);
  std::vector<float> g(kQueries * hd), dp(kQueries * s.h * ld);
  for (i64 b = 0; b < s.b; ++b)
    for (i64 at = 0; at < s.t; at += kQueries) {
      const Block k(s, at);
      const i64 base = b * s.t + k.first, m = (k.last - k.first) * s.h;
      const float* w = p + base * s.h * ld;
      const float *keys = kv + (b * s.t + k.key) * s.d, *far = rows + b * s.rows * s.d;
      float *dkeys = dkv + (b * s.t + k.key) * s.d, *dfar = drows + b * s.rows * s.d;
      std::memcpy(g.data(), dout + base * hd, m * s.d * sizeof(float));
      for (i64 i = 0; i < m; ++i) {
        const i64 t = k.first + i / s.h;
        turn(g.data() + (i + 1) * s.d - 2 * s.half, cos + t * s.half, sin + t * s.half, s.half, 1);
      }
      nt(m, k.keys, s.d, g.data(), s.d, keys, s.d, dp.data(), ld);
      nt(m, k.seen, s.d, g.data(), s.d, far, s.d, dp.data() + k.keys, ld);
      for (i64 i = 0; i < m; ++i) {
        const float* row = w + i * ld;
        float* d = dp.data() + i * ld;
        const float mean = dot(row, d, k.keys + k.seen);
        for (i64 j = 0; j < k.keys + k.seen; ++j) d[j] = row[j] * (d[j] - mean);
        dsink[i % s.h] -= ps[base * s.h + i] * mean;
      }
      tn(k.keys, s.d, m, w, ld, g.data(), s.d, dkeys, s.d, true);
      tn(k.seen, s.d, m, w + k.keys, ld, g.data(), s.d, dfar, s.d, true);
      tn(k.keys, s.d, m, dp.data(), ld, qn + base * hd, s.d, dkeys, s.d, true);
      tn(k.seen, s.d, m, dp.data() + k.keys, ld, qn + base * hd, s.d, dfar, s.d, true);
      float* gq = dq + base * hd;
      nn(m, s.d, k.keys, dp.data(), ld, keys, s.d, gq, s.d);
      nn(m, s.d, k.seen, dp.data() + k.keys, ld, far, s.d, gq, s.d, true);
      for (i64 i = 0; i < m; ++i) {
        const i64 t = k.first + i / s.h;
        float* y = gq + i * s.d;
        const float *x = q + base * hd + i * s.d, r = rq[base * s.h + i];
        turn(y + s.d - 2 * s.half, cos + t * s.half, sin + t * s.half, s.half, -1);
        const float pull = dot(y, x, s.d) * r * r / s.d;
        for (i64 j = 0; j < s.d; ++j) y[j] = shrink * r * (y[j] - pull * x[j]);
      }
    }
}

/// Experts: `count` routed ones and a shared one at [count], each w1, w3 [inner,d], w2 [d,inner].
/// start [count+2]: rows of expert e in the gathered order are [start[e], start[e+1]); token [rows]
/// names each row's token, weight [rows] its factor. Keeps xs [rows,d], a1, a3 [rows,inner].
/// y [n,d] is written.
void experts_forward(i64 n, i64 d, i64 inner, i64 count, float limit, const float* x,
                     const i64* start, const i64* token, const float* weight,
                     const float* const* w1, const float* const* w2, const float* const* w3,
                     float* xs, float* a1, float* a3, float* y) {
  std::fill(y, y + n * d, 0.0f);
  std::vector<float> act, part;
  for (i64 e = 0; e <= count; ++e) {
    const i64 first = start[e], rows = start[e + 1] - first;
    act.resize(rows * inner);
    part.resize(rows * d);
    for (i64 i = 0; i < rows; ++i)
      std::memcpy(xs + (first + i) * d, x + token[first + i] * d, d * sizeof(float));
    nt(rows, inner, d, xs + first * d, d, w1[e], d, a1 + first * inner, inner);
    nt(rows, inner, d, xs + first * d, d, w3[e], d, a3 + first * inner, inner);
    for (i64 i = 0; i < rows; ++i) {
      const float *u = a1 + (first + i) * inner, *v = a3 + (first + i) * inner,
                  f = weight[first + i];
      for (i64 j = 0; j < inner; ++j) {
        const float a = std::min(u[j], limit);
        act[i * inner + j] = a / (1 + expf(-a)) * std::clamp(v[j], -limit, limit) * f;
      }
    }
    nt(rows, d, inner, act.data(), inner, w2[e], inner, part.data(), d);
    for (i64 i = 0; i < rows; ++i) {
      float* to = y + token[first + i] * d;
      for (i64 j = 0; j < d; ++j) to[j] += part[i * d + j];
    }
  }
}

/// Gradients of x [n,d], weight [rows] and every expert's matrices (all written).
void experts_backward(i64 n, i64 d, i64 inner, i64 count, float limit, const i64* start,
                      const i64* token, const float* weight, const float* const* w1,
                      const float* const* w2, const float* const* w3, const float* xs,
                      const float* a1, const float* a3, const float* dy, float* dx, float* dweight,
                      float* const* dw1, float* const* dw2, float* const* dw3) {
  std::fill(dx, dx + n * d, 0.0f);
  std::vector<float> g, act, du, dv, part;
  for (i64 e = 0; e <= count; ++e) {
    const i64 first = start[e], rows = start[e + 1] - first;
    for (auto* v : {&act, &du, &dv}) v->resize(rows * inner);
    for (auto* v : {&g, &part}) v->resize(rows * d);
    if (rows == 0) {
      for (auto* w : {dw1[e], dw2[e], dw3[e]}) std::fill(w, w + d * inner, 0.0f);
      continue;
    }
    for (i64 i = 0; i < rows; ++i)
      std::memcpy(g.data() + i * d, dy + token[first + i] * d, d * sizeof(float));
    nn(rows, inner, d, g.data(), d, w2[e], inner, du.data(), inner);
    for (i64 i = 0; i < rows; ++i) {
      const float *u = a1 + (first + i) * inner, *v = a3 + (first + i) * inner,
                  f = weight[first + i];
      float *p = du.data() + i * inner, *q = dv.data() + i * inner, *h = act.data() + i * inner;
      float sum = 0;
      for (i64 j = 0; j < inner; ++j) {
        const float a = std::min(u[j], limit), b = std::clamp(v[j], -limit, limit);
        const float s = 1 / (1 + expf(-a)), silu = a * s, from = p[j];
        h[j] = silu * b * f;
        sum += silu * b * from;
        p[j] = u[j] > limit ? 0 : from * f * b * s * (1 + a * (1 - s));
        q[j] = std::abs(v[j]) > limit ? 0 : from * f * silu;
      }
      dweight[first + i] = sum;
    }
    tn(d, inner, rows, g.data(), d, act.data(), inner, dw2[e], inner);
    tn(inner, d, rows, du.data(), inner, xs + first * d, d, dw1[e], d);
    tn(inner, d, rows, dv.data(), inner, xs + first * d, d, dw3[e], d);
    nn(rows, d, inner, du.data(), inner, w1[e], d, part.data(), d);
    nn(rows, d, inner, dv.data(), inner, w3[e], d, part.data(), d, true);
    for (i64 i = 0; i < rows; ++i) {
      float* to = dx + token[first + i] * d;
      for (i64 j = 0; j < d; ++j) to[j] += part[i * d + j];
    }
  }
}

}  // extern "C"
