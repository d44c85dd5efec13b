from pathlib import Path

import pytest
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import reference_files


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "x_idc.fits").write_bytes(b"x")
    return tmp_path / "ref"


def test_configuration_before_environment(folder, tmp_path):
    path = folder / "x_idc.fits"
    assert reference_files.resolve("jref$x_idc.fits", {"jref": str(folder)}, {}) == path
    assert reference_files.resolve("jref$x_idc.fits", {"jref": None}, {"jref": f"{folder}/"}) == path
    assert reference_files.resolve(" jref$x_idc.fits ", {"jref": str(folder)}, {"jref": str(tmp_path)}) == path
    assert reference_files.resolve(str(path), {}, {}) == path


def test_relative_folders_stay_relative(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert reference_files.resolve("jref$x_idc.fits", {"jref": "ref"}, {}) == Path("ref/x_idc.fits")


@pytest.mark.parametrize("value", [None, "", "  ", "N/A", "n/a ", "NONE"])
def test_values_that_name_no_file(value):
    assert reference_files.resolve(value, {}, {}) is None


@pytest.mark.parametrize(
    ("value", "references", "messages"),
    [
        (
            "jref$y_idc.fits",
            {"jref": "ref"},
            ["IDCTAB = jref$y_idc.fits", "ja_flt.fits", "ref, has no such file", "put it"],
        ),
        ("jref$y_idc.fits", {"jref": "nowhere"}, ["nowhere, does not exist"]),
        ("jref$y_idc.fits", {}, ["the folder of jref$ is not known", "environment variable jref"]),
        ("/no/y_idc.fits", {}, ["/no/y_idc.fits: not found (searched in /no)"]),
    ],
)
def test_not_found_names_keyword_file_and_folder(folder, monkeypatch, value, references, messages):
    monkeypatch.chdir(folder.parent)
    with pytest.raises(SnakedrizError) as caught:
        reference_files.resolve(value, references, {}, "IDCTAB", "data/ja_flt.fits")
    for message in ["IDCTAB", *messages]:
        assert message in str(caught.value)
