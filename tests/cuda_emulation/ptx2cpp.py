#!/usr/bin/env python3
"""Translates the PTX that nvcc wrote into C++ for the runtime of simt.h: one function per .entry, one statement per
instruction, goto for branches. Unknown instructions stop the translation (no silent gaps)."""
import re, struct, sys
REG = {'pred': 'bool', 'b8': 'uint8_t', 'b16': 'uint16_t', 'u16': 'uint16_t', 's16': 'uint16_t', 'b32': 'uint32_t', 'u32': 'uint32_t', 's32': 'uint32_t',
       'b64': 'uint64_t', 'u64': 'uint64_t', 's64': 'uint64_t', 'f32': 'float', 'f64': 'double', 'f16': 'uint16_t'}
T = {'b8': 'uint8_t', 'u8': 'uint8_t', 's8': 'int8_t', 'b16': 'uint16_t', 'u16': 'uint16_t', 's16': 'int16_t', 'b32': 'uint32_t', 'u32': 'uint32_t', 's32': 'int32_t',
     'b64': 'uint64_t', 'u64': 'uint64_t', 's64': 'int64_t', 'f32': 'float', 'f64': 'double', 'f16': 'uint16_t', 'pred': 'bool', 'f16x2': 'uint32_t', 'bf16x2': 'uint32_t', 'bf16': 'uint16_t'}
SPECIAL = {'%tid': 'threadIdx', '%ctaid': 'blockIdx', '%ntid': 'blockDim', '%nctaid': 'gridDim'}
seen = {}
class Entry:
    def __init__(s, name, params, body): s.name, s.params, s.body, s.sh, s.shsize, s.out = name, params, body, {}, 0, []
def reg(o): return o[1:].replace('%', '').replace('.', '_') if o.startswith('%') else o
def split(s):  # operands at top level
    r, d, c = [], 0, ''
    for ch in s:
        if ch in '{[(': d += 1
        if ch in '}])': d -= 1
        if ch == ',' and d == 0: r.append(c.strip()); c = ''
        else: c += ch
    if c.strip(): r.append(c.strip())
    return r
def translate(text):
    text = re.sub(r'//[^\n]*', '', text); text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    global FILES; FILES = dict(re.findall(r'^\s*\.file\s+(\d+)\s+"([^"]+)"', text, flags=re.M))
    text = re.sub(r'^\s*\.loc\s+(\d+)\s+(\d+)[^\n;]*$', r'.loc \1 \2;', text, flags=re.M); text = re.sub(r'^\s*\.file[^\n]*$', '', text, flags=re.M); text = text.split('\n.section')[0].split('\n\t.section')[0]
    dyn = re.findall(r'\.extern\s+\.shared\s+\.align\s+(\d+)\s+\.b8\s+(\S+)\[\]', text)
    gl = {n: (int(a), int(z)) for a, n, z in re.findall(r'^\.shared\s+\.align\s+(\d+)\s+\.b8\s+([\w$]+)\[(\d+)\]', text, flags=re.M)}
    ents = []
    for m in re.finditer(r'\.entry\s+([\w$]+)\s*\((.*?)\)([^{]*)\{', text, flags=re.S):
        i, d = m.end(), 1
        while d: d += {'{': 1, '}': -1}.get(text[i], 0); i += 1
        ps = [p.strip().split()[-1].split('[')[0] for p in m.group(2).split(',') if p.strip()]
        ents.append(Entry(m.group(1), ps, text[m.end():i - 1]))
    out = ['#include "tests/cuda_emulation/ptx_rt.h"', 'namespace ptx {', 'namespace {']
    CT = {'b8': 'uint8_t', 'u8': 'uint8_t', 's8': 'int8_t', 'u16': 'uint16_t', 'b16': 'uint16_t', 'u32': 'uint32_t', 's32': 'int32_t', 'b32': 'uint32_t', 'f32': 'uint32_t', 'u64': 'uint64_t', 'b64': 'uint64_t'}
    global MODVARS; MODVARS = set()
    for a, ty, n, z, init in re.findall(r'^(?:\.visible |\.weak |\.extern )?\.(?:global|const)\s+\.align\s+(\d+)\s+\.(\w+)\s+([\w$]+)(?:\[(\d+)\])?(?:\s*=\s*\{?([^;}]*)\}?)?;', text, flags=re.M):
        MODVARS.add(n); vals = ', '.join(v.strip().rstrip('U') for v in init.split(',')) if init.strip() else ''
        out.append(f'alignas({a}) static {CT[ty]} {n}[{z or 1}] = {{{vals}}};')
    for e in ents: out += one(e, [n for _, n in dyn], gl)
    out.append('static const Registration regs[] = {')
    for e in ents: out.append(f'  {{"{e.name}", &k_{e.name}, {e.shsize}u}},')
    out += ['};', 'const bool registered = [] { for (auto& r : regs) add(r); return true; }();', '}', '}  // namespace ptx']
    return '\n'.join(out)
def one(e, dyn, gl):
    o = [f'static void k_{e.name}(const void* const* args) {{', '  (void)args;']; decl = []; code = []
    def alloc(name, al, sz): e.shsize = (e.shsize + al - 1) // al * al; e.sh[name] = e.shsize; e.shsize += sz
    for n, (a, z) in gl.items():
        if re.search(r'\b' + re.escape(n) + r'\b', e.body): alloc(n, a, z)
    # statements: braces open and close C++ scopes, ';' ends, 'name:' labels
    toks = re.findall(r'\{[^{};]*\}(?=[^;{}]*;)|[^;{}]+(?:\{[^{};]*\}[^;{}]*)*;|[{}]|[^;{}]+', e.body)
    buf = ''; stm = []
    depth = 0; i = 0; b = e.body; cur = ''
    while i < len(b):
        ch = b[i]
        if ch == '{' and not cur.strip(): stm.append('{'); cur = ''
        elif ch == '{':
            j = b.index('}', i); cur += b[i:j + 1]; i = j
        elif ch == '}': stm.append('}'); cur = ''
        elif ch == ';': stm.append(cur.strip()); cur = ''
        elif ch == ':' and re.fullmatch(r'\s*[\w$]+', cur) and b[i+1] != ':': stm.append(cur.strip() + ':'); cur = ''
        else: cur += ch
        i += 1
    for s in stm:
        s = re.sub(r'\s+', ' ', s).strip()
        m = re.match(r'\.loc (\d+) (\d+)', s)
        if m:
            if m.group(1) in FILES: code.append(f'#line {m.group(2)} "{FILES[m.group(1)]}"')
            continue
        if not s or s.startswith('.pragma') or s.startswith('.file'): continue
        if s in '{}': code.append(s); continue
        m = re.fullmatch(r'\.reg \.(\w+) (.*)', s)
        if m:
            for v in m.group(2).split(','):
                v = v.strip(); q = re.fullmatch(r'(%?[\w$]+)<(\d+)>', v)
                names = [f'{reg(q.group(1))}{k}' for k in range(int(q.group(2)))] if q else [reg(v)]
                (decl if q else code).append(f'{REG[m.group(1)]} {", ".join(names)};')
            continue
        m = re.fullmatch(r'\.local \.align (\d+) \.b8 ([\w$]+)\[(\d+)\]', s)
        if m: decl.append(f'alignas({m.group(1)}) unsigned char {m.group(2)}[{m.group(3)}];'); e.loc_vars = getattr(e, 'loc_vars', set()) | {m.group(2)}; continue
        m = re.fullmatch(r'\.shared \.align (\d+) \.(\w+) ([\w$]+)(?:\[(\d+)\])?', s)
        if m: alloc(m.group(3), int(m.group(1)), int(m.group(4) or 8)); continue
        if s.endswith(':'): code.append(s.replace('$', 'S_') + ';'); continue
        code.append(ins(s, e, dyn))
    dynoff = (e.shsize + 127) // 128 * 128; e.shsize = dynoff
    code = [c.replace('@@DYN@@', str(dynoff)) for c in code]
    return o + ['  ' + d for d in decl] + [c if c.startswith('#') else '  ' + c for c in code] + ['}']
def ins(s, e, dyn):
    pred = ''
    m = re.match(r'@(!?)(%?[\w.]+) (.*)', s)
    if m: pred = f'if ({m.group(1)}{reg(m.group(2))}) '; s = m.group(3)
    m = re.match(r'([a-z][\w.:]*) ?(.*)', s); op, rest = m.group(1), m.group(2); a = split(rest); p = op.split('.'); n = p[0]
    key = re.sub(r'\d+$', '', op); seen[op] = seen.get(op, 0) + 1
    ty = next((x for x in reversed(p) if x in T), None); t = T.get(ty)
    def sym(x):
        if x in e.sh: return str(e.sh[x])
        if x in dyn: return '@@DYN@@'
        raise SystemExit(f'unknown symbol {x} in: {s}')
    def src(x, tt=None):
        tt = tt or t
        q = re.fullmatch(r'(%\w+)\.([xyz])', x)
        if q and q.group(1) in SPECIAL: return f'uint32_t({SPECIAL[q.group(1)]}.{q.group(2)})'
        if x == '%laneid': return 'uint32_t(simt::cur->lane)'
        if x == 'WARP_SZ': return '32u'
        if x.startswith('%'): return f'rd<{tt}>({reg(x)})'
        if re.fullmatch(r'0[fF][0-9a-fA-F]{8}', x): return f'std::bit_cast<float>(0x{x[2:]}u)'
        if re.fullmatch(r'0[dD][0-9a-fA-F]{16}', x): return f'std::bit_cast<double>(0x{x[2:]}ull)'
        if re.fullmatch(r'-?\d+U?|0x[0-9a-fA-F]+U?', x): return f'({tt})({x.rstrip("U")}ll)' if tt not in ('float', 'double') else f'rd<{tt}>(uint32_t({x}))'
        if x in MODVARS or x in getattr(e, 'loc_vars', ()): return f'({tt})uint64_t(&{x}[0])'
        if x in e.params: return f'({tt})uint64_t(args[{e.params.index(x)}])'   # the address of a parameter
        if re.fullmatch(r'[A-Za-z_$][\w$]*', x) and x not in e.sh and x not in dyn: return f'rd<{tt}>({x})'   # register of an inline-asm scope
        return f'({tt})({sym(x)})'
    def dst(x, v): return f'{pred}wr({reg(x)}, {v});' if x != '_' else f'{pred}(void)({v});'
    def addr(x, space):
        x = x.strip('[]').strip(); q = re.fullmatch(r'([^+]+)(?:\+(-?\d+))?', x.replace(' ', '')); base, off = q.group(1), int(q.group(2) or 0)
        if space == 'param' and base in e.params: return f'((const char*)args[{e.params.index(base)}] + {off})'
        r = f'uint64_t(&{base}[0])' if (base in MODVARS or base in getattr(e, 'loc_vars', ())) else f'uint64_t({reg(base)})' if (base.startswith('%')) else (sym(base) if (base in e.sh or base in dyn) else f'uint64_t({base})')
        if space == 'shared': return f'(simt::g_smem + uint32_t({r} + {off}))'
        return f'((char*)({r} + {off}))'
    def vec(x): return [v.strip() for v in x.strip('{}').split(',')]
    space = next((x for x in ('param', 'shared', 'global', 'local') if any(q == x or q.startswith(x + '::') for q in p)), 'generic')
    if n in ('ld', 'ldu'):
        A = addr(a[1], space); d = vec(a[0])
        if len(d) > 1: return f'{pred}{{ auto* q_ = (const {t}*){A}; {t} v_[{len(d)}]; ldv<{t},{len(d)}>(v_, q_); ' + ' '.join(f'wr({reg(x)}, v_[{i}]);' for i, x in enumerate(d)) + ' }'
        return dst(a[0], f'*(const {t}*){A}')
    if n == 'st':
        A = addr(a[0], space); d = vec(a[1])
        if len(d) > 1: return f'{pred}{{ auto* q_ = ({t}*){A}; ' + ' '.join(f'q_[{i}] = {src(x)};' for i, x in enumerate(d)) + ' }'
        return f'{pred}*({t}*){A} = {src(a[1])};'
    if n == 'mov':
        if a[1].startswith('{'):
            d = vec(a[1]); w = {'uint16_t': 8, 'uint32_t': 32 // len(d), 'uint64_t': 64 // len(d)}[t]
            return dst(a[0], ' | '.join(f'(({t})rd<uint{w}_t>({reg(x) if not x.isdigit() else "uint32_t(" + x + ")"}) << {i * w})' for i, x in enumerate(d)))
        if a[0].startswith('{'):
            d = vec(a[0]); w = {'uint32_t': 32, 'uint64_t': 64}[t] // len(d)
            return f'{pred}{{ {t} v_ = {src(a[1])}; ' + ' '.join(f'wr({reg(x)}, uint{w}_t(v_ >> {i * w}));' for i, x in enumerate(d) if x != '_') + ' }'
        return dst(a[0], src(a[1]))
    if n == 'cvta':
        if space == 'shared': return dst(a[0], f'uint64_t({src(a[1], "uint64_t")}) - uint64_t(simt::g_smem)' if p[1] == 'to' else f'uint64_t(simt::g_smem) + {src(a[1], "uint64_t")}')
        return dst(a[0], src(a[1], 'uint64_t'))
    sg = t and t.replace('uint', 'int')
    if n in ('add', 'sub') : return dst(a[0], f'{t}({src(a[1])} {"+" if n == "add" else "-"} {src(a[2])})')
    if n == 'mul':
        if 'wide' in p: w = {'uint16_t': 'uint32_t', 'int16_t': 'int32_t', 'uint32_t': 'uint64_t', 'int32_t': 'int64_t'}[t]; return dst(a[0], f'{w}({src(a[1])}) * {w}({src(a[2])})')
        if 'hi' in p: w = {'uint16_t': 'uint32_t', 'int16_t': 'int32_t', 'uint32_t': 'uint64_t', 'int32_t': 'int64_t', 'uint64_t': 'unsigned __int128', 'int64_t': '__int128'}[t]; bits = int(re.search(r'\d+', t).group()); return dst(a[0], f'{t}((({w})({src(a[1])}) * ({w})({src(a[2])})) >> {bits})')
        return dst(a[0], f'{t}({src(a[1])} * {src(a[2])})')
    if n == 'copysign': return dst(a[0], f'std::copysign({src(a[2])}, {src(a[1])})')  # the sign is the first operand's
    if op == 'fma.rn.bf16x2': return dst(a[0], f'fma_bf16x2({src(a[1])}, {src(a[2])}, {src(a[3])})')
    if n in ('mad', 'fma'):
        if t in ('float', 'double'): return dst(a[0], f'std::fma({src(a[1])}, {src(a[2])}, {src(a[3])})')
        if 'wide' in p: w = {'uint32_t': 'uint64_t', 'int32_t': 'int64_t'}[t]; return dst(a[0], f'{w}({src(a[1])}) * {w}({src(a[2])}) + {src(a[3], w)}')
        return dst(a[0], f'{t}({src(a[1])} * {src(a[2])} + {src(a[3])})')
    if n in ('div', 'rem'): return dst(a[0], f'{src(a[1])} {"/" if n == "div" else "%"} {src(a[2])}')
    if n == 'dp4a': return dst(a[0], f'dp4a<{T[p[1]]}, {T[p[2]]}>({src(a[1], "uint32_t")}, {src(a[2], "uint32_t")}, {src(a[3], "uint32_t")})')
    if n in ('min', 'max'): return dst(a[0], f'p{n}<{t}>({src(a[1])}, {src(a[2])})')
    if n in ('and', 'or', 'xor'): return dst(a[0], f'{t}({src(a[1])} {dict(zip(("and", "or", "xor"), "&|^"))[n]} {src(a[2])})')
    if n == 'not': return dst(a[0], f'{"!" if t == "bool" else "~"}{src(a[1])}')
    if n == 'neg': return dst(a[0], f'{t}(-{src(a[1])})')
    if n == 'abs': return dst(a[0], f'std::abs({src(a[1])})')
    if n in ('shl', 'shr'): return dst(a[0], f'p{n}<{t}>({src(a[1])}, {src(a[2], "uint32_t")})')
    if n == 'setp':
        c = p[1]
        if c in ('nan', 'num'): r = f'(std::isnan({src(a[1])}) || std::isnan({src(a[2])}))'; return dst(a[0], r if c == 'nan' else '!' + r)
        f = {'eq': '==', 'ne': '!=', 'lt': '<', 'le': '<=', 'gt': '>', 'ge': '>=', 'lo': '<', 'ls': '<=', 'hi': '>', 'hs': '>=', 'neu': '!=', 'equ': '==', 'ltu': '<', 'leu': '<=', 'gtu': '>', 'geu': '>='}[c]
        x, y = src(a[1]), src(a[2]); r = f'({x} {f} {y})'
        if t in ('float', 'double'):
            if c == 'ne': r = f'({x} != {y} && !std::isnan({x}) && !std::isnan({y}))'
            elif c.endswith('u'): r = f'(std::isnan({x}) || std::isnan({y}) || {x} {f} {y})'
        if len(a) == 4: r = f'({r} {dict(zip(("and", "or", "xor"), "&|^"))[p[2]]} rd<bool>({reg(a[3])}))'
        return dst(a[0], r)
    if n == 'selp': return dst(a[0], f'{reg(a[3])} ? {src(a[1])} : {src(a[2])}')
    if n == 'cvt':
        tys = [x for x in p if x in T or x in ('e4m3x2', 'e5m2x2', 'e2m1x2')]; d, f = tys[0], tys[1]; k = '_'.join([x for x in p[1:] if x in ('rn', 'rz', 'rm', 'rp', 'rni', 'rzi', 'rmi', 'rpi', 'sat', 'satfinite', 'relu')])
        if len(a) == 3: return dst(a[0], f'cvt2<cv_{d}, cv_{f}>({src(a[1], T.get(f))}, {src(a[2], T.get(f))})')
        return dst(a[0], f'cvt<cv_{d}, cv_{f}>({src(a[1], T.get(f, "uint16_t"))}, "{k}")')
    if n == 'bra': return f'{pred}goto {a[0].replace("$", "S_")};'
    if n in ('ret', 'exit'): return f'{pred}return;'
    if op in ('bar.sync', 'barrier.sync'): return f'{pred}simt::named_barrier_sync({a[0]}, {a[1] if len(a) > 1 else -1}, 0);'
    if op == 'bar.warp.sync': return f'{pred}__syncwarp({src(a[0], "uint32_t")}, 0);'
    if n == 'shfl':
        d = a[0].split('|'); mode = p[2]
        r = f'{pred}{{ bool in_; uint32_t v_ = shfl_{mode}({src(a[1], "uint32_t")}, {src(a[2], "uint32_t")}, {src(a[3], "uint32_t")}, {src(a[4], "uint32_t")}, in_); wr({reg(d[0])}, v_); '
        return r + (f'{reg(d[1])} = in_; }}' if len(d) > 1 else '(void)in_; }')
    if n == 'vote': return dst(a[0], f'__ballot_sync({src(a[2], "uint32_t")}, {"!" if a[1].startswith("!") else ""}{reg(a[1].lstrip("!"))}, 0)' if 'ballot' in p else f'__{p[2]}_sync({src(a[2], "uint32_t")}, {reg(a[1])}, 0)')
    if n == 'redux': return dst(a[0], f'__reduce_{p[2]}_sync({src(a[2], "uint32_t")}, {src(a[1])}, 0)')
    if n in ('ex2', 'lg2', 'rsqrt', 'sqrt', 'rcp', 'sin', 'cos', 'tanh'):
        f = {'ex2': 'std::exp2', 'lg2': 'std::log2', 'sqrt': 'std::sqrt', 'sin': 'std::sin', 'cos': 'std::cos', 'tanh': 'std::tanh', 'rsqrt': '1.0f / std::sqrt', 'rcp': '1.0f / '}[n]
        return dst(a[0], f'{f}({src(a[1])})')
    if n == 'popc': return dst(a[0], f'uint32_t(std::popcount({src(a[1])}))')
    if n == 'clz': return dst(a[0], f'uint32_t(std::countl_zero({src(a[1])}))')
    if n == 'bfi': return dst(a[0], f'bfi<{t}>({src(a[1])}, {src(a[2])}, {src(a[3], "uint32_t")}, {src(a[4], "uint32_t")})')
    if n == 'bfe': return dst(a[0], f'bfe<{t}>({src(a[1])}, {src(a[2], "uint32_t")}, {src(a[3], "uint32_t")})')
    if n == 'prmt': return dst(a[0], f'prmt({src(a[1])}, {src(a[2])}, {src(a[3])})')
    if n == 'lop3': return dst(a[0], f'lop3({src(a[1])}, {src(a[2])}, {src(a[3])}, {a[4]})')
    if n in ('atom', 'red'):
        k = next(x for x in p if x in ('add', 'max', 'min', 'cas', 'exch', 'and', 'or')); ar = a if n == 'atom' else ['_'] + a
        return dst(ar[0], f'atom_{k}<{t}>({addr(ar[1], space)}, ' + ', '.join(src(x) for x in ar[2:]) + ')')
    if n == 'shf' and 'wrap' in p: return dst(a[0], f'shf_{p[1]}({src(a[1], "uint32_t")}, {src(a[2], "uint32_t")}, {src(a[3], "uint32_t")})')
    if op == 'prefetch.global.L2': return ';'  # a hint
    if n == 'griddepcontrol': return ';'  # here a kernel begins when the one before has ended
    if n in ('membar', 'fence'): return 'std::atomic_thread_fence(std::memory_order_seq_cst);'
    if op.startswith('cp.async.commit_group'): return f'{pred}simt::cp_async_commit();'
    if op.startswith('cp.async.wait_group'): return f'{pred}simt::cp_async_wait<{a[0]}>();'
    if op.startswith('cp.async.wait_all'): return f'{pred}simt::cp_async_commit(); simt::cp_async_wait<0>();'
    if op.startswith('cp.async.c'): assert a[2] in ('4', '16'); return f'{pred}simt::cp_async{a[2]}({addr(a[0], "shared")}, {addr(a[1], "global")});'
    if op in ('ldmatrix.sync.aligned.m8n8.x4.shared.b16', 'ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16'):
        return f'{{ uint32_t q_[4]; simt::ldmatrix_x4<{str("trans" in p).lower()}>(q_, {addr(a[1], "shared")}, 0); ' + ' '.join(f'wr({reg(x)}, q_[{i}]);' for i, x in enumerate(vec(a[0]))) + ' }'
    if op == 'mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32':
        d, A, B, C = map(vec, a)
        return '{ float d_[4] = {' + ', '.join(src(x, 'float') for x in C) + '}; uint32_t a_[4] = {' + ', '.join(src(x, 'uint32_t') for x in A) + '}, b_[2] = {' + ', '.join(src(x, 'uint32_t') for x in B) + '}; simt::mma_bf16_16816(d_, a_, b_, 0); ' + ' '.join(f'wr({reg(x)}, d_[{i}]);' for i, x in enumerate(d)) + ' }'
    raise SystemExit(f'unsupported instruction: {s}')
if __name__ == '__main__':
    open(sys.argv[2], 'w').write(translate(open(sys.argv[1]).read()))
