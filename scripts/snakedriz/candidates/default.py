"""The candidate `default`: the distortion model alone, applied to the pointing as observed."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping

from snakedriz.artefacts.solution import Solution, SolutionExposure
from snakedriz.candidates import bundle
from snakedriz.exposures.skeleton import Skeletons
from snakedriz.wcs import headerlets

log = logging.getLogger(__name__)


@contextlib.contextmanager
def reference_directories(directories: Mapping[str, str]) -> Iterator[None]:
    """Set the variables (jref, iref, uref) that stwcs finds reference files by, for the duration of the block."""
    before = {name: os.environ.get(name) for name in directories}
    # stwcs joins variable and file name without a separator
    os.environ.update({name: os.path.join(path, "") for name, path in directories.items()})  # noqa: PTH118
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def make(skeletons: Skeletons, directories: Mapping[str, str]) -> Solution:
    """Apply the distortion model alone: the pipeline-default WCS, ``IDC_<root>``.

    Parameters
    ----------
    skeletons : dict
        Skeletons of the input exposures; changed in place. Whatever solution the archive had made primary is replaced,
        the file's HDRLET extensions are kept.
    directories : mapping
        Where reference files are, by variable name (jref, iref, uref).
    """
    from stwcs.updatewcs import updatewcs  # slow to import, and no other candidate needs it

    exposures = []
    with reference_directories(directories):
        for owner, skeleton in skeletons.items():
            headerlets.clear_fit_keywords(skeleton)
            with contextlib.redirect_stdout(io.StringIO()) as said:
                updatewcs(skeleton, use_db=False, checkfiles=False)
            log.info("%s: %s", owner, said.getvalue().strip())
            headerlets.sync_companions(skeleton)
            exposures.append(SolutionExposure(rootname=owner.rootname, file=str(owner), source="distortion model"))
    return Solution(
        candidate="default",
        outcome="ok",
        reason="distortion model applied to the pointing as observed",
        wcsname=bundle.wcsnames_of(skeletons),
        exposures=exposures,
    )
