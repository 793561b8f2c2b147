"""Reads what a SCIP index (github.com/sourcegraph/scip, protobuf) says of definitions and uses."""


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data):
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at:at + size], at + size
        elif kind == 5:
            value, at = data[at:at + 4], at + 4
        else:
            value, at = data[at:at + 8], at + 8
        yield key >> 3, value


def _occurrences(path):
    """(file, line, column, end column, symbol, is definition), from 1, columns in UTF-16."""
    with open(path, "rb") as f:
        data = f.read()
    for number, document in _fields(data):
        if number != 2:
            continue
        name, found = "", []
        for field, value in _fields(document):
            if field == 1:
                name = value.decode()
            elif field == 2:
                found.append(value)
        for occurrence in found:
            span, symbol, roles = [], "", 0
            for field, value in _fields(occurrence):
                if field == 1:
                    at = 0
                    while at < len(value):
                        one, at = _varint(value, at)
                        span.append(one)
                elif field == 2:
                    symbol = value.decode()
                elif field == 3:
                    roles = value
            if len(span) == 3:
                yield name, span[0] + 1, span[1] + 1, span[2] + 1, symbol, roles & 1


def _parameter(symbol):
    return symbol.endswith(")") or symbol.endswith("]")


def definitions(path, sources):
    """Like a tag: (path, line, name, kind, scope). Without locals, parameters and whole files."""
    out = []
    for name, line, column, end, symbol, is_definition in _occurrences(path):
        if not is_definition or symbol.startswith("local ") or _parameter(symbol):
            continue
        word = sources.line(name, line)[column - 1:end - 1].strip("'\"`")
        if word and word.isidentifier() or word.replace("$", "").isidentifier():
            out.append((name, line, word, symbol[-1:], symbol))
    return out


def pairs(path, sources, with_locals):
    """[((path, line, column), [(path, line) of the definition, …])] for uses whose definition lies
    in the repository. Columns are UTF-8 bytes from 1."""
    where, uses, also = {}, [], []
    for name, line, column, end, symbol, is_definition in _occurrences(path):
        local = symbol.startswith("local ") or _parameter(symbol)
        key = (name, symbol) if local else symbol
        if is_definition:
            if end > column:
                where.setdefault(key, []).append((name, line))
        elif with_locals or not local:
            uses.append((name, line, column, end, key))
        else:
            also.append((name, line, column, end, key))
    # One place may mean several things ({ name } is a variable and a property): each is right.
    meant = {}
    for name, line, column, end, key in uses + also:
        meant.setdefault((name, line, column, end), []).extend(where.get(key, []))
    out, seen = [], set()
    for name, line, column, end, key in uses:
        place = (name, line, column, end)
        text = sources.line(name, line)
        word = text[column - 1:end - 1].strip("'\"`")
        if place in seen or key not in where or not word.replace("$", "_").isidentifier():
            continue
        seen.add(place)
        if (name, line) in where[key]:
            continue
        bytes_before = len(text[:column - 1].encode())
        out.append(((name, line, bytes_before + 1), sorted(set(meant[place]))))
    return out
