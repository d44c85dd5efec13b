"""Outcome cards: what stands in the place of an image where a candidate turned out not to apply."""

from __future__ import annotations

from pathlib import Path

from astropy.io import fits

from snakedriz.artefacts.solution import Solution
from snakedriz.files import whole


def write_card(path: str | Path, solution: Solution) -> None:
    """Write a FITS file of one header that says why there is no image (keywords OUTCOME, REASON; no data).

    Whether a fit succeeds is known only after the workflow's jobs are planned, so a planned file of a candidate that
    does not apply is this card: 2,880 bytes that no reader can take for an image.

    Parameters
    ----------
    path : str or Path
        The planned file.
    solution : Solution
        Of the candidate.
    """
    hdu = fits.PrimaryHDU()
    hdu.header["OUTCOME"] = (solution.outcome, "why this file holds no image")
    hdu.header["CANDIDAT"] = (solution.candidate, "candidate WCS")
    hdu.header["REASON"] = solution.reason.encode("ascii", "replace").decode()
    with whole(path) as temporary:
        hdu.writeto(temporary)
