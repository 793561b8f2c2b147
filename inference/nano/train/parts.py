"""Files in parts of 16 MB, for places that take no larger ones:  python3 parts.py FOLDER/NAME OUT  joins NAME.0, NAME.1, …"""

import glob
import os
import shutil
import sys
import tempfile

kPart = 16_000_000  # bytes


def found(path: str) -> list[str]:
    """The parts of a file, in order."""
    return sorted(glob.glob(glob.escape(path) + ".[0-9]*"), key=lambda f: int(f.rpartition(".")[2]))


def joined(path: str) -> bytes:
    return b"".join(open(f, "rb").read() for f in found(path))


def write(path: str, data: memoryview, instead: list[str]) -> None:
    """Writes the parts, then takes away those of the files `instead` and puts the new ones in place."""
    parts = []
    for i in range(0, len(data), kPart):
        with tempfile.NamedTemporaryFile(delete=False) as f:
            f.write(data[i:i + kPart])
        parts.append(f.name)
    for old in [path, *instead]:
        for part in found(old):
            os.remove(part)
    for i, part in enumerate(parts):
        shutil.move(part, f"{path}.{i}")


def main() -> int:
    if len(sys.argv) != 3 or not found(sys.argv[1]):
        print("usage: parts.py FOLDER/NAME OUT, where NAME.0 is there", file=sys.stderr)
        return 2
    with open(sys.argv[2], "wb") as out:
        out.write(joined(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
