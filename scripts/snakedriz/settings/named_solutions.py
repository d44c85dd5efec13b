"""Solutions asked for by name: what the configuration says of these candidates, and what they are called."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from snakedriz.settings.values import CANDIDATE_NAME, Filled, Text

#: Candidates that the workflow makes itself, in this order; no solution asked for by name may be called like one.
CANDIDATES = ("default", "apriori", "aposteriori", "visit")
#: How a solution can be asked for; `either` is a text that may be a WCSNAME or a HDRNAME.
WAYS = ("wcsname", "hdrname", "headerlets", "either")
_LONGEST = 60


class SolutionByName(TypedDict, total=False):
    """An entry of `candidates`: one way to ask for a solution, and perhaps what to call it."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    name: Annotated[
        Text,
        Field(
            description="name of the candidate: its folder is <asn>_<name>; made of the pattern if not given",
            pattern=CANDIDATE_NAME,
        ),
    ]
    wcsname: Annotated[
        Filled, Field(description="pattern (*, ?) over WCSNAME of the solutions that the exposures carry")
    ]
    hdrname: Annotated[Filled, Field(description="pattern (*, ?) over HDRNAME")]
    headerlets: Annotated[Filled, Field(description="folder of *hlet.fits, matched to exposures by DESTIM")]


def slug(text: str) -> str:
    """Make the name of a candidate of a pattern, a HDRNAME or a folder: lower-case letters, digits and underscores.

    ``IDC_*-`` before the kind of solution says nothing and is left out: ``IDC_*-FIT_SVM_GAIAeDR3`` is
    ``fit_svm_gaiaedr3``, a bare ``IDC_*`` is ``idc``.
    """
    text = re.sub(r"[-_]hlet\.fits$|\.fits$", "", text.strip().rstrip("/").rpartition("/")[2].lower())
    text = re.sub(r"^(idc_)?[*?]*-(?=.)", "", text)
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")[:_LONGEST].rstrip("_")


def read(entries: Sequence[str | SolutionByName]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Read the entries of `candidates` that are none of `CANDIDATES`.

    Parameters
    ----------
    entries : sequence
        Text (one of `CANDIDATES`, a pattern over WCSNAME, a HDRNAME) or a mapping with one of `wcsname`, `hdrname`,
        `headerlets`, and perhaps `name`.

    Returns
    -------
    dict
        From the candidate's name to what is asked for, in the order given: one of `WAYS` and its text.
    list of str
        What is wrong, a sentence each.
    """
    found: dict[str, dict[str, str]] = {}
    errors = []
    for place, entry in enumerate(entries):
        if entry in CANDIDATES:
            continue
        where = f"candidates[{place}]"
        wanted = (
            {"either": entry.strip()} if isinstance(entry, str) else {k: str(entry.get(k)) for k in WAYS if k in entry}
        )
        if isinstance(entry, str) and (said := _no_solution(entry)):
            errors.append(f"{where}: {said}")
        elif len(wanted) != 1:
            errors.append(
                f"{where}: found {', '.join(wanted) or 'none of them'}; expected one of wcsname (a pattern), hdrname, "
                "headerlets (a folder)"
            )
        else:
            given = entry.get("name") if isinstance(entry, Mapping) else None
            name = given or slug(next(iter(wanted.values())))
            if said := _no_name(name, given, found):
                errors.append(f"{where}: {said}")
            else:
                found[name] = wanted
    return found, errors


def _no_solution(text: str) -> str:
    """A single word of letters is no solution but a candidate misspelt (OPUS alone is a WCSNAME)."""
    if not re.fullmatch(r"[A-Za-z]*", text.strip()) or text.strip().upper() == "OPUS":
        return ""
    near = difflib.get_close_matches(text.strip().lower(), CANDIDATES, n=1)
    return (
        f"expected one of {', '.join(CANDIDATES)}, a pattern over WCSNAME such as IDC_*-GSC240, a HDRNAME, or a "
        f"mapping with wcsname, hdrname or headerlets; found {text!r}" + (f" (did you mean {near[0]}?)" if near else "")
    )


def _no_name(name: str, given: str | None, found: Mapping[str, Any]) -> str:
    remedy = "give it another name" if given else "give it one: {name: ..., wcsname: ...}"
    if not name:
        return f"no name can be made of it; {remedy}"
    if name in CANDIDATES:
        return f"the name {name} is that of another kind of candidate; {remedy}"
    if name in found:
        return f"the name {name} is taken by another entry; {remedy}"
    return ""
