"""The guide-star service's reply, as stwcs applies it."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.simulated import difference
from stwcs.updatewcs import astrometry_utils, updatehdr


def test_guide_star_offsets_applied_by_stwcs_leave_the_residual(clean, updated, tmp_path, monkeypatch):
    row = Table.read(clean.offsets, format="ascii.ecsv")[0]
    assert row["deltaRA"] == pytest.approx(row["dGSoutputRA"] - row["dGSinputRA"], abs=1e-12)
    names = [n for n in row.colnames if n != "rootname"]
    body = "".join(f"<{n}>{row[n]}</{n}>" for n in names)
    reply = SimpleNamespace(ok=True, status_code=200, content=f"<r><msg>Success</msg>{body}</r>".encode())
    monkeypatch.setattr(astrometry_utils.requests, "get", lambda url: reply)
    path = Path(shutil.copy(updated[0], tmp_path))
    with fits.open(path, mode="update") as hdus:
        found = astrometry_utils.find_gsc_offset(hdus)
        updatehdr.updatewcs_with_shift(
            hdus,
            found["expwcs"],
            wcsname="TEST",
            reusename=True,
            xsh=found["delta_x"],
            ysh=found["delta_y"],
            force=True,
        )
    delta = difference(path, clean.wcs[0])
    expected = np.broadcast_to(np.array(clean.visit.gsc_residual)[:, None], delta.shape)
    np.testing.assert_allclose(delta, expected, atol=5e-4)
