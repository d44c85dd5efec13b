"""What the environment says: switches of the documented system, and folders of reference files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snakedriz.errors import SnakedrizError

#: What each environment variable switches: key of the result, candidate.
SWITCHES = {
    "ASTROMETRY_APPLY_APRIORI": ("apply_apriori", "apriori"),
    "ASTROMETRY_COMPUTE_APOSTERIORI": ("compute_aposteriori", "aposteriori"),
}
#: Environment variables that stand for folders of reference files.
REFERENCE_VARIABLES = ("jref", "iref", "uref")
_VALUES = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}


def environment_switches(environ: Mapping[str, str]) -> dict[str, bool]:
    """Read the switches of the documented system from the environment.

    Parameters
    ----------
    environ : mapping
        Usually `os.environ`.

    Returns
    -------
    dict
        ``apply_apriori`` (from ``ASTROMETRY_APPLY_APRIORI``) and ``compute_aposteriori`` (from
        ``ASTROMETRY_COMPUTE_APOSTERIORI``); True where the variable is not set.

    Raises
    ------
    SnakedrizError
        For a value that is none of on/yes/true/off/no/false (any case), and for the deprecated
        ``ASTROMETRY_STEP_CONTROL``.
    """
    if "ASTROMETRY_STEP_CONTROL" in environ:
        raise SnakedrizError(
            f"the environment variable ASTROMETRY_STEP_CONTROL (set to {environ['ASTROMETRY_STEP_CONTROL']!r}) is "
            "deprecated and refused",
            "unset it and set ASTROMETRY_APPLY_APRIORI, its successor",
        )
    switches = {}
    for name, (key, _) in SWITCHES.items():
        value = environ.get(name, "on")
        if value.strip().lower() not in _VALUES:
            raise SnakedrizError(
                f"the environment variable {name} is {value!r}; expected one of {', '.join(_VALUES)} (any case)",
                "set it to one of these, or unset it",
            )
        switches[key] = _VALUES[value.strip().lower()]
    return switches


def reference_directories(config: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Return where reference files are: from ``jref``, ``iref`` and ``uref`` to a folder, as far as they are set.

    Parameters
    ----------
    config : mapping
        Its `references` come first.
    environ : mapping
        Usually `os.environ`; its variables of those names serve where the configuration names no folder.
    """
    references = config.get("references") or {}
    found = {name: references.get(name) or environ.get(name) for name in REFERENCE_VARIABLES}
    return {name: folder for name, folder in found.items() if folder}


def reference_variable(rootname: str) -> str:
    """Return which of `REFERENCE_VARIABLES` stands for the reference files of an exposure or association.

    By its first letter, which is that of the instrument: j ACS, i WFC3, u WFPC2.
    """
    return next((name for name in REFERENCE_VARIABLES if name[0] == rootname[:1]), REFERENCE_VARIABLES[0])
