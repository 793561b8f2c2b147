#!/usr/bin/env python3
"""Describes the crates of a repository to rust-analyzer without cargo and without a registry:
    tests/bench/index/rust_project.py REPO SYSROOT_SOURCE > rust-project.json
    rust-analyzer scip REPO                       # in a copy of REPO with this file at its top
SYSROOT_SOURCE is the folder that has core and std (`library` of rust-src). Crates of the repository
know one another; those of others are unknown, and so is what they return."""
import json
import os
import sys
import tomllib


def manifests(repo):
    for folder, folders, files in os.walk(repo):
        folders[:] = [f for f in folders if f not in ("target", ".git")]
        if "Cargo.toml" in files:
            with open(os.path.join(folder, "Cargo.toml"), "rb") as f:
                yield folder, tomllib.load(f)


def main():
    repo, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    known = [(folder, m) for folder, m in manifests(repo) if "package" in m]
    workspace = next((m["workspace"] for folder, m in manifests(repo)
                      if folder == repo and "workspace" in m), {})
    crates, library_of = [], {}
    for folder, m in known:
        package = m["package"]
        edition = package.get("edition", "2015")
        if not isinstance(edition, str):
            edition = workspace.get("package", {}).get("edition", "2021")
        roots = [(m.get("lib", {}).get("path", "src/lib.rs"), True), ("src/main.rs", False)]
        roots += [(b["path"], False) for b in m.get("bin", []) if "path" in b]
        for path, library in roots:
            root = os.path.join(folder, path)
            if not os.path.exists(root):
                continue
            name = (m.get("lib", {}).get("name", package["name"]) if library
                    else package["name"]).replace("-", "_")
            features = [f'feature="{f}"' for f in m.get("features", {})]
            crates.append({"display_name": name, "root_module": root, "edition": edition,
                           "deps": [], "cfg": ["unix", "test", 'target_os="linux"', *features],
                           "is_workspace_member": True, "env": {}, "is_proc_macro": False,
                           "_manifest": m})
            if library:
                library_of[package["name"]] = len(crates) - 1
    for number, crate in enumerate(crates):
        m = crate.pop("_manifest")
        wanted = {**m.get("dependencies", {}), **m.get("dev-dependencies", {}),
                  m["package"]["name"]: {}}
        for name, how in wanted.items():
            target = library_of.get(how.get("package", name) if isinstance(how, dict) else name)
            if target is not None and target != number:
                crate["deps"].append({"crate": target, "name": name.replace("-", "_")})
    json.dump({"sysroot_src": source, "crates": crates}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
