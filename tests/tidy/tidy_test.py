#!/usr/bin/env python3
"""The checks of this folder find planted mistakes, and pass on a tree without any."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import docs
import editorconfig
import layers
import names
import scripts
import settings
import words


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.write("README.md", "`bash daemon/try.sh` and `bash tests/run.sh`\n")
        self.write("daemon/try.sh", "true\n")
        self.write("tests/run.sh", "true\n")
        self.write("lsp/a.h", "#pragma once\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def test_a_clean_tree_passes(self):
        for module in (layers, names, words, scripts, docs, settings, editorconfig):
            self.assertEqual(module.check(self.root), [], module.__name__)

    def finds(self, module, path, text, expected):
        self.write(path, text)
        found = module.check(self.root)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_an_include_across_layers(self):
        self.finds(layers, "indexer/a.cpp", '#include "lsp/a.h"\n', "out of its layer")

    def test_an_assist_that_sees_the_protocol(self):
        self.finds(layers, "daemon/assists/completion/a.cpp", '#include "lsp/a.h"\n', "out of its layer")

    def test_an_include_of_what_lies_above(self):
        self.write("daemon/handlers/h.h", "")
        self.finds(layers, "daemon/workspace/a.cpp", '#include "daemon/handlers/h.h"\n', "lies above")

    def test_an_include_of_no_file(self):
        self.finds(layers, "lsp/b.cpp", '#include "lsp/gone.h"\n', "no file lsp/gone.h")

    def test_a_foreign_header_outside_of_its_home(self):
        self.finds(layers, "indexer/store/a.cpp", "#include <git2.h>\n", "belongs in indexer/git")

    def test_two_types_of_one_name(self):
        self.write("lsp/a.cpp", "namespace {\nstruct Item {\n};\n}  // namespace\n")
        self.write("lsp/b.h", "namespace ambit {\nenum class Item : char { kA };\n}  // namespace ambit\n")
        self.finds(names, "lsp/c.h", "namespace ambit {\nclass Item final : public A {\n};\n}  // namespace ambit\n", "another type")

    def test_a_setting_that_nobody_reads(self):
        self.write("daemon/a.cpp", 'config.flag("a.read");\n')
        self.finds(settings, "daemon/config_table.cpp", 'Setting{"a.read", true}, Setting{"a.dead", true}\n', "nobody reads a.dead")

    def test_text_that_is_not_as_editorconfig_says(self):
        self.write(".editorconfig", "[*]\ncharset = utf-8\nend_of_line = lf\ninsert_final_newline = true\n"
                   "trim_trailing_whitespace = true\nindent_style = space\n[{docs,lsp}/**.raw]\nend_of_line = unset\n")
        self.write("lsp/deep/a.raw", "a\r\n")
        self.assertEqual(editorconfig.check(self.root), [])
        for text, expected in (("a\n b \n", "a.txt:2: blanks"), ("\ta\n", "a tab"), ("a", "newline"), ("a\r\n", "carriage"),
                               ("\ufeffa\n", "byte order")):
            self.finds(editorconfig, "a.txt", text, expected)
        (self.root / "a.txt").write_bytes(b"a\n\xff\n")
        self.assertEqual(editorconfig.check(self.root), ["a.txt:2: is not UTF-8"])

    def test_an_unfinished_mark(self):
        self.finds(words, "lsp/b.h", "// TO" + "DO later\n", "unfinished")

    def test_a_path_of_one_machine(self):
        self.finds(words, "docs/a.md", "see /ro" + "ot/x\n", "path of one machine")

    def test_a_registry_in_a_lock_file(self):
        self.finds(words, "package-lock.json", '{"resol' + 'ved": "https://example.org/a.tgz"}\n', "lock file")

    def test_a_shell_script_that_does_not_parse(self):
        self.finds(scripts, "tests/b.sh", "#!/usr/bin/env bash\nif true; then\n", "tests/b.sh")

    def test_a_dead_link(self):
        self.finds(docs, "docs/a.md", "[x](gone.md)\n", "does not exist")

    def test_a_named_file_that_is_gone(self):
        self.finds(docs, "docs/a.md", "look at `lsp/gone.cpp`\n", "names lsp/gone.cpp")

    def test_a_setting_that_the_server_does_not_know(self):
        self.write("docs/configuration.md", "| `model` | x |\n")
        self.finds(docs, "editor-plugins/vscode/package.json",
                   '{"contributes": {"configuration": {"properties": {"ambit.model": {}, "ambit.none": {}}}}}', "ambit.none")

    def test_a_method_that_the_page_forgets(self):
        self.write("docs/protocol.md", "| `ambit/status` | x |\n| `$/cancelRequest` | x |\n")
        self.finds(docs, "daemon/handlers/table.cpp",
                   'RequestHandler{"ambit/status", f},\nRequestHandler{"ambit/other", f},\n', "ambit/other of")

    def test_a_method_that_nobody_handles(self):
        self.write("docs/protocol.md", "| `shutdown` | x |\n| `$/cancelRequest` | x |\n")
        self.finds(docs, "daemon/handlers/table.cpp", "\n", "shutdown is not in")


if __name__ == "__main__":
    unittest.main()
