"""Configuration: the contract keys checked and completed, environment switches, numbers per detector, versions."""

from __future__ import annotations

import copy
import difflib
import importlib.metadata
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from snakedriz import __version__, alternatives, automatic
from snakedriz.errors import SnakedrizError
from snakedriz.files import read_json

#: Candidates in the order in which they are made.
CANDIDATES = ("default", "apriori", "aposteriori", "visit")
#: What may be kept, the most first.
KEEP = ("all", "candidates", "final")
#: What each environment variable switches: key of the result, candidate.
SWITCHES = {
    "ASTROMETRY_APPLY_APRIORI": ("apply_apriori", "apriori"),
    "ASTROMETRY_COMPUTE_APOSTERIORI": ("compute_aposteriori", "aposteriori"),
}
#: Environment variables that stand for folders of reference files.
REFERENCE_VARIABLES = ("jref", "iref", "uref")
#: The schemas, where this library lies in its repository.
SCHEMAS = Path(__file__).resolve().parents[2] / "config" / "schemas"
_SWITCH_VALUES = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
#: Packages whose version is part of what a result depends on.
PACKAGES = ("drizzlepac", "stwcs", "tweakwcs", "photutils", "astropy", "numpy", "scipy")
_TYPE_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
    "null": "null",
}


def read_schema(name: str) -> dict[str, Any]:
    """Read the JSON schema ``config/schemas/<name>.schema.json``."""
    return read_json(SCHEMAS / f"{name}.schema.json")


def validate_config(config: Mapping[str, Any], schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Check a configuration and fill in the defaults.

    Parameters
    ----------
    config : mapping
        What the configuration file and the command line gave. Values from a command line may be text where a list, a
        mapping or a switch is meant; they are read as YAML then.
    schema : mapping, optional
        Contents of ``config/schemas/config.schema.json`` (read from there by default): keys, types, defaults and
        documentation.

    Returns
    -------
    dict
        All keys, also those left out; `associations` as ``"all"`` or a sorted list of rootnames, `candidates` in the
        order in which they are made; `alternatives` (from name to `wcsname`, `hdrname`, `headerlets` or `either`), the
        candidates that are solutions asked for by name, which follow the others in `candidates`.

    Raises
    ------
    SnakedrizError
        For an unknown key (with the nearest valid one and the list of all), a wrong type or value, or values that
        contradict each other. All errors found are in the one message.
    """
    from snakedriz.fits_headers.rootnames import clean_name

    schema = read_schema("config") if schema is None else schema
    result = _complete(automatic.resolve(config), schema)
    if isinstance(result.get("associations"), str) and result["associations"] != "all":
        given = result["associations"].strip()
        names = _listed(given) if given.endswith(".txt") else given.strip(" ,[]")
        result["associations"] = re.split(r"[,\s]+", names)
    group = result.get("visit", {}).get("group")
    if isinstance(group, str) and group != "auto":
        result["visit"]["group"] = yaml.safe_load(group)
    check(result, schema, "configuration")
    if result["associations"] != "all":
        result["associations"] = sorted({clean_name(name) for name in result["associations"]})
    if result["visit"]["group"] != "auto":
        result["visit"]["group"] = [sorted({clean_name(n) for n in names}) for names in result["visit"]["group"]]
    result["alternatives"], errors = alternatives.read(result["candidates"], CANDIDATES)
    asked = [name for name in CANDIDATES if name in result["candidates"]]
    result["candidates"] = [*asked, *result["alternatives"]]
    errors += _contradictions(result)
    if errors:
        raise SnakedrizError("configuration: " + "; ".join(errors))
    return result


def _listed(path: str) -> str:
    """Return the names in a file of associations, without what follows a #."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SnakedrizError(
            f"associations: {path}: cannot be read ({error}); give the path of a text file with one rootname a line"
        ) from error
    names = " ".join(line.partition("#")[0] for line in lines).strip()
    if not names:
        raise SnakedrizError(f"associations: {path}: names no association; expected one rootname a line")
    return names


def _contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    candidates = config["candidates"]
    if "default" not in candidates:
        yield "candidates: `default` must be among them, every other candidate is compared with it"
    choose = config["promotion"]["choose"]
    if choose is not None and choose not in candidates:
        yield f"promotion.choose: {choose!r} is not among the candidates ({', '.join(candidates)}){_near(choose)}"
    rank = config["promotion"]["rank"]
    known = [*dict.fromkeys([*CANDIDATES, *candidates])]
    for name in (name for name in rank if name not in known):
        yield f"promotion.rank: {name!r} is not among the candidates ({', '.join(known)}){_near(name, known)}"
    if "default" not in rank:
        yield "promotion.rank: `default` must be among them, it is what stands when nothing before it is verified"
    if config["promotion"]["policy"] == "drizzlepac" and not config["promotion"]["drizzlepac_numbers"]:
        yield "promotion.policy: drizzlepac decides by the numbers that promotion.drizzlepac_numbers: false leaves out"
    for catalog in config["catalogs"]:
        if (catalog.get("file") is None) == (catalog.get("service") is None):
            yield f"catalogs: {catalog['name']}: give either `file` or `service` (stsci, gaia, vizier)"
    names = [catalog["name"].upper() for catalog in config["catalogs"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"catalogs: {name} is named twice"
    group = config["visit"]["group"]
    grouped = [] if group == "auto" else [name for names in group for name in names]
    for name in sorted({name for name in grouped if grouped.count(name) > 1}):
        yield f"visit.group: {name} is in two visits"


def _near(name: str, known: Sequence[str] = CANDIDATES) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def check(obj: Any, schema: Mapping[str, Any], what: str) -> None:
    """Check anything in JSON form against a schema.

    Parameters
    ----------
    obj : any
        What to check.
    schema : mapping
        JSON schema (draft 2020-12).
    what : str
        Name of the thing, for the message.

    Raises
    ------
    SnakedrizError
        With one line for each error: where, what was found, what was expected.
    """
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(schema).iter_errors(obj), key=lambda e: [str(part) for part in e.absolute_path]
    )
    lines = [line for error in errors for line in _explain(error)]
    if lines:
        raise SnakedrizError(f"{what}: " + "; ".join(dict.fromkeys(lines)))


def _explain(error: Any) -> Iterator[str]:
    """Say in words what a validation error means."""
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
    at = f"{where}: " if where else ""
    found = error.instance
    if error.validator == "additionalProperties" and isinstance(found, Mapping):
        known = sorted(error.schema.get("properties", {}))
        for key in sorted(set(map(str, found)) - set(known)):
            near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
            yield (
                f"{at}unknown key `{key}`"
                + (f", did you mean `{near[0]}`?" if near else "")
                + (f" (valid keys: {', '.join(known)})")
            )
    elif error.validator == "type":
        types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        expected = " or ".join(_TYPE_NAMES.get(str(t), str(t)) for t in types)
        yield f"{at}expected {expected}, found {_kind(found)} {found!r}"
    elif error.validator == "enum":
        choices = ["null" if value is None else str(value) for value in error.validator_value]
        near = difflib.get_close_matches(found.lower(), choices, n=1) if isinstance(found, str) else []
        remarks = [f"did you mean {near[0]}?"] if near else []
        remarks += [error.schema["x-remark"]] if "x-remark" in error.schema else []
        yield f"{at}expected one of {', '.join(choices)}; found {found!r}" + (
            f" ({'; '.join(remarks)})" if remarks else ""
        )
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in found]
        yield f"{at}the key{'s' * (len(missing) > 1)} {', '.join(missing)} must be given"
    elif error.validator == "pattern":
        yield f"{at}found {found!r}; expected {error.schema.get('x-remark', f'text like {error.validator_value}')}"
    elif error.validator in ("oneOf", "anyOf"):
        yield f"{at}found {_kind(found)} {found!r}; expected {error.schema.get('x-remark', 'another type')}"
    else:
        yield f"{at}{error.message}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "the switch"
    if value is None:
        return "nothing:"
    if isinstance(value, int | float):
        return "the number"
    if isinstance(value, str):
        return "the text"
    return "the mapping" if isinstance(value, Mapping) else "the list"


def _complete(value: Any, schema: Mapping[str, Any]) -> Any:
    """Read text as YAML where text is not allowed, and fill in defaults, at every level."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if isinstance(value, str) and types and "string" not in types:
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            return value
    if isinstance(value, str) and types and "null" in types and value.strip().lower() in ("null", "~", ""):
        return None
    if value is None and "null" not in types and "default" in schema:  # `catalogs:` with nothing behind it
        value = copy.deepcopy(schema["default"])
    if isinstance(value, Mapping) and (
        "properties" in schema or isinstance(schema.get("additionalProperties"), Mapping)
    ):
        value = {str(key): item for key, item in value.items()}
        others = schema.get("additionalProperties")
        if isinstance(others, Mapping):
            value = {
                k: item if k in schema.get("properties", {}) else _complete(item, others) for k, item in value.items()
            }
        for key, sub in schema.get("properties", {}).items():
            if key in value:
                value[key] = _complete(value[key], sub)
            elif "default" in sub:
                value[key] = _complete(copy.deepcopy(sub["default"]), sub)
        return value
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_complete(item, schema["items"]) for item in value]
    return copy.deepcopy(value)


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
            "deprecated and refused: unset it and set ASTROMETRY_APPLY_APRIORI, its successor"
        )
    switches = {}
    for name, (key, _) in SWITCHES.items():
        value = environ.get(name, "on")
        if value.strip().lower() not in _SWITCH_VALUES:
            raise SnakedrizError(
                f"the environment variable {name} is {value!r}; expected one of {', '.join(_SWITCH_VALUES)} "
                "(any case), or unset it"
            )
        switches[key] = _SWITCH_VALUES[value.strip().lower()]
    return switches


def kinds_of_fit(config: Mapping[str, Any]) -> list[str]:
    """Return ``<method>_<geometry>`` of every fit to try with a catalogue, in order of preference."""
    fitting = config["fitting"]
    return [f"{method}_{geometry}" for method in fitting["methods"] for geometry in fitting["geometries"]]


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


def check_output(path: str | Path) -> None:
    """Refuse an output folder that cannot be written to, before any job is planned.

    Raises
    ------
    SnakedrizError
        If the folder, or the nearest one above it that exists, is not a folder or not writable.
    """
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise SnakedrizError(f"output: {folder} is a file, so {path} cannot be a folder; choose another `output:`")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SnakedrizError(
            f"output: {folder} cannot be written to; change its permissions or choose another `output:`"
        )


def load_detectors(path: str | Path) -> dict[str, Any]:
    """Read ``config/detectors.yaml``: numbers per detector, for `detector_settings`.

    Raises
    ------
    SnakedrizError
        If the file cannot be read as a mapping of mappings.
    """
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SnakedrizError(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(block, dict) for block in found.values()):
        raise SnakedrizError(f"{path}: expected a mapping from detectors (ACS/WFC, ...) to mappings")
    found.pop("study", None)  # the record of what the limits were measured to do: no result depends on it
    return found


def detector_settings(mapping: Mapping[str, Any], instrument: str, detector: str) -> dict[str, Any]:
    """Return the numbers of one detector: its block laid over the ``default`` block, mapping by mapping.

    Parameters
    ----------
    mapping : mapping
        Contents of ``config/detectors.yaml``.
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
            f"no settings for the detector {key} in config/detectors.yaml; there are settings for {known}"
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


def software_versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions that a result depends on, by package name; ``absent`` for one that is not installed."""
    versions = {"snakedriz": __version__}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions
