// Moves in JavaScript and TypeScript: defaults of modules, and CommonJS.
#include <gtest/gtest.h>

#include "tests/daemon/refactor/move_cases.h"

namespace ambit::daemon {
namespace {

TEST(MoveDefault, UsersImportItFromItsNewHome) {
  check("move f to src/b.ts",
        "//- src/a.ts\nimport { join } from './path';\n\nexport default function f() {\n  return "
        "join();\n}\n\n"
        "export const rest = 1;\n"
        "//- src/path.ts\nexport function join() {}\n"
        "//- src/one.ts\nimport g from './a';\n\ng();\n"
        "//- src/two.ts\nimport f, { rest } from './a';\n\nf(rest);\n"
        "//- src/three.ts\nimport { rest } from './a';\n\nrest;\n",
        "//- src/a.ts\nexport const rest = 1;\n"
        "//- src/b.ts\nimport { join } from './path';\n\nexport default function f() {\n  return "
        "join();\n}\n"
        "//- src/path.ts\nexport function join() {}\n"
        "//- src/one.ts\nimport g from './b';\n\ng();\n"
        "//- src/two.ts\nimport { rest } from './a';\nimport f from './b';\n\nf(rest);\n"
        "//- src/three.ts\nimport { rest } from './a';\n\nrest;\n");
  check("move C to src/b.js",
        "//- src/a.js\nexport const rest = 1;\n\nclass C {}\n\nexport default C;\n"
        "//- src/b.js\nimport { rest } from './a.js';\n\nexport const b = rest;\n"
        "//- src/use.js\nimport C from './a.js';\n\nnew C();\n",
        "//- src/a.js\nexport const rest = 1;\n\n"
        "//- src/b.js\nimport { rest } from './a.js';\n\nexport const b = rest;\n\nclass C "
        "{}\n\nexport default C;\n"
        "//- src/use.js\nimport C from './b.js';\n\nnew C();\n");
}

TEST(MoveDefault, RefusesWhereItWouldNotBeExact) {
  const auto with = [](const std::string& rest) {
    return "//- src/a.ts\nexport default function f() {}\n" + rest;
  };
  refused("move f to src/b.ts", with("//- src/b.ts\nexport default 1;\n"), "has a default already");
  refused("move f to src/b.ts", with("//- src/index.ts\nexport { default as f } from './a';\n"),
          "exports it again");
  refused("move f to src/b.ts", with("//- src/c.ts\nconst a = await import('./a');\n"),
          "through its module");
}

constexpr std::string_view kCommon =
    "//- lib/a.js\n'use strict'\n\nconst path = require('node:path')\nconst { up, down: low } = "
    "require('./b')\n\n"
    "// Finds.\nfunction find (name) {\n  return up(path.join(low, name))\n}\n\n"
    "function rest () {}\n\nmodule.exports = {\n  find,\n  rest\n}\n"
    "//- lib/b.js\n'use strict'\n\nmodule.exports = { up: 1, down: 2 }\n"
    "//- lib/use.js\n'use strict'\n\nconst { find, rest } = require('./a')\n\nfind(rest)\n"
    "//- test/use.js\nconst { find: seek } = require('../lib/a')\n\nseek()\n";

TEST(MoveCommonJs, UsersRequireItFromItsNewHome) {
  check("move find to lib/sub/c.js", kCommon,
        "//- lib/a.js\n'use strict'\n\nconst path = require('node:path')\nconst { up, down: low } "
        "= require('./b')\n\n"
        "function rest () {}\n\nmodule.exports = {\n  rest\n}\n"
        "//- lib/b.js\n'use strict'\n\nmodule.exports = { up: 1, down: 2 }\n"
        "//- lib/sub/c.js\n'use strict'\n\nconst path = require('node:path')\n"
        "const { down: low } = require('../b')\nconst { up } = require('../b')\n\n"
        "// Finds.\nfunction find (name) {\n  return up(path.join(low, name))\n}\n\nmodule.exports "
        "= { find }\n"
        "//- lib/use.js\n'use strict'\n\nconst { rest } = require('./a')\nconst { find } = "
        "require('./sub/c')\n\nfind(rest)\n"
        "//- test/use.js\nconst { find: seek } = require('../lib/sub/c')\n\nseek()\n");
}

TEST(MoveCommonJs, FitsIntoAFileThatIsThere) {
  check("move one to b.js",
        "//- a.js\nfunction one() { return 1; }\nfunction two() { return one(); }\n"
        "exports.one = one;\nexports.two = two;\n"
        "//- b.js\nconst fs = require('fs');\n\nfunction three() { return fs; }\n\nexports.three = "
        "three;\n"
        "//- c.js\nconst { one } = require('./a');\nconst { three } = "
        "require('./b');\n\none(three);\n",
        "//- a.js\nconst { one } = require('./b');\nfunction two() { return one(); }\nexports.two "
        "= two;\n"
        "//- b.js\nconst fs = require('fs');\n\nfunction three() { return fs; }\n\n"
        "function one() { return 1; }\n\nexports.one = one;\nexports.three = three;\n"
        "//- c.js\nconst { one } = require('./b');\nconst { three } = "
        "require('./b');\n\none(three);\n");
}

TEST(MoveCommonJs, RefusesWhereItWouldNotBeExact) {
  const auto with = [](const std::string& rest) { return std::string(kCommon) + rest; };
  refused("move find to lib/c.js", with("//- x.js\nconst a = require('./lib/a')\na.find()\n"),
          "through its module");
  refused("move find to lib/c.js",
          with("//- x.js\nfunction f () { return require('./lib/a').find }\n"),
          "through its module");
  refused("move find to lib/c.js",
          with("//- x.js\nconst { find, ...others } = require('./lib/a')\n"), "through its module");
  refused("move find to lib/c.js", with("//- x.js\njest.mock('./lib/a', { find: 1 })\n"),
          "cannot follow");
  refused("move find to lib/c.js", with("//- lib/c.js\nmodule.exports = { c: 1 }\n"), "use strict");
  refused("move find to lib/c.js", with("//- lib/c.js\n'use strict'\nmodule.exports = 1\n"),
          "exports no names");
  refused("move find to lib/c.js",
          with("//- lib/c.js\n'use strict'\nconst up = 1\nmodule.exports = { up }\n"),
          "another up");
  refused("move find to lib/b.js", with(""), "another name");
  const auto one = [](const std::string& body) { return "//- a.js\n" + body; };
  refused("move f to b.js",
          one("function g () {}\nfunction f () { g() }\nmodule.exports = { f }\n"),
          "is not exported");
  refused("move f to b.js", one("let n = 1\nfunction f () { n++ }\nmodule.exports = { f, n }\n"),
          "may be set again");
  refused("move f to b.js", one("function f () {}\nmodule.exports = f\n"), "move the file");
  refused("move f to b.js", one("function f () { return __dirname }\nmodule.exports = { f }\n"),
          "__dirname");
  refused("move f to b.js",
          one("function g () {}\nfunction f () { g() }\nf()\nmodule.exports = { f, g }\n"),
          "need each other");
  refused("move f to b.js",
          one("const { c } = require('./c')\nfunction f () { c() }\nmodule.exports = { f }\n"
              "//- c.js\nconst { b } = require('./b')\nmodule.exports = { c: 1 }\n"
              "//- b.js\nmodule.exports = { b: 1 }\n"),
          "c.js requires b.js");
}

}  // namespace
}  // namespace ambit::daemon
