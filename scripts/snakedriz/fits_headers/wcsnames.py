"""Names of WCS solutions: what a WCSNAME says, and which of several is preferred."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

#: Order of preference among solutions, best first: the documented order for solutions of the pipeline (REL before
#: IMG, newer Gaia first, then corrections of the guide stars, then the distortion model alone), with the kinds the
#: document does not know put where their making places them: SVM (a whole visit aligned as one body) before REL,
#: MVM (a mosaic of visits) and HSC30 (whole catalogue matched to Gaia) before the guide stars.
PREFERENCE = (
    r"FIT_SVM_GAIA.*3", r"FIT_REL_GAIA.*3", r"FIT_IMG_GAIA.*3", r"FIT_MVM_GAIA.*3",
    r"FIT_SVM_GAIA.*", r"FIT_REL_GAIADR2", r"FIT_IMG_GAIADR2", r"FIT_REL_GAIADR1", r"FIT_IMG_GAIADR1",
    r"FIT_.*", r"HSC30", r"GSC242", r"GSC240", r"GSC.*",
)  # fmt: skip

#: Keywords that describe a fit; they must not outlive the solution they describe.
FIT_KEYWORDS = ("RMS_RA", "RMS_DEC", "NMATCHES", "FITGEOM", "CRDER1", "CRDER2", "HDRNAME", "FITNAME", "CATALOG")


@dataclass(frozen=True)
class SolutionName:
    """A WCSNAME taken apart.

    Attributes
    ----------
    wcsname : str
        As found.
    idcroot : str
        Root of the IDCTAB (``IDC_<idcroot>...``), or ``''`` (``OPUS`` and names of users).
    kind : str
        What follows the first ``-`` (``GSC240``, ``HSC30``, ``FIT_REL_GAIAeDR3``), or ``''`` for the distortion
        model alone.
    """

    wcsname: str
    idcroot: str
    kind: str

    @property
    def is_fit(self) -> bool:
        """Whether the solution is an a posteriori fit."""
        return self.kind.upper().startswith("FIT")

    @property
    def rank(self) -> int:
        """Place in `PREFERENCE`; the bare distortion model and unknown names come last."""
        for index, pattern in enumerate(PREFERENCE):
            if self.kind and re.fullmatch(pattern, self.kind, flags=re.IGNORECASE):
                return index
        return len(PREFERENCE)


def parse(wcsname: str) -> SolutionName:
    """Take a WCSNAME apart; any text is accepted, names that follow no convention have no `idcroot`."""
    head, _, kind = wcsname.strip().partition("-")
    match = re.fullmatch(r"IDC_(\w+)", head, flags=re.IGNORECASE)
    return SolutionName(wcsname.strip(), match.group(1).lower() if match else "", kind)


def idcroot(idctab: str) -> str:
    """Return the rootname of an IDCTAB keyword value: ``jref$0461802ej_idc.fits`` gives ``0461802ej``."""
    return re.sub(r"_idc(\.fits)?$", "", os.path.basename(idctab.replace("$", "/")).strip().lower())  # noqa: PTH119


def default_name(idctab: str) -> str:
    """Return the WCSNAME of the distortion model alone."""
    return f"IDC_{idcroot(idctab)}"
