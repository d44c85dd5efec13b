"""Pins are the same in all files, and so is our version: conda environment, image, constraints, citation, changelog."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from snakedriz import __version__

ROOT = Path(__file__).resolve().parents[2]
#: What the conda environment and the image are: markers of the pins are looked at for these, whatever runs the test.
PLATFORM = {
    "python_version": "3.11",
    "python_full_version": "3.11.15",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
}


def constraints():
    """From canonical name to version, of the lines of envs/constraints.txt that hold on the platform."""
    found = {}
    for line in (ROOT / "envs/constraints.txt").read_text().splitlines():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(PLATFORM):
            [specifier] = requirement.specifier
            assert specifier.operator == "==", line
            found[canonicalize_name(requirement.name)] = specifier.version
    return found


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def needed():
    """Canonical names of all that the workflow and its plots need, directly or not, as the installed packages say."""
    wanted = [Requirement(r) for r in [*project()["dependencies"], *project()["optional-dependencies"]["plots"]]]
    found, seen = set(), set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        found.add(name)
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # needed by another Python than the one that runs the test; its own needs are not known here
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                children = [Requirement(line) for line in lines]
                wanted += [c for c in children if c.marker is None or c.marker.evaluate({**PLATFORM, "extra": extra})]
    return found


def conda_environment():
    return yaml.safe_load((ROOT / "envs/snakedriz.yaml").read_text())


def test_the_conda_environment_pins_all_that_is_needed_at_the_versions_of_the_constraints():
    pins = constraints()
    [pip] = [entry["pip"] for entry in conda_environment()["dependencies"] if isinstance(entry, dict)]
    assert pip == sorted(f"{name}=={pins[name]}" for name in needed())


def test_the_conda_environment_has_the_python_that_the_pins_were_looked_at_for():
    plain = [entry for entry in conda_environment()["dependencies"] if isinstance(entry, str)]
    assert plain[0] == f"python={PLATFORM['python_version']}"
    assert [entry for entry in plain if not re.match(r"(python|pip)\b", entry)] == []


def test_the_labels_of_the_image_are_the_versions_in_it():
    text = (ROOT / "Containerfile").read_text()
    labels = dict(re.findall(r'snakedriz\.version\.([a-z]+)="([^"]+)"', text))
    assert {"astropy", "drizzlepac", "numpy", "photutils", "scipy", "snakemake", "stwcs", "tweakwcs"} == set(labels)
    assert labels == {name: constraints()[name] for name in labels}


@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("CITATION.cff", r"^version: (\S+)$"),
        ("Containerfile", r'org\.opencontainers\.image\.version="([^"]+)"'),
        ("profiles/kubernetes/job.yaml", r"image: \S+:(\S+)"),
    ],
)
def test_the_version_is_that_of_the_package(file, written):
    """The one place is scripts/snakedriz/__init__.py, which pyproject.toml reads; what cannot is compared."""
    assert re.findall(written, (ROOT / file).read_text(), re.MULTILINE) == [__version__]
    assert project()["dynamic"] == ["version"]


def test_the_citation_says_what_its_format_asks_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == project()["license"]
    assert citation["abstract"].startswith(project()["description"])


def test_every_release_and_what_comes_next_is_in_the_changelog():
    releases = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == "Unreleased" or releases[0] == __version__
    assert __version__ in releases


def test_the_base_of_the_image_is_pinned_by_digest():
    [base] = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    assert re.fullmatch(r"docker\.io/\S+@sha256:[0-9a-f]{64}", base)


def test_every_rule_with_a_script_has_the_conda_environment():
    for path in sorted((ROOT / "rules").glob("*.smk")):
        text = path.read_text()
        scripts = re.findall(r"^ *script:$", text, re.MULTILINE)
        environments = re.findall(r'^ *conda:\n +"\.\./envs/snakedriz\.yaml"$', text, re.MULTILINE)
        assert len(environments) == len(scripts), path
