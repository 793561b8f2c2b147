#!/usr/bin/env python3
"""The commit hook in real commits: each reviews exactly what is committed.

    hook_cases.py AMBIT          AMBIT: the program

The oracle is git itself: every committed line with `breakpoint()` in it must be reported by the hook
of that commit, at its line, and nothing else may be.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

AMBIT = "ambit"


class Hooks(unittest.TestCase):
    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="ambit-hooks-"))
        self.repo = self.base / "repo"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "AMBIT_"))}
        for key in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            self.env[key] = str(self.base / key.lower())
            os.makedirs(self.env[key])
        runtime = self.base / "run"
        runtime.mkdir(mode=0o700)
        self.env.update(XDG_RUNTIME_DIR=str(runtime), GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0",
                        AMBIT_REVIEW_FAIL_LEVEL="none", GIT_EDITOR="true", NO_COLOR="1")
        settings = pathlib.Path(self.env["HOME"]) / ".gitconfig"
        settings.write_text("[user]\n name = T\n email = t@localhost\n[init]\n defaultBranch = main\n"
                            "[protocol \"file\"]\n allow = always\n[commit]\n gpgsign = false\n")
        self.repo.mkdir()
        self.git("init", "-q")

    def tearDown(self):
        shutil.rmtree(self.base, ignore_errors=True)

    def run_in(self, *words, cwd=None, ok=True, env=None):
        done = subprocess.run(words, cwd=cwd or self.repo, env={**self.env, **(env or {})},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if ok and done.returncode != 0:
            self.fail(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def git(self, *words, **more):
        return self.run_in("git", *words, **more)

    def ambit(self, *words, **more):
        return self.run_in(AMBIT, *words, **more)

    def write(self, name, text, root=None):
        path = (root or self.repo) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)

    def seed(self, install=True):
        """A first commit, then the hook."""
        for name in ("a", "b", "c"):
            self.write(f"{name}.py", f"def {name}():\n    return 1\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "one")
        if install:
            self.ambit("hook", "install")

    @staticmethod
    def stop_in(name, times=1):
        return f"def {name}():\n" + "".join(f"    breakpoint()  # {i}\n" for i in range(times, 0, -1)) + "    return 1\n"

    def reported(self, done):
        text = done.stdout + done.stderr
        return sorted(re.findall(r"^(\S+):(\d+):\d+: warning: breakpoint\(\)", text, re.M))

    def committed(self, cwd=None, parents=("HEAD^1",)):
        """Lines with breakpoint() that the newest commit adds to each of its parents."""
        found = None
        for parent in parents:
            base = parent
            if self.git("rev-parse", "-q", "--verify", parent, cwd=cwd, ok=False).returncode != 0:
                base = self.git("hash-object", "-t", "tree", "/dev/null", cwd=cwd).stdout.strip()
            lines = set()
            path, line = None, 0
            diff = self.git("diff", "-U0", "-M", "--ignore-submodules", base, "HEAD", cwd=cwd).stdout
            for row in diff.splitlines():
                if row.startswith("+++ "):
                    path = row[6:]
                elif row.startswith("@@"):
                    line = int(re.search(r"\+(\d+)", row).group(1))
                elif row.startswith("+"):
                    if "breakpoint()" in row:
                        lines.add((path, str(line)))
                    line += 1
            found = lines if found is None else found & lines
        return sorted(found)

    def check(self, done, cwd=None, parents=("HEAD^1",), least=1):
        expected = self.committed(cwd, parents)
        self.assertGreaterEqual(len(expected), least, "the case commits nothing to find")
        self.assertEqual(self.reported(done), expected, done.stdout + done.stderr)

    # Which bytes are reviewed

    def test_plain_commit_with_a_dirty_tree(self):
        self.seed()
        self.write("a.py", self.stop_in("a"))
        self.git("add", "a.py")
        self.write("a.py", "\n\n\n" + self.stop_in("a", 3))
        self.write("b.py", self.stop_in("b"))
        self.write("untracked.py", self.stop_in("u"))
        self.check(self.git("commit", "-m", "two"))

    def test_staged_fault_that_the_work_tree_has_mended(self):
        self.seed()
        self.write("a.py", self.stop_in("a"))
        self.git("add", "a.py")
        self.write("a.py", "def a():\n    return 1\n")
        self.check(self.git("commit", "-m", "two"))

    def test_commit_all(self):
        self.seed()
        self.write("a.py", self.stop_in("a"))
        self.write("b.py", self.stop_in("b"))
        self.check(self.git("commit", "-a", "-m", "two"), least=2)

    def test_pathspec(self):
        self.seed()
        self.write("a.py", self.stop_in("a"))
        self.write("b.py", self.stop_in("b"))
        self.git("add", "b.py")  # staged, but not part of this commit
        self.check(self.git("commit", "-m", "two", "a.py"))

    def test_amend(self):
        self.seed()
        self.write("a.py", "def a():\n    return 2\n")
        self.git("commit", "-qam", "two")
        before = self.git("rev-parse", "HEAD").stdout.strip()
        self.write("b.py", self.stop_in("b"))
        self.git("add", "b.py")
        done = self.git("commit", "--amend", "-m", "two again")
        # What amending adds; what the amended commit had was reviewed then.
        self.check(done, parents=(before,))

    def test_merge_without_conflict_reviews_nothing_twice(self):
        self.seed()
        self.git("checkout", "-qb", "side")
        self.write("a.py", self.stop_in("a"))
        self.git("commit", "-qam", "side", env={"AMBIT_REVIEW": "0"})
        self.git("checkout", "-q", "main")
        self.write("b.py", "def b():\n    return 3\n")
        self.git("commit", "-qam", "main")
        done = self.git("merge", "--no-edit", "side")
        self.assertEqual(self.git("rev-list", "--count", "--merges", "HEAD").stdout.strip(), "1")
        self.assertEqual(self.reported(done), [])

    def test_merge_with_a_conflict_reviews_the_resolution(self):
        self.seed()
        self.git("checkout", "-qb", "side")
        self.write("a.py", "def a():\n    return 'side'\n")
        self.write("b.py", self.stop_in("b"))
        self.git("commit", "-qam", "side", env={"AMBIT_REVIEW": "0"})
        self.git("checkout", "-q", "main")
        self.write("a.py", "def a():\n    return 'main'\n")
        self.git("commit", "-qam", "main")
        self.git("merge", "side", ok=False)
        self.write("a.py", self.stop_in("a"))
        self.git("add", "a.py")
        self.check(self.git("commit", "-m", "merged"), parents=("HEAD^1", "HEAD^2"))

    def test_linked_worktree(self):
        self.seed()
        other = self.base / "other"
        self.git("worktree", "add", "-q", str(other), "-b", "other")
        self.write("a.py", self.stop_in("a"))  # the main tree is not what is committed
        self.write("b.py", self.stop_in("b"), other)
        self.git("add", "b.py", cwd=other)
        self.write("b.py", self.stop_in("b", 4), other)
        self.check(self.git("commit", "-m", "two", cwd=other), cwd=other)
        self.write("c.py", self.stop_in("c"), other)
        self.check(self.git("commit", "-m", "three", "-a", cwd=other), cwd=other, least=2)

    def test_submodule(self):
        inner = self.base / "inner"
        inner.mkdir()
        self.git("init", "-q", cwd=inner)
        self.write("m.py", "def m():\n    return 1\n", inner)
        self.git("add", "-A", cwd=inner)
        self.git("commit", "-qm", "one", cwd=inner)
        self.seed()
        self.git("submodule", "add", "-q", str(inner), "sub")
        self.git("commit", "-qm", "submodule")
        sub = self.repo / "sub"
        self.ambit("hook", "install", cwd=sub)
        self.write("m.py", self.stop_in("m"), sub)
        self.git("add", "m.py", cwd=sub)
        self.check(self.git("commit", "-m", "two", cwd=sub), cwd=sub)
        # The outer commit holds a pointer and a file of its own.
        self.write("a.py", self.stop_in("a"))
        self.git("add", "-A")
        self.check(self.git("commit", "-m", "pointer"))

    def test_initial_commit(self):
        self.ambit("hook", "install")
        self.write("a.py", self.stop_in("a"))
        self.git("add", "a.py")
        self.write("b.py", self.stop_in("b"))
        self.check(self.git("commit", "-m", "one"))

    def test_orphan_branch_without_head(self):
        self.seed()
        self.git("checkout", "-q", "--orphan", "fresh")
        self.write("a.py", self.stop_in("a"))
        self.git("add", "-A")
        self.check(self.git("commit", "-m", "fresh"))

    def test_detached_head(self):
        self.seed()
        self.git("checkout", "-q", "--detach")
        self.write("a.py", self.stop_in("a"))
        self.git("add", "-A")
        self.check(self.git("commit", "-m", "two"))

    def test_from_a_subfolder(self):
        self.seed()
        self.write("deep/er/d.py", self.stop_in("d"))
        self.git("add", "-A")
        self.check(self.git("commit", "-m", "two", cwd=self.repo / "deep" / "er"))

    def test_rename_with_an_edit_and_mode_change(self):
        self.seed()
        body = "".join(f"def f{i}():\n    return {i}\n\n\n" for i in range(20))
        self.write("long.py", body)
        self.git("add", "-A")
        self.git("commit", "-qm", "long")
        self.git("mv", "long.py", "moved.py")
        self.write("moved.py", body + self.stop_in("last"))
        os.chmod(self.repo / "a.py", 0o755)
        self.git("add", "-A")
        self.check(self.git("commit", "-m", "moved"))

    def test_what_is_no_text_is_not_read(self):
        self.seed()
        self.write("binary.py", b"\0\1\2breakpoint()\n" * 10)
        self.write("lfs.py", "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 12\n")
        os.symlink("a.py", self.repo / "link.py")
        self.write("a.py", self.stop_in("a"))
        self.write("announced.py", self.stop_in("n"))
        self.git("add", "binary.py", "lfs.py", "link.py", "a.py")
        self.git("add", "-N", "announced.py")
        done = self.git("commit", "-m", "two")
        self.check(done)
        self.assertIn("binary.py was not read: binary", done.stdout + done.stderr)

    def test_names_with_spaces_and_other_letters(self):
        self.seed()
        self.write("sp ace/\u00fc.py", self.stop_in("u"))
        self.git("add", "-A")
        done = self.git("commit", "-m", "two")
        self.assertIn("sp ace/\u00fc.py:2:5: warning: breakpoint()", done.stdout + done.stderr)

    # Politeness

    def test_blocks_at_the_level_and_lets_pass_without(self):
        self.seed()
        self.write("a.py", "x = 1\n<<<<<<< ours\ny = 1\n=======\ny = 2\n>>>>>>> theirs\n")
        self.git("add", "-A")
        refused = self.git("commit", "-m", "two", ok=False, env={"AMBIT_REVIEW_FAIL_LEVEL": "error"})
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("conflict-marker", refused.stdout + refused.stderr)
        self.git("commit", "-m", "two", env={"AMBIT_REVIEW_FAIL_LEVEL": "error", "AMBIT_REVIEW": "0"})

    def test_an_older_hook_runs_first_and_comes_back(self):
        self.seed(install=False)
        hook = self.repo / ".git/hooks/pre-commit"
        old = "#!/bin/sh\necho older hook ran\ntest ! -e stop\n"
        self.write(".git/hooks/pre-commit", old)
        os.chmod(hook, 0o755)
        self.ambit("hook", "install")
        self.ambit("hook", "install")  # twice is once
        self.write("a.py", self.stop_in("a"))
        self.git("add", "a.py")
        done = self.git("commit", "-m", "two")
        self.assertIn("older hook ran", done.stdout + done.stderr)
        self.check(done)
        self.write("stop", "")
        self.write("b.py", self.stop_in("b"))
        refused = self.git("commit", "-am", "three", ok=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertEqual(self.reported(refused), [])
        self.ambit("hook", "uninstall")
        self.assertEqual(hook.read_text(), old)
        self.assertTrue(os.access(hook, os.X_OK))
        self.assertFalse((self.repo / ".git/hooks/pre-merge-commit").exists())

    def test_core_hooks_path(self):
        self.seed(install=False)
        self.git("config", "core.hooksPath", "my hooks")
        self.ambit("hook", "install")
        self.assertTrue((self.repo / "my hooks/pre-commit").exists())
        self.write("a.py", self.stop_in("a"))
        self.git("add", "a.py")
        self.check(self.git("commit", "-m", "two"))

    def test_works_when_the_program_is_gone(self):
        self.seed()
        hook = self.repo / ".git/hooks/pre-commit"
        hook.write_text(re.sub(r"^ambit='.*'$", "ambit='/nowhere/ambit'", hook.read_text(), flags=re.M))
        self.write("a.py", self.stop_in("a"))
        done = self.git("commit", "-am", "two", env={"PATH": "/usr/bin:/bin"})
        self.assertIn("is not reviewed", done.stderr)

    def test_settings_hook_needs_a_new_git(self):
        self.seed(install=False)
        version = tuple(int(n) for n in re.findall(r"\d+", self.git("version").stdout)[:2])
        done = self.ambit("hook", "install", "--config", ok=False)
        if version < (2, 54):
            self.assertEqual(done.returncode, 2)
            self.assertIn("2.54", done.stderr)
        else:
            self.write("a.py", self.stop_in("a"))
            self.check(self.git("commit", "-am", "two"))


class Frameworks(Hooks):
    """The same hook under the tools that manage hooks; a tool that is not here is skipped."""

    def tool(self, name, *fallback):
        path = shutil.which(name) or next((p for p in fallback if os.path.exists(p)), None)
        if path is None:
            self.skipTest(f"{name} is not installed")
        return path

    def commit_and_check(self):
        self.write("a.py", self.stop_in("a"))
        self.git("add", "a.py")
        self.write("b.py", self.stop_in("b"))
        self.check(self.git("commit", "-m", "two"))

    def test_pre_commit(self):
        tool = self.tool("pre-commit")
        self.seed(install=False)
        hooks = self.base / "hooks-repo"
        hooks.mkdir()
        shutil.copy(pathlib.Path(__file__).resolve().parents[2] / ".pre-commit-hooks.yaml", hooks)
        self.git("init", "-q", cwd=hooks)
        self.git("add", "-A", cwd=hooks)
        self.git("commit", "-qm", "hooks", cwd=hooks)
        revision = self.git("rev-parse", "HEAD", cwd=hooks).stdout.strip()
        self.write(".pre-commit-config.yaml",
                   f"repos:\n- repo: {hooks}\n  rev: {revision}\n  hooks:\n  - id: ambit-review\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "settings")
        self.env["PATH"] = f"{os.path.dirname(AMBIT)}:{self.env['PATH']}"
        self.run_in(tool, "install")
        self.commit_and_check()
        self.write("c.py", "<<<<<<< a\n=======\n>>>>>>> b\n")
        self.git("add", "c.py")
        refused = self.git("commit", "-m", "three", ok=False, env={"AMBIT_REVIEW_FAIL_LEVEL": "error"})
        self.assertNotEqual(refused.returncode, 0)

    def test_husky(self):
        modules = os.environ.get("AMBIT_HOOK_TOOLS", "")
        tool = self.tool("husky", os.path.join(modules, "node_modules/.bin/husky"))
        self.seed(install=False)
        self.run_in(tool)
        self.write(".husky/pre-commit", "echo husky ran\n")
        self.ambit("hook", "install")
        self.git("add", "-A")
        self.git("commit", "-qm", "husky")
        self.commit_and_check()
        self.ambit("hook", "uninstall")
        self.assertEqual((self.repo / ".husky/pre-commit").read_text(), "echo husky ran\n")

    def test_lefthook(self):
        modules = os.environ.get("AMBIT_HOOK_TOOLS", "")
        tool = self.tool("lefthook", os.path.join(modules, "node_modules/.bin/lefthook"))
        self.seed(install=False)
        self.write("lefthook.yml", f"pre-commit:\n  commands:\n    ambit:\n      run: {AMBIT} hook run pre-commit\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "settings")
        self.run_in(tool, "install")
        self.env["PATH"] = f"{os.path.dirname(tool)}:{self.env['PATH']}"
        self.commit_and_check()


# The cases of Hooks run once, not again as inherited ones.
for _name in [n for n in dir(Hooks) if n.startswith("test_")]:
    setattr(Frameworks, _name, None)


if __name__ == "__main__":
    AMBIT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
