"""Commands of the README: what stands in them reaches Snakemake as what it is meant for."""

import re
import shlex
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def commands():
    """Every `snakemake ...` in a code block, and in the text between backticks; of a chain, that part."""
    found = []
    for line in TEXT.splitlines():
        for part in [line, *re.findall(r"`([^`]+)`", line)]:
            for piece in part.split(" && "):
                words = re.match(r"(?:\w+=\S+ )?(?:\.venv/bin/)?snakemake (.+)", piece.strip().removeprefix("`"))
                if words and "`" not in piece:
                    found.append(words[1].split("  #")[0].strip())
    return sorted(set(found))


@pytest.mark.parametrize("command", commands())
def test_every_word_is_what_it_looks_like(command):
    """--config and --configfile take every word that follows: a target behind them would be lost."""
    words = [word for word in shlex.split(command) if word != "..."]
    given = get_argument_parser().parse_args([w for w in words if not w.startswith("--slurm")])
    assert all(str(name).endswith(".yaml") for name in given.configfile or [])
    assert all("=" in entry for entry in given.config or [])
    assert sum(word == "--config" for word in words) <= 1


def test_there_are_commands_to_check():
    assert len(commands()) >= 10
