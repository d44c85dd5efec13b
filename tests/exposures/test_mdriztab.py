import json
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits
from helpers.small_exposures import ANY, write_exposure, write_mdriztab
from helpers.small_exposures import MDRIZTAB_ROWS as ROWS
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import mdriztab
from snakedriz.settings.astrodrizzle_parameters import AstroDrizzleParameters


@pytest.fixture
def table(tmp_path):
    return write_mdriztab(tmp_path / "a_mdz.fits", ROWS)


@pytest.mark.parametrize(
    ("filters", "count", "scale"),
    [("F606W,CLEAR2L", 1, 0.03), ("F606W,CLEAR2L", 3, 0.03), ("F606W,CLEAR2L", 9, 0.02), ("F814W,CLEAR2L", 1, 0.05),
     ("F814W,CLEAR2L", 5, 0.04), ("F814W,CLEAR2L", 60, 0.06), ("F606W", 2, 0.04)],
)  # fmt: skip
def test_row(table, filters, count, scale):
    assert mdriztab.parameters(table, filters, count)["final_scale"] == pytest.approx(scale, rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
@pytest.mark.parametrize("filters", [("F606W", "CLEAR2L"), ("F814W", "CLEAR2L")])
def test_equal_to_mdzhandler(table, tmp_path, monkeypatch, count, filters):
    from drizzlepac import mdzhandler

    monkeypatch.setenv("jref", f"{tmp_path}/")
    changes = {"FILTER1": filters[0], "FILTER2": filters[1]}
    path = write_exposure(tmp_path / "ja_flt.fits", changes)
    theirs = mdzhandler.getMdriztabParameters([str(path)] * count)
    ours = mdriztab.parameters(table, ",".join(filters), count)
    known = {key: value for key, value in theirs.items() if key in mdriztab.ACCEPTED}
    # from a column BITS mdzhandler passes numpy's integer on, from columns DRIZ_SEP_BITS and FINAL_BITS it makes text
    known |= {key: str(known[key]) for key in ("driz_sep_bits", "final_bits")}
    assert ours == known
    assert [type(ours[key]) for key in sorted(ours)] == [type(known[key]) for key in sorted(known)]
    assert "staticfile" not in ours
    json.dumps(ours, allow_nan=False)


def test_equal_to_mdzhandler_on_the_simulators_table(small_visit, monkeypatch):
    from drizzlepac import mdzhandler

    monkeypatch.setenv("jref", f"{small_visit.ref}/")
    table = next(Path(small_visit.ref).glob("*_mdz.fits"))
    for count in (1, 2, 4, 6):
        theirs = mdzhandler.getMdriztabParameters([str(small_visit.flc[0])] * count)
        assert mdriztab.parameters(table, "CLEAR1L,F814W", count) == theirs


def test_accepted_are_the_parameters_of_astrodrizzle():
    import drizzlepac
    from stsci.tools.configobj import ConfigObj

    spec = Path(drizzlepac.__file__).parent / "pars" / "astrodrizzle.cfgspc"
    names = set()
    for key, value in ConfigObj(str(spec), _inspec=True, list_values=False, interpolation=False).items():
        names |= set(value) if isinstance(value, dict) else {key}
    assert {name for name in names if not name.startswith("_")} == mdriztab.ACCEPTED
    assert mdriztab.WORKFLOW < mdriztab.ACCEPTED


def test_no_row_for_so_few_images(tmp_path):
    path = write_mdriztab(
        tmp_path / "a_mdz.fits", [{**ANY, "filter": "F555W"}, {**ANY, "numimages": 4, "final_scale": 0.1}]
    )
    assert mdriztab.parameters(path, "F814W", 1)["final_scale"] == pytest.approx(0.1)  # mdzhandler takes F555W's
    with pytest.raises(SnakedrizError, match="no row for the filters F814W"):
        mdriztab.parameters(write_mdriztab(tmp_path / "b_mdz.fits", [{**ANY, "filter": "F555W"}]), "F814W", 1)


def test_broken_tables(tmp_path):
    path = tmp_path / "a_mdz.fits"
    path.write_text("no")
    with pytest.raises(SnakedrizError, match="cannot be read as an MDRIZTAB"):
        mdriztab.parameters(path, "F814W", 1)
    with pytest.raises(SnakedrizError, match="no column FILTER"):
        mdriztab.parameters(write_mdriztab(path, [{"numimages": 1}]), "F814W", 1)
    with pytest.raises(SnakedrizError, match="cannot be read as an MDRIZTAB"):
        mdriztab.parameters(write_exposure(path, chips=0), "F814W", 1)


def assembled(*given):
    drizzle = mdriztab.assemble(*given)
    assert drizzle.mdriztab == given[1]
    return drizzle.parameters, drizzle.origin


def test_layers_and_origins():
    base = {
        "combine_type": "minmed",
        "combine_nhigh": 1,
        "driz_sep_kernel": "square",
        "final_pixfrac": 1.0,
        "clean": True,
    }
    values, origin = assembled(base, "a_mdz.fits", [100, 200], {})
    assert (values["combine_type"], values["combine_nhigh"]) == ("minmed", 1)  # a ratio of 2 is not above 2
    assert (values["driz_sep_kernel"], origin["driz_sep_kernel"]) == ("turbo", "pipeline")
    assert "clean" not in values
    values, origin = assembled(base, None, [100, 201], {"final_pixfrac": 0.8})
    assert (values["combine_type"], origin["combine_type"]) == ("median", "exposure-time ratio")
    assert (values["combine_nhigh"], origin["combine_nhigh"]) == (0, "exposure-time ratio")
    assert (values["final_pixfrac"], origin["final_pixfrac"]) == (0.8, "config")
    values, origin = assembled(base, None, [100, 201], {"combine_type": "imedian", "final_bits": 64})
    assert (values["combine_type"], origin["combine_type"]) == ("imedian", "config")
    assert values["final_bits"] == "64"
    assert list(values) == sorted(values)
    assert set(values) == set(origin)


def test_the_single_drizzles_follow_the_products_grid():
    values, origin = assembled({}, None, [100], {"final_scale": 0.03, "final_rot": 0})
    for step in ("driz_sep", "final"):
        assert (values[f"{step}_scale"], values[f"{step}_rot"], values[f"{step}_wcs"]) == (0.03, 0, True)
        assert origin[f"{step}_wcs"] == "config"
    assert "final_wcs" not in mdriztab.assemble({}, None, [100], {"final_scale": None}).parameters


def test_fallback_by_number_of_images():
    numbers = {"common": {"a": 1}, "images": {"1": {"b": 1}, "10": {"b": 10}, "2": {"b": 2, "a": 2}}}
    assert mdriztab.fallback(numbers, 1) == {"a": 1, "b": 1}
    assert mdriztab.fallback(numbers, 9) == {"a": 2, "b": 2}
    assert mdriztab.fallback(numbers, 10) == {"a": 2, "b": 10}


def test_the_library_does_not_import_heavy_packages():
    code = (
        "import sys, snakedriz.exposures.inventory, snakedriz.exposures.mdriztab; "
        "heavy = {'drizzlepac', 'stwcs', 'tweakwcs', 'photutils', 'astropy', 'matplotlib', 'scipy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_notebook_prints_can_be_overridden_and_is_recorded(table):
    """driz_sep_bits, combine_type, driz_cr_snr, driz_cr_scale, final_bits: in the inventory and in the header."""
    said = {
        "driz_sep_bits": "16,64", "combine_type": "median", "driz_cr_snr": "5.0 4.0", "driz_cr_scale": "2.0 1.5",
        "final_bits": 80,
    }  # fmt: skip
    assert set(mdriztab.KEYWORDS) == set(said)
    base = mdriztab.parameters(table, "F814W", 2)
    for overrides, origin in ((said, "config"), ({}, "mdriztab")):
        drizzle = mdriztab.assemble(base, "a_mdz.fits", [500.0, 500.0], overrides)
        parameters, header = drizzle.parameters, fits.Header()
        mdriztab.record(header, drizzle)
        for name, keyword in mdriztab.KEYWORDS.items():
            if name in parameters:
                assert header[keyword] == parameters[name] == str(overrides.get(name, base.get(name)))
                assert header.comments[keyword] == f"{name} ({origin})"
        lines = [f"snakedriz: {name} = {value} (configuration)" for name, value in sorted(overrides.items())]
        assert list(header.get("HISTORY", [])) == lines
    assert set(said) <= set(AstroDrizzleParameters.__annotations__)
