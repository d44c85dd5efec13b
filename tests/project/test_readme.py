"""README and docs: commands reach Snakemake as what they are meant for, and links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).resolve().parents[2]
PLACES = (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "config/README.md", *sorted(ROOT.glob("docs/*.md")))
PAGES = {path: path.read_text(encoding="utf-8") for path in PLACES}


def commands():
    """Every `snakemake ...` in a code block, and in the text between backticks; of a chain, that part."""
    found = []
    for line in "\n".join(PAGES.values()).splitlines():
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
    assert len(commands()) >= 20


def anchors(text):
    """Anchors that a Markdown page has, as hosting services make them from headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        if "://" not in link:
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_first_page_stays_short_and_leads_to_all_others():
    first = PAGES[ROOT / "README.md"]
    assert len(first.splitlines()) <= 100
    missing = [page.name for page in ROOT.glob("docs/*.md") if f"(docs/{page.name}" not in first]
    assert missing == []
