"""Rootnames, and the names of HST files: ``<rootname>_<kind>.fits``. The one place that splits such a name."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

#: Kinds of files that are looked for.
KINDS = ("asn", "raw", "flt", "flc", "c0m", "c1m", "d0m")
#: Kinds of files that make a rootname an exposure.
EXPOSURE_KINDS = ("raw", "flt", "flc", "c0m", "d0m")
#: Rootnames: letters and digits. Names with underscores are products of other pipelines (``hst_9019_06_..._flc.fits``).
ROOTNAME = re.compile(r"[a-z0-9]+")


class ExposureKey(NamedTuple):
    """One file of an exposure: rootname and kind (``flc``, ``flt``, ``raw``). Its text: ``<rootname>_<kind>``."""

    rootname: str
    kind: str

    def __str__(self) -> str:
        return f"{self.rootname}_{self.kind}"

    @classmethod
    def parse(cls, name: str | os.PathLike[str]) -> ExposureKey:
        """Return the key of a file by its name; folders, ``.fits`` and the case of letters do not count.

        A name without an underscore has no kind.
        """
        stem = os.path.basename(name).lower().removesuffix(".fits")  # noqa: PTH119
        rootname, underscore, kind = stem.rpartition("_")
        return cls(rootname, kind) if underscore else cls(stem, "")


def clean_name(name: str) -> str:
    """Return the rootname that a user means: lower case, without folder and without ``_asn.fits`` and the like."""
    key = ExposureKey.parse(name.strip())
    return key.rootname if key.rootname and key.kind in (*KINDS, "") else str(key)
