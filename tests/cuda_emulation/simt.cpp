// Runtime of the CPU target. Compile WITHOUT -fsanitize=thread (it annotates by hand).
#include "tests/cuda_emulation/simt.h"
#include <sys/mman.h>
#include <atomic>
#include <cstdarg>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>
#ifdef SIMT_UCONTEXT
#include <ucontext.h>
#endif
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void**, const void*, size_t);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
__attribute__((weak)) void* __tsan_get_current_fiber();
__attribute__((weak)) void* __tsan_create_fiber(unsigned);
__attribute__((weak)) void __tsan_switch_to_fiber(void*, unsigned);
__attribute__((weak)) void __tsan_acquire(void*);
__attribute__((weak)) void __tsan_release(void*);
__attribute__((weak)) void __asan_poison_memory_region(void const volatile*, size_t);
__attribute__((weak)) void __asan_unpoison_memory_region(void const volatile*, size_t);
}
namespace simt {
Config config;
Stats stats;
char last_error[512];
thread_local Fiber* cur;
thread_local dim3 g_grid, g_block;
thread_local uint3 g_bidx;
thread_local unsigned char* g_smem;
static std::mutex stats_mu;
constexpr size_t kStack = 128 * 1024;

struct Block {
  std::vector<Fiber> f;
  int ready[1024];
  unsigned head = 0, tail = 0;
  int n = 0, live = 0;  // ring, no allocation while fibers run
  struct Bar {
    int arrived = 0, expect = -1;
    int at = 0;
    char sync[2];
    int phase = 0;
  } bar[16];
  struct Warp {
    uint32_t arrived = 0, mask = 0, live = 0;
    const char* op = nullptr;
    int at = 0;
    void (*complete)(Fiber**, uint32_t) = nullptr;
    Fiber* lane[32];
    char sync[2];
    int phase = 0;
  };
  std::vector<Warp> warp;
  const std::function<void()>* body = nullptr;
  void* sched_sp = nullptr;
  void* sched_fake = nullptr;
  const void* sched_bottom = nullptr;
  size_t sched_size = 0;
  void* sched_tsan = nullptr;
  char start_sync, end_sync;
  uint64_t rng = 1;
  Stats st;
#ifdef SIMT_UCONTEXT
  std::vector<ucontext_t> uc;
  ucontext_t sched_uc;
#endif
};

void misuse(const char* fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char b[400];
  vsnprintf(b, sizeof b, fmt, ap);
  va_end(ap);
  snprintf(last_error, sizeof last_error, "simt: block(%u,%u,%u) thread %d: %s", g_bidx.x, g_bidx.y,
           g_bidx.z, cur ? cur->linear : -1, b);
  stats.errors++;
  if (config.fatal) {
    fprintf(stderr, "%s\n", last_error);
    abort();
  }
}

#ifndef SIMT_UCONTEXT
// save callee-saved registers, swap stacks (x86-64 SysV). Other CPUs: use ucontext.
extern "C" void simt_swap(void** save, void* to);
asm(".text\n.globl simt_swap\n.type simt_swap,@function\nsimt_swap:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n.size "
    "simt_swap,.-simt_swap\n");
#endif

static void to_sched(Fiber* f, bool dying) {
  Block* b = f->block;
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(b->sched_tsan, 1);
  if (__sanitizer_start_switch_fiber)
    __sanitizer_start_switch_fiber(dying ? nullptr : &f->fake, b->sched_bottom, b->sched_size);
#ifdef SIMT_UCONTEXT
  swapcontext(&b->uc[f->linear], &b->sched_uc);
#else
  simt_swap(&f->sp, b->sched_sp);
#endif
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(f->fake, nullptr, nullptr);
}
static void to_fiber(Block* b, Fiber* f) {
  cur = f;
  b->st.switches++;
  if (__sanitizer_start_switch_fiber)
    __sanitizer_start_switch_fiber(&b->sched_fake, f->stack, kStack);
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(f->tsan, 1);
#ifdef SIMT_UCONTEXT
  swapcontext(&b->sched_uc, &b->uc[f->linear]);
#else
  simt_swap(&b->sched_sp, f->sp);
#endif
  if (__sanitizer_finish_switch_fiber)
    __sanitizer_finish_switch_fiber(b->sched_fake, nullptr, nullptr);
  cur = nullptr;
}
static void make_ready(Block* b, Fiber* f) {
  f->state = 0;
  b->ready[b->tail++ & 1023] = f->linear;
}
static void warp_try(Block* b, Block::Warp& w) {
  if (!w.mask) return;
  uint32_t need = w.mask & w.live;
  if ((w.arrived & need) != need) return;
  b->st.warp_ops++;
  if (w.mask & ~w.arrived && w.complete != none_complete)
    misuse("%s: mask %08x names exited lanes %08x", w.op, w.mask, w.mask & ~w.arrived);
  uint32_t m = w.arrived;
  w.complete(w.lane, m);
  w.arrived = 0;
  w.mask = 0;
  w.phase ^= 1;
  for (int i = 0; i < 32; ++i)
    if ((m >> i & 1) && w.lane[i]->state == 2) make_ready(b, w.lane[i]);
}
static void bar_try(Block* b, int id) {
  auto& r = b->bar[id];
  int need = r.expect < 0 ? b->live : r.expect;
  if (!r.arrived || r.arrived < need) return;
  b->st.barriers++;
  r.arrived = 0;
  r.phase ^= 1;
  for (auto& f : b->f)
    if (f.state == 1 && f.bar_id == id && f.linear < b->n) make_ready(b, &f);
}
static void fiber_main() {
  Fiber* f = cur;
  Block* b = f->block;
  if (__sanitizer_finish_switch_fiber)
    __sanitizer_finish_switch_fiber(nullptr, &b->sched_bottom, &b->sched_size);
  if (__tsan_acquire) __tsan_acquire(&b->start_sync);
  (*b->body)();
  f = cur;
  if (f->groups || f->qn) { /* unfinished cp.async is legal at exit only if unread */
  }
  if (__tsan_release) __tsan_release(&b->end_sync);
  f->state = 3;
  b->live--;
  b->warp[f->warp].live &= ~(1u << f->lane);
  warp_try(b, b->warp[f->warp]);
  for (int i = 0; i < 16; ++i)
    if (b->bar[i].arrived && b->bar[i].expect < 0) bar_try(b, i);
  to_sched(f, true);
  abort();
}
void yield() {
  Fiber* f = cur;
  make_ready(f->block, f);
  to_sched(f, false);
}
void block_barrier(int id, int expect, int at) {
  Fiber* f = cur;
  Block* b = f->block;
  auto& r = b->bar[id];
  if (r.arrived == 0) {
    r.at = at;
    r.expect = expect;
  } else {
    if (r.at != at)
      misuse("block barrier %d reached at two places (lines %d and %d): divergent barrier", id,
             r.at, at);
    if (r.expect != expect) misuse("barrier %d: thread counts differ", id);
  }
  int ph = r.phase;
  if (__tsan_release) __tsan_release(&r.sync[ph]);
  f->state = 1;
  f->bar_id = id;
  f->wait_at = at;
  r.arrived++;
  bar_try(b, id);
  to_sched(f, false);
  if (__tsan_acquire) __tsan_acquire(&r.sync[ph]);
}
void warp_sync(uint32_t mask, const char* op, int at, void (*complete)(Fiber**, uint32_t)) {
  Fiber* f = cur;
  Block* b = f->block;
  auto& w = b->warp[f->warp];
  if (!(mask >> f->lane & 1)) misuse("%s: mask %08x lacks the calling lane %d", op, mask, f->lane);
  if (!w.mask) {
    w.mask = mask;
    w.op = op;
    w.at = at;
    w.complete = complete;
  } else if (w.mask != mask || w.complete != complete || strcmp(w.op, op))
    misuse("%s(mask %08x) at line %d meets %s(mask %08x) at line %d in one warp", op, mask, at,
           w.op, w.mask, w.at);
  int ph = w.phase;
  if (__tsan_release) __tsan_release(&w.sync[ph]);
  f->state = 2;
  f->wait_at = at;
  w.arrived |= 1u << f->lane;
  warp_try(b, w);
  to_sched(f, false);
  if (__tsan_acquire) __tsan_acquire(&w.sync[ph]);
}

static void run_block(Block& B, dim3 blk, uint3 bi, uint64_t seed) {
  int n = int(blk.x * blk.y * blk.z), nw = (n + 31) / 32;
  B.n = B.live = n;
  B.warp.assign(nw, {});
  for (auto& r : B.bar) r = {};
  B.head = B.tail = 0;
  g_bidx = bi;
  B.rng = seed * 0x9E3779B97F4A7C15ull + 0x1234567;
#ifdef SIMT_UCONTEXT
  B.uc.resize(n);
#endif
  for (int i = 0; i < n; ++i) {
    Fiber& f = B.f[i];
    f.block = &B;
    f.linear = i;
    f.lane = i & 31;
    f.warp = i >> 5;
    f.qn = f.groups = 0;
    f.fake = nullptr;
    f.tid = {unsigned(i) % blk.x, unsigned(i) / blk.x % blk.y, unsigned(i) / (blk.x * blk.y)};
    B.warp[f.warp].lane[f.lane] = &f;
    B.warp[f.warp].live |= 1u << f.lane;
#ifdef SIMT_UCONTEXT
    getcontext(&B.uc[i]);
    B.uc[i].uc_stack = {f.stack, 0, kStack};
    B.uc[i].uc_link = nullptr;
    makecontext(&B.uc[i], fiber_main, 0);
#else
    void** sp = reinterpret_cast<void**>(f.stack + kStack - 64 -
                                         (size_t(i) * 832) % 32768 / 64 *
                                             64);  // coloured: else all tops share one L1 set
    *--sp = nullptr;  // return address of fiber_main (never used), keeps alignment
    *--sp = reinterpret_cast<void*>(&fiber_main);
    for (int k = 0; k < 6; ++k) *--sp = nullptr;
    f.sp = sp;
#endif
    if (__tsan_create_fiber && !f.tsan) f.tsan = __tsan_create_fiber(0);
    f.state = 0;
    B.ready[B.tail++ & 1023] = i;
  }
  while (B.live) {
    if (B.head == B.tail) {
      char m[256];
      int a = 0, c = 0;
      int p1 = 0, p2 = 0;
      for (int i = 0; i < n; ++i) {
        if (B.f[i].state == 1) {
          a++;
          p1 = B.f[i].wait_at;
        }
        if (B.f[i].state == 2) {
          c++;
          p2 = B.f[i].wait_at;
        }
      }
      snprintf(m, sizeof m,
               "deadlock: %d threads at a block barrier (line %d), %d in a warp operation (line "
               "%d), %d exited",
               a, p1, c, p2, n - B.live);
      misuse("%s", m);
      break;
    }
    if (config.order != Order::Forward) {
      unsigned left = B.tail - B.head, pick = left - 1;
      if (config.order == Order::Random) {
        B.rng ^= B.rng << 13;
        B.rng ^= B.rng >> 7;
        B.rng ^= B.rng << 17;
        pick = unsigned(B.rng % left);
      }
      std::swap(B.ready[B.head & 1023], B.ready[(B.head + pick) & 1023]);
    }
    Fiber* f = &B.f[B.ready[B.head++ & 1023]];
    to_fiber(&B, f);
  }
  B.st.threads += unsigned(n);
  B.st.blocks++;
}
static std::unique_ptr<Block> make_block(size_t n) {
  auto B = std::make_unique<Block>();
  B->f.resize(n);
  auto* mem = static_cast<unsigned char*>(mmap(nullptr, n * kStack, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  for (size_t i = 0; i < n; ++i) B->f[i].stack = mem + i * kStack;
  return B;
}
static std::mutex pool_mu;
static std::vector<std::unique_ptr<Block>> pool;
void run_grid(dim3 g, dim3 b, size_t smem, const std::function<void()>& body) {
  size_t total = size_t(g.x) * g.y * g.z;
  size_t n = size_t(b.x) * b.y * b.z;
  if (n > 1024 || !n) {
    misuse("block of %zu threads", n);
    return;
  }
  if (smem > 227 * 1024) {
    misuse("%zu bytes of dynamic shared memory", smem);
    return;
  }
  std::atomic<size_t> next{0};
  auto worker = [&] {
    std::unique_ptr<Block> B;
    {
      std::lock_guard l(pool_mu);
      if (!pool.empty()) {
        B = std::move(pool.back());
        pool.pop_back();
      }
    }
    if (!B) B = make_block(1024);
    B->st = {};
    B->body = &body;
    g_grid = g;
    g_block = b;
    if (__tsan_get_current_fiber) {
      B->sched_tsan = __tsan_get_current_fiber();
    }
    std::vector<unsigned char> sm(smem + 256);
    g_smem = reinterpret_cast<unsigned char*>((uintptr_t(sm.data()) + 127) & ~uintptr_t(127));
    size_t tail = size_t(sm.data() + sm.size() - (g_smem + smem));
    for (;;) {
      size_t i = next++;
      if (i >= total) break;
      size_t j = config.order == Order::Reverse ? total - 1 - i : i;
      memset(g_smem, 0xff, smem);  // NaN garbage: shared memory is not zeroed
      if (__asan_poison_memory_region) __asan_poison_memory_region(g_smem + smem, tail);
      if (__tsan_release) __tsan_release(&B->start_sync);
      run_block(*B, b,
                {unsigned(j % g.x), unsigned(j / g.x % g.y), unsigned(j / (size_t(g.x) * g.y))},
                config.seed + j * 7919);
      if (__tsan_acquire) __tsan_acquire(&B->end_sync);
      if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(g_smem + smem, tail);
    }
    std::lock_guard l(stats_mu);
    stats.switches += B->st.switches;
    stats.threads += B->st.threads;
    stats.blocks += B->st.blocks;
    stats.barriers += B->st.barriers;
    stats.warp_ops += B->st.warp_ops;
    std::lock_guard l2(pool_mu);
    pool.push_back(std::move(B));
  };
  int nw = config.workers;
  if (size_t(nw) > total) nw = int(total);
  if (nw <= 1)
    worker();
  else {
    std::vector<std::thread> t;
    for (int i = 0; i < nw; ++i) t.emplace_back(worker);
    for (auto& x : t) x.join();
  }
}
}  // namespace simt
