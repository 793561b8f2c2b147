"""Puts a difference into a class. Names that begin with OURS are errors of the index; the others are
conventions of the oracle or its errors, each recognised by the rule written here and by nothing
else: a kind that the oracle has and we leave out on purpose, or a source line that says by itself
that a definition of that name stands there (or that none does)."""
import re

WORD = r"[A-Za-z_$][\w$]*"

# (kinds of ctags, what the line looks like, class): what ctags counts and the index leaves out.
MISSED = {
    "c": [],
    "cpp": [],
    "python": [
        ("unknown|namespace", r"\bimport\b", "ctags counts import aliases"),
        ("unknown", r"^\s+%(name)s(,| as |$)", "ctags counts import aliases"),
        ("function|variable", r"\b%(name)s\s*=", "a local variable"),
    ],
    "javascript": [
        ("property|class|function|method", r"['\"]?%(name)s['\"]?\s*:(?!\s*(async\s+)?(function|\())",
         "ctags counts members of object literals"),
        ("class|variable|constant|property", r"\b(var|let|const)\b.*\b%(name)s\b",
         "a local variable"),
        ("function", r"[(,:=]\s*(async\s+)?function\s+%(name)s",
         "the name that a function expression has for itself"),
        ("function", r"\w+\[%(name)s\]|\w+\[\w+\] = function", "ctags error: a computed name"),
        ("method|class|property", r"\.%(name)s\(|\.%(name)s\s*=\s*\{|\w+\[", "ctags error: a call"),
    ],
    "typescript": [
        ("constant|variable|property", r"\b(const|let|var|of|in)\b|^\s+\w+,?$|^\s*for\b",
         "a local variable"),
        ("alias", r".", "ctags counts imported names"),
        ("property", r"\b%(name)s\b.*[(:]", "a parameter"),
        ("class", r"class extends", "ctags error: a class without a name"),
        ("constant|variable|property", r"^\s*(\}|\]|\.)|\b%(name)s\s*[,:}\]]", "a local variable"),
    ],
    "go": [("package|packageName", r".", "ctags counts packages")],
    "rust": [
        ("implementation", r"\bimpl\b", "ctags counts impl blocks"),
        ("variable", r"&'static", "ctags error: 'static taken for a character"),
        ("variable", r"^\s+(static|const)\b", "an item inside of a function body"),
    ],
    "java": [
        ("package", r".", "ctags counts packages"),
        ("enumConstant", r"^\s*@", "ctags error: an annotation"),
        ("field", r"default (true|false)", "ctags error: a default value"),
    ],
    "csharp": [
        ("field|property|class|method", r"\bwhere\b|<[^>]*\b%(name)s\b[^>]*>|: base\(",
         "ctags error: a type parameter"),
        ("field|property|variable|method", r"[(,][^()]*\b%(name)s\b|\b%(name)s\b[^=;{]*\)",
         "ctags error: a parameter"),
        ("field|property|method|local|event", r"^\s*(return|await|if|yield|using|case|var|foreach)\b"
         r"|=> ", "ctags error: a statement"),
        ("field", r"\b%(name)s\b\s*(,|=|;|$)", "a local variable"),
    ],
    "ruby": [
        ("alias", r"\b(alias|alias_method)\b", "ctags names an alias without its ? or !"),
        ("constant|class|module", r"%(name)s ===|=== ", "ctags error: a comparison"),
        ("singletonMethod|method", r"def \w+\.\w+", "ctags names the receiver of a method"),
    ],
    "php": [
        ("alias", r"^\s*use\b|^\s+\w+", "ctags counts imported names"),
        ("variable", r"\$%(name)s\b", "a variable of a script or a closure"),
    ],
    "kotlin": [
        ("constant|variable", r"^\s+.*\b(val|var)\b", "a local variable"),
        ("constant|variable", r"\b(val|var)\b.*\(|\bfor\b|->", "a local variable"),
        ("method", r"\{|->", "ctags counts lambdas"),
        ("package", r".", "ctags counts packages"),
        ("object", r"companion object|object\s*:", "ctags gives names to objects without one"),
        ("constant|variable", r"\b%(name)s\b", "a local variable"),
    ],
    "lua": [
        ("function", r"%(last)s\s*=\s*function\b|local\s+%(last)s\b", "a local variable"),
        ("function", r"%(last)s\s*=\s*(?!function\b)\S", "ctags error: a value that is no function"),
    ],
    "bash": [("alias", r"\balias\b", "ctags counts aliases")],
}

# What a line looks like that defines the name by itself: ctags does not look into bodies, anonymous
# classes and the like, or its parser lost its way.
DEFINES = {
    "c": r"(#\s*define\s+%(name)s\b|\b%(name)s\s*\([^;]*(\{|$)|^\s+%(name)s\s*=|[\s*]%(name)s\s*(\[|=|;|,))",
    "cpp": r"(#\s*define\s+%(name)s\b|(class|struct|enum|union|namespace)\b.*\b%(name)s\b|"
           r"%(name)s\s*\(|[\s*&]%(name)s\s*(\[|=|;|,|\{|\b[A-Z_]+\())",
    "python": r"(def|class)\s+%(name)s\b|\b%(name)s\s*(:|=|,)|\bfor\b|\bas\b",
    "javascript": r"\b%(name)s\s*(:|=|\()|(function|class)\s+%(name)s\b|\b(var|let|const)\b.*%(name)s",
    "typescript": r"(function|class|interface|type|enum|namespace|const|let|var|module)\b.*%(name)s|"
                  r"\b%(name)s\s*(\?|!)?\s*(:|=|\(|<)|['\"]%(name)s['\"]",
    "go": r"(func|type|var|const)\b.*\b%(name)s\b|^\s+%(name)s\b|,\s*%(name)s\b",
    "rust": r"(fn|struct|enum|trait|type|const|static|mod|macro_rules!|union)\s+(mut\s+)?%(name)s\b|"
            r"\b%(name)s\s*:|^\s*%(name)s\s*(,|\(|\{|=|$)",
    "java": r"\b%(name)s\s*(\(|=|;|\{|,)|(class|interface|enum|record|@interface)\s+%(name)s\b",
    "csharp": r"\b%(name)s\s*(\(|=|;|\{|,|<|$)|(class|interface|enum|record|struct)\s+%(name)s\b",
    "ruby": r"def\s+(self\.)?%(name)s|%(name)s\s*(\|\||&&)?=|(alias|alias_method|attr_\w+)\b.*%(name)s|"
            r"(class|module)\b.*%(name)s|%(name)s.*=",
    "php": r"(function|class|interface|trait|enum|const|case)\s+&?%(name)s\b|\$%(name)s\b|%(name)s\s*=",
    "kotlin": r"(fun|class|object|interface|val|var|typealias)\b.*%(name)s|^\s*%(name)s\b|"
              r"\b%(name)s\s*:",
    "lua": r"(function|local)\b.*\b%(name)s\b|\b%(name)s\s*=|\b%(name)s\s*,",
    "bash": r"(function\s+)?%(name)s\s*(\(\)|=|\+=)|(export|readonly|local|declare)\b.*%(name)s",
}
KEYWORDS = {"if", "for", "while", "switch", "return", "else", "do", "case", "int", "void", "_"}


def _matches(pattern, text, name):
    last = re.split(r"[.:]+", name)[-1]
    return re.search(pattern % {"name": re.escape(name), "last": re.escape(last)}, text) is not None


def missed(language, oracle, tag, sources, mine):
    path, line, name, kind, _ = tag
    text = sources.line(path, line)
    bare = re.split(r"[.:\\]+", name)[-1].replace("operator ", "operator")
    if bare and bare != name and (path, line, bare) in mine:
        return "the same name, written with its scope"
    if oracle == "scip":
        return _missed_scip(language, tag, sources, mine)
    if oracle == "ctags" and not re.fullmatch(r"[\w$@~:.!?=<>+*/%&|^\\ -]+", name) or name == "<lambda>":
        return "ctags error: not a name"
    for kinds, pattern, said in MISSED[language]:
        if re.fullmatch(kinds, kind) and _matches(pattern, text, name):
            return said
    for near in range(line - 3, line + 4):
        if (path, near, bare) in mine:
            return "another line of the same statement"
    if bare.split(" ")[0].rstrip("=") not in text:
        return "ctags error: not on that line"
    if language in ("c", "cpp"):
        if kind == "prototype" and re.match(r"\s*[A-Z_]+\(", text):
            return "ctags error: a macro call"
        if kind == "prototype" and re.match(r"\s*(\{ )?%s\s*\(" % re.escape(name), text):
            return "ctags error: a call"
        if kind == "macro" and re.search(r"#\s*define", text):
            return "OURS missing: macro defined inside of a list or expression"
    return f"OURS missing: {kind}"


def _missed_scip(language, tag, sources, mine):
    path, line, name, _, symbol = tag
    text = sources.line(path, line)
    if language == "python" and re.search(r"\bimport\b|^\s+%s,?$" % re.escape(name), text):
        return "scip counts imported names"
    if symbol.endswith("/__init__:") or symbol.endswith("/"):
        return "scip counts modules"
    if re.search(r"\([\w$]*\)", symbol.split("`")[-1].rstrip(".")) and not symbol.endswith("()."):
        return "a local or a parameter"
    if re.search(r"typeLiteral\d|\d+:", symbol) or re.match(r"\s*['\"]?%s['\"]?\s*[:,]"
                                                           % re.escape(name), text):
        return "a member of an object literal"
    for near in range(line - 3, line + 4):
        if (path, near, name) in mine:
            return "another line of the same statement"
    return "OURS missing: " + ("variable" if symbol.endswith(".") else "type")


def extra(language, oracle, tag, sources, gold):
    path, line, name, kind, _ = tag
    text = sources.line(path, line)
    for other in gold_names(name):
        if (path, line, other) in gold:
            return "the same name, written with its scope"
    if any(g[0] == path and g[1] == line and re.split(r"[.:\\]+", g[2])[-1].lstrip("`")
           .replace("operator ", "operator") in (name, name.rstrip("?!=")) for g in
           ((path, line, n) for n in _names_at(gold, path, line))):
        return "the same name, written with its scope"
    for near in range(line - 3, line + 4):
        if (path, near, name) in gold:
            return "another line of the same statement"
    if name in KEYWORDS:
        return "OURS extra: a word that is no name"
    bare = name.replace("operator", "operator ?") if name.startswith("operator") else re.escape(name)
    if language in ("c", "cpp") and kind == "variable" and text[:1] in (" ", "\t") \
            and not re.match(r"\s*(static|extern|inline|constexpr|const)\b", text):
        return "OURS extra: a local variable"
    if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and kind in ("method", "function") and \
            language in ("c", "cpp"):
        return "OURS extra: a macro call"
    if re.search(DEFINES[language] % {"name": bare}, text):
        return f"{oracle} does not look there: the line defines it ({kind})"
    return f"OURS extra: {kind}"


def gold_names(name):
    return (name.replace("operator", "operator "), "~" + name, name.rstrip("?!="), "`" + name + "`")


_by_line = {}


def _names_at(gold, path, line):
    if id(gold) not in _by_line:
        table = {}
        for p, n, word in gold:
            table.setdefault((p, n), []).append(word)
        _by_line.clear()
        _by_line[id(gold)] = table
    return _by_line[id(gold)].get((path, line), [])


def goto(language, place, column, told, gold, found, sources):
    """Why a first answer is wrong. place: path and line of the use."""
    text = sources.line(*place)
    before = text[:column - 1].rstrip()
    if told is None:
        return "OURS no answer"
    near = bool(gold & set(found[:5]))
    if language in ("c", "cpp") and near and all(p.rsplit(".", 1)[-1] in ("h", "hpp")
                                                 for p, _ in gold) \
            and told[0].rsplit(".", 1)[-1] not in ("h", "hpp"):
        return "clangd without an index stops at the declaration; the answer is the body"
    if language in ("c", "cpp") and told == place:
        return "at the body clangd goes to the prototype, and back"
    word = re.match(r"\w*", text[column - 1:]).group()
    if language in ("c", "cpp") and told[0] == place[0] and all(p != place[0] for p, _ in gold) \
            and re.match(r"[A-Za-z_].*[\s*]%s\s*[;=[(]" % word, sources.line(*told)):
        return "defined in the file itself; clangd takes that of another program"
    if language in ("c", "cpp") and near and all(
            g[0].endswith(".c") and g[0] != place[0]
            and re.match(r"[A-Za-z_].*[\s*]%s\s*\(" % word, sources.line(*g)) for g in (*gold, told)):
        return "one of several bodies: the configuration decides which is built"
    if language in ("c", "cpp") and near and all(
            re.match(r"\s*#\s*define\b", sources.line(*g)) for g in (*gold, told)):
        return "macros in branches of one #if: the configuration decides"
    rank = ": the right one is " + ("among the next answers" if near else "not in the first five")
    if before.endswith(".") or before.endswith("->"):
        return "OURS member, the receiver's type decides" + rank
    if before.endswith("::"):
        return "OURS qualified name" + rank
    if any(path == told[0] for path, _ in gold):
        return "OURS another definition of the name in the right file" + rank
    return "OURS plain name" + rank


def missed_use(line, name):
    """Why a use of the oracle is none of ours."""
    n = re.escape(name)
    if name in ("bool", "true", "false"):
        return "a word of the language, which a macro of this repository stands for"
    if re.search(rf"\bdef\s+\w+\(.*\b{n}\b|\blambda\b.*\b{n}\b", line):
        return "a parameter where it is declared"
    return "OURS not among the uses of the name"
