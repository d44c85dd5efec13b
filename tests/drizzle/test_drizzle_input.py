"""What is drizzled: exposures in use, of the kind that the product is made of."""

from pathlib import Path

import pytest
from snakedriz.artefacts.inventory import Inventory
from snakedriz.drizzle import drizzle_input
from snakedriz.exposures import skeleton

EXAMPLE = Path(__file__).parents[1] / "artefacts/examples/inventory.json"


@pytest.mark.parametrize(("product", "kind"), [("drc", "flc"), ("drz", "flt")])
def test_exposures_in_use_with_the_kind_of_the_product(small_visit, default_skeletons, tmp_path, product, kind):
    skeleton.write_bundle(tmp_path / "wcs.fits", default_skeletons, {})
    inventory = Inventory.read(EXAMPLE)
    first, second = (
        inventory.exposures[0].model_copy(
            update={"rootname": root, "flc": f"{root}_flc.fits", "flt": f"{root}_flt.fits"}
        )
        for root in small_visit.visit.rootnames
    )
    inventory = inventory.model_copy(update={"exposures": [first.model_copy(update={"used": False}), second]})
    (found,) = drizzle_input.read_inputs(inventory, tmp_path / "wcs.fits", product)
    assert (found.name, found.exptime) == (f"{second.rootname}_{kind}.fits", 500.0)
    assert found.source == Path(found.name)
    assert found.skeleton["SCI", 1].header["WCSNAME"] == "IDC_9d1snakej"
