"""The rooms of the library: imports go down the floors, and `lint-imports` notices where they do not."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "scripts/snakedriz"
LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def lint(scripts):
    """Exit status and output of `lint-imports` with the contracts of pyproject.toml for the package in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--config", str(ROOT / "pyproject.toml"), "--no-cache"],
        cwd=scripts, env={**os.environ, "PYTHONPATH": str(scripts)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_the_contracts_hold():
    status, said = lint(PACKAGE.parent)
    assert status == 0, said


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("wcs/fits_bytes.py", "from snakedriz.alignment import matching", "Imports go down the floors"),
        ("promotion/no_harm.py", "from snakedriz.candidates import named", "Imports go down the floors"),
        ("catalogs/reference.py", "def f():\n    from snakedriz.services import cache", "Imports go down the floors"),
        ("unknown_room.py", "", "every room has its floor"),
        ("services/cache.py", "from snakedriz.drizzle import singles", "Clients of services know"),
        ("simulate/scene.py", "from snakedriz.wcs import solutions", "What is simulated"),
        ("services/retries.py", "def f():\n    from snakedriz.services import transport", "in circles"),
        ("detection/sources.py", "import requests", "Only the clients of services"),
        ("errors.py", "from snakemake.io import expand", "knows nothing of Snakemake"),
    ],
)
def test_a_forbidden_import_is_noticed(tmp_path, module, line, contract):
    shutil.copytree(PACKAGE, tmp_path / "snakedriz", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "snakedriz" / module).open("a") as stream:
        stream.write(f"\n{line}\n")
    status, said = lint(tmp_path)
    assert status != 0
    broken = said if module == "unknown_room.py" else said.partition("Broken contracts")[2]
    assert contract in broken
    assert module.removesuffix(".py").replace("/", ".").rpartition(".")[2] in broken


def trees():
    """Every module of the library and every script, as (path below scripts/, syntax tree)."""
    paths = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.parent.glob("*.py")])
    return [(path.relative_to(PACKAGE.parent), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def test_no_two_classes_have_one_name():
    places = {}
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


#: What modules need no test of their name for, and why.
WITHOUT_A_TEST = {
    "__main__": "writes generated files, which tests compare",
    "common": "models, which tests of artefacts use",
    "registry": "models, which tests of artefacts use",
}


def test_every_module_has_a_test_of_its_name():
    missing = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE)
        test = ROOT / "tests" / module.with_name(f"test_{path.name}")
        if path.stem not in ("__init__", *WITHOUT_A_TEST) and not test.exists():
            missing.append(str(module))
    assert missing == []


#: Documented names of named tuples.
PUBLIC = {"_asdict", "_fields", "_make", "_replace"}


def test_no_private_names_of_other_libraries():
    """Imported ones, and attributes of what is neither self nor cls that the file does not define itself."""
    found = []
    for path, tree in trees():
        nodes = list(ast.walk(tree))
        own = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_self(node.value)}
        own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        own |= {
            node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        for node in nodes:
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Attribute) and not _is_self(node.value) and node.attr not in own:
                names = [node.attr]
            found += [f"{path}:{node.lineno}: {name}" for name in names
                      if name.startswith("_") and not name.startswith("__") and name not in PUBLIC]  # fmt: skip
    assert not found, "\n".join(found)


def _is_self(node):
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
