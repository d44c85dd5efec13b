"""Candidates that are solutions asked for by name: what the configuration says of them, and what they are called."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

#: Names that no such candidate may have: those of other candidates, made or planned.
RESERVED = ("default", "apriori", "aposteriori", "visit")
#: How a solution can be asked for; `either` is a text that may be a WCSNAME or a HDRNAME.
WAYS = ("wcsname", "hdrname", "headerlets", "either")
_LONGEST = 60


def slug(text: str) -> str:
    """Make the name of a candidate of a pattern, a HDRNAME or a folder: lower-case letters, digits and underscores.

    ``IDC_*-`` before the kind of solution says nothing and is left out: ``IDC_*-FIT_SVM_GAIAeDR3`` is
    ``fit_svm_gaiaedr3``, a bare ``IDC_*`` is ``idc``.
    """
    text = re.sub(r"[-_]hlet\.fits$|\.fits$", "", text.strip().rstrip("/").rpartition("/")[2].lower())
    text = re.sub(r"^(idc_)?[*?]*-(?=.)", "", text)
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")[:_LONGEST].rstrip("_")


def read(entries: Sequence[Any], builtin: Sequence[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Read the entries of `candidates` that are none of the built-in names.

    Parameters
    ----------
    entries : sequence
        Text (a built-in name, a pattern over WCSNAME, a HDRNAME) or a mapping with one of `wcsname`, `hdrname`,
        `headerlets`, and perhaps `name`.
    builtin : sequence of str
        Names of the candidates that the workflow makes itself.

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
        if entry in builtin:
            continue
        where = f"candidates[{place}]"
        wanted = {"either": entry.strip()} if isinstance(entry, str) else {k: entry[k] for k in WAYS if k in entry}
        if isinstance(entry, str) and (said := _no_solution(entry, builtin)):
            errors.append(f"{where}: {said}")
        elif len(wanted) != 1:
            errors.append(
                f"{where}: found {', '.join(wanted) or 'none of them'}; expected one of wcsname (a pattern), hdrname, "
                "headerlets (a folder)"
            )
        else:
            given = entry.get("name") if isinstance(entry, Mapping) else None
            name = given or slug(next(iter(wanted.values())))
            if said := _no_name(name, given, found, builtin):
                errors.append(f"{where}: {said}")
            else:
                found[name] = wanted
    return found, errors


def _no_solution(text: str, builtin: Sequence[str]) -> str:
    """A single word of letters is no solution but a candidate misspelt (OPUS alone is a WCSNAME)."""
    if not re.fullmatch(r"[A-Za-z]*", text.strip()) or text.strip().upper() == "OPUS":
        return ""
    near = difflib.get_close_matches(text.strip().lower(), builtin, n=1)
    return (
        f"expected one of {', '.join(builtin)}, a pattern over WCSNAME such as IDC_*-GSC240, a HDRNAME, or a mapping "
        f"with wcsname, hdrname or headerlets; found {text!r}" + (f" (did you mean {near[0]}?)" if near else "")
    )


def _no_name(name: str, given: str | None, found: Mapping[str, Any], builtin: Sequence[str]) -> str:
    remedy = "give it another name" if given else "give it one: {name: ..., wcsname: ...}"
    if not name:
        return f"no name can be made of it; {remedy}"
    if name in RESERVED or name in builtin:
        return f"the name {name} is that of another kind of candidate; {remedy}"
    if name in found:
        return f"the name {name} is taken by another entry; {remedy}"
    return ""
