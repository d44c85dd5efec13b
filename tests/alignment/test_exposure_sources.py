"""Which exposures of an inventory go into a fit, and with which sources."""

from pathlib import Path

import pytest
from astropy.io import fits
from astropy.table import Table
from snakedriz.alignment.exposure_sources import collect, collect_visit
from snakedriz.artefacts.inventory import Inventory
from snakedriz.fits_headers.rootnames import ExposureKey

EXAMPLE = Path(__file__).parents[1] / "artefacts/examples/inventory.json"


@pytest.mark.parametrize(("not_alignable", "expected"), [(False, [3]), (True, [3, 0])])
def test_exposures_with_their_tables(tmp_path, not_alignable, expected):
    """One exposure in use, a spectrum in use, and one that is not used."""
    inventory = Inventory.read(EXAMPLE)
    one = inventory.used[0]
    rows = [("j1", True, True), ("j2", True, False), ("j3", False, False)]
    exposures = [one.model_copy(update={"rootname": r, "used": u, "alignable": a}) for r, u, a in rows]
    inventory = inventory.model_copy(update={"exposures": exposures})
    tables = []
    for root, _, _ in rows:
        tables.append(str(tmp_path / f"{root}.ecsv"))
        Table({"chip": [1, 1, 1], "x": [1.0, 2.0, 3.0], "mag": [20.0, 21.0, 22.0], "use": [True] * 3}).write(tables[-1])
    skeletons = {ExposureKey(root, inventory.verification_kind): fits.HDUList() for root, _, _ in rows}
    found = collect_visit([inventory], skeletons, tables) if not_alignable else collect(inventory, skeletons, tables)
    assert [len(e.sources) for e in found] == expected
    assert [e.rootname for e in found] == ["j1", "j2"][: len(expected)]
    assert found[0].skeleton is skeletons[ExposureKey("j1", inventory.verification_kind)]
    assert found[0].exptime == one.exptime
    assert 1990 < found[0].epoch < 2030
