import ast
from pathlib import Path

import pytest
from snakedriz import settings
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import mdriztab
from snakedriz.settings.astrodrizzle_parameters import check_parameters
from snakedriz.settings.detectors import detector_settings, load_detectors


def test_detector_settings_merge():
    mapping = {"default": {"a": {"x": 1, "y": 2}, "b": [1]}, "ACS/WFC": {"a": {"y": 3}, "b": [2]}}
    assert detector_settings(mapping, "acs", "WFC ") == {"a": {"x": 1, "y": 3}, "b": [2]}
    assert mapping["default"]["a"]["y"] == 2
    with pytest.raises(SnakedrizError, match=r"STIS/CCD in detectors\.yaml; there are settings for ACS/WFC"):
        detector_settings(mapping, "STIS", "CCD")


def test_the_shipped_detectors():
    detectors = load_detectors()
    names = {"ACS/WFC", "ACS/HRC", "ACS/SBC", "WFC3/UVIS", "WFC3/IR", "WFPC2/PC"}
    assert names <= set(detectors)
    for name in names:
        numbers = detector_settings(detectors, *name.split("/"))["drizzle"]
        for count in (1, 2, 4, 6, 20):
            found = mdriztab.fallback(numbers, count)
            check_parameters(found, name)  # the same names and types that a user may give
            assert found["median"] is (count > 1 and name != "ACS/SBC")
            assert {"driz_sep_bits", "final_bits"} <= set(found)


def test_broken_detector_files(tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text("ACS/WFC: 3\n")
    with pytest.raises(SnakedrizError, match="expected a mapping from detectors"):
        load_detectors(path)
    with pytest.raises(SnakedrizError, match="cannot be read"):
        load_detectors(tmp_path / "nothere.yaml")


#: Names of the numbers of a detector, or of a block of them, in the modules that read them.
HOLDERS = {"settings", "options", "limits"}
BLOCKS = ("sources", "fitting", "fit_quality", "verification")
LIBRARY = Path(settings.__file__).parents[1]


def keys_used(path):
    """Yield the constant keys that a module reads from something called like one of `HOLDERS`, also through blocks."""
    for node in ast.walk(ast.parse(path.read_text())):
        read = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        if not (read and isinstance(node.slice, ast.Constant)):
            continue
        holder = node.value
        while isinstance(holder, ast.Subscript):
            holder = holder.value
        if (holder.id if isinstance(holder, ast.Name) else getattr(holder, "attr", "")) in HOLDERS:
            yield node.slice.value


def keys_of(block):
    for key, value in block.items():
        yield key
        yield from keys_of(value) if isinstance(value, dict) else ()


def test_every_number_that_is_used_is_there_and_every_one_that_is_there_is_used():
    detectors = load_detectors()
    modules = [path for room in ("detection", "alignment", "verification") for path in (LIBRARY / room).glob("*.py")]
    used = {(path.name, key) for path in modules for key in keys_used(path)}
    assert len(used) > 80
    text = "".join(path.read_text() for path in LIBRARY.parent.rglob("*.py"))
    for name in set(detectors) - {"default"}:
        numbers = detector_settings(detectors, *name.split("/"))
        there = {"drizzle", *BLOCKS}.union(*(keys_of(numbers[block]) for block in BLOCKS))
        assert not {(module, key) for module, key in used if key not in there}, name
        assert not [key for key in there if f'"{key}"' not in text], name


def test_a_number_that_no_detector_has_is_refused(tmp_path):
    (tmp_path / "d.yaml").write_text("default: {a: {x: 1}}\nACS/WFC: {a: {y: 1}, b: {}}\n")
    with pytest.raises(SnakedrizError, match=r"ACS/WFC: a\.y, ACS/WFC: b: there is no such number"):
        load_detectors(tmp_path / "d.yaml")
