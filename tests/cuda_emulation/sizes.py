#!/usr/bin/env python3
"""sizes.py OUT PTX...: C++ that tells how many bytes the one parameter of each kernel in the PTX files has."""
import re
import sys

sizes = {}
for file in sys.argv[2:]:
    text = open(file).read()
    for name, parameters in re.findall(r"\.entry\s+([\w$]+)\s*\((.*?)\)", text, flags=re.S):
        found = re.findall(r"\.param\s+\.align\s+\d+\s+\.b8\s+[\w$]+\[(\d+)\]", parameters)
        if len(found) != 1 or parameters.count(".param") != 1:
            raise SystemExit(f"{name} has other parameters than one struct")
        sizes[name] = int(found[0])
lines = "".join(f'  if (!std::strcmp(kernel, "{name}")) return {size};\n' for name, size in sorted(sizes.items()))
open(sys.argv[1], "w").write(
    "#include <cstdlib>\n#include <cstring>\nnamespace ptx {\nsize_t parameter_bytes(const char* kernel);\n"
    "size_t parameter_bytes(const char* kernel) {\n" + lines + "  std::abort();\n}\n}  // namespace ptx\n")
