"""Numbers that differ from detector to detector: ``detectors.yaml`` beside this module, or a file like it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from snakedriz.errors import SnakedrizError

#: The C parser reads the file in a tenth of the time; planning and every command read it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Keys that a detector's block may have although `default` has none: every detector says its own.
OWN = {"sources.fwhm_px"}
#: Blocks that a detector may extend freely: names and numbers of AstroDrizzle's parameters (see `mdriztab`).
_FREE = ("drizzle.common", "drizzle.images")


def load_detectors(path: str | Path | None = None) -> dict[str, Any]:
    """Read the numbers per detector, for `detector_settings`.

    Parameters
    ----------
    path : path, optional
        A file to read instead of the package's own.

    Returns
    -------
    dict
        From ``default`` and ``<instrument>/<detector>`` to blocks of numbers.

    Raises
    ------
    SnakedrizError
        If the file cannot be read as a mapping of mappings, or names a number that ``default`` has not.
    """
    source = resources.files(__package__) / "detectors.yaml" if path is None else Path(path)
    try:
        found = yaml.load(source.read_text(encoding="utf-8"), _Loader)
    except (OSError, yaml.YAMLError) as error:
        raise SnakedrizError(f"{source}: cannot be read: {error}", "give a YAML file like detectors.yaml") from error
    if not isinstance(found, dict) or not all(isinstance(block, dict) for block in found.values()):
        raise SnakedrizError(
            f"{source}: expected a mapping from detectors (ACS/WFC, ...) to mappings", "give a file like detectors.yaml"
        )
    default = found.get("default") or {}
    unknown = [f"{name}: {key}" for name, block in found.items() for key in _unknown(block, default)]
    if unknown:
        raise SnakedrizError(
            f"{source}: {', '.join(unknown)}: there is no such number in the block `default`", "correct its name"
        )
    return found


def _unknown(block: Mapping[str, Any], default: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the keys of a block that the default block has not, each with a dot before every part but the first."""
    for key, value in block.items():
        name = f"{above}{key}"
        if key not in default:
            if name not in OWN:
                yield name
        elif isinstance(value, Mapping) and isinstance(default[key], Mapping) and name not in _FREE:
            yield from _unknown(value, default[key], f"{name}.")


def detector_settings(mapping: Mapping[str, Any], instrument: str, detector: str) -> dict[str, Any]:
    """Return the numbers of one detector: its block laid over the ``default`` block, mapping by mapping.

    Parameters
    ----------
    mapping : mapping
        What `load_detectors` returns.
    instrument, detector : str
        As the headers name them, for example ``ACS`` and ``WFC``.

    Raises
    ------
    SnakedrizError
        If there is no block for the detector.
    """
    key = f"{instrument.strip().upper()}/{detector.strip().upper()}"
    if key not in mapping:
        known = ", ".join(sorted(name for name in mapping if name != "default"))
        raise SnakedrizError(
            f"no settings for the detector {key} in detectors.yaml; there are settings for {known}",
            "process exposures of these detectors",
        )
    return _merge(mapping.get("default") or {}, mapping[key] or {})


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = _merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result
