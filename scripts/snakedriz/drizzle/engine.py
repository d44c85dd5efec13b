"""One AstroDrizzle run per candidate: CR flags, single drizzles and the product.

AstroDrizzle insists on files in its working directory and changes them. So it runs in a child process
(`astrodrizzle_worker`) inside a private scratch directory, on copies that carry the candidate's WCS; what is
kept is collected from there and renamed into place. One run both flags and verifies: the single drizzles come from
before the flagging, and the flagged pixels are mapped onto them afterwards, which costs a second instead of a second
drizzle of every exposure.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from astropy.io import fits
from astropy.nddata.bitmask import interpret_bit_flags

from snakedriz.drizzle import cr_masks, singles
from snakedriz.drizzle.drizzle_input import DrizzleInput
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.files import whole
from snakedriz.fits_headers.rootnames import ExposureKey

log = logging.getLogger(__name__)

#: What steps are off when CR flags are given. The static mask is no CR flag: it is made of the exposures every time.
REUSE = {"median": False, "blot": False, "driz_cr": False}
_WHOLE_NUMBERS = ("skyclip", "combine_nlow", "combine_nhigh", "combine_grow", "driz_cr_grow", "driz_cr_ctegrow")


@dataclass(frozen=True)
class DrizzleOutput:
    """What a run writes.

    Attributes
    ----------
    product : Path
        ``<name>_drc.fits`` or ``<name>_drz.fits``, with SCI, WHT, CTX.
    crmask : Path or None
        CR masks (see `cr_masks`), where they are wanted.
    singles : Path or None
        Bundle of the single drizzles (see `singles`), where they are wanted.
    """

    product: Path
    crmask: Path | None = None
    singles: Path | None = None


def drizzle(
    exposures: Sequence[DrizzleInput],
    parameters: Mapping[str, Any],
    output: DrizzleOutput,
    *,
    reuse: str | Path | None = None,
    fixed_bits: int = 0,
    cores: int = 1,
    temporary_directory: str | Path | None = None,
    log_file: IO[str] | None = None,
    finish: Callable[[fits.HDUList], None] | None = None,
    judged: str | Path | None = None,
) -> None:
    """Drizzle the exposures of one candidate.

    Parameters
    ----------
    exposures : sequence of DrizzleInput
        In the order of the inventory.
    parameters : mapping
        AstroDrizzle parameters, from MDRIZTAB and the configuration.
    output : DrizzleOutput
        What to write.
    reuse : path, optional
        CR masks: take these flags, and skip the steps that find them. Without, cosmic rays are flagged afresh with
        this candidate's WCS.
    fixed_bits : int
        Bits of DQ that a pixel of the detector has in every exposure, for the single drizzles.
    cores : int
        Processes AstroDrizzle may use.
    temporary_directory : path, optional
        Where to make the scratch directory.
    log_file : open text file, optional
        Where AstroDrizzle's output goes.
    finish : callable, optional
        Called with the product, open for update, before it gets its name.
    judged : path, optional
        CR masks that the run must end with: those that the candidate was judged with.

    Raises
    ------
    SnakedrizError
        If AstroDrizzle fails or does not write what it should, or the flags are not those of `judged`.
    """
    stem = ExposureKey.parse(output.product.name).rootname
    with tempfile.TemporaryDirectory(prefix="snakedriz-", dir=temporary_directory) as name:
        scratch = Path(name)
        _copy_exposures(exposures, parameters, reuse, scratch)
        options = _options(parameters, len(exposures), reuse is not None, output.singles is None, _processes(cores))
        job = {"input": [exposure.name for exposure in exposures], "output": stem, "options": options}
        _run_astrodrizzle(job, scratch, log_file)
        made = sorted(path.name for path in scratch.glob(f"{stem}_dr[cz].fits"))
        if len(made) != 1:
            raise SnakedrizError(
                f"AstroDrizzle ended without an error, but made {made} where {output.product.name} was expected",
                _see(log_file),
            )
        masks = {exposure.rootname: cr_masks.from_exposure(scratch / exposure.name) for exposure in exposures}
        if judged is not None and not cr_masks.same(masks, cr_masks.read_bundle(judged)):
            raise SnakedrizError(
                f"{output.product.name}: its CR flags are not those that the candidate was judged with, {judged}",
                "something has changed since: delete the products and CR masks of the candidates and run again",
            )
        if output.crmask is not None:
            cr_masks.write_bundle(output.crmask, masks)
        if output.singles is not None:
            singles.write(output.singles, exposures, scratch, masks, fixed_bits & _accepted(parameters))
        _finish_header(scratch / made[0], output.product.name, exposures, finish)
        with whole(output.product) as temporary:
            shutil.move(scratch / made[0], temporary)


def _copy_exposures(
    exposures: Sequence[DrizzleInput], parameters: Mapping[str, Any], reuse: str | Path | None, scratch: Path
) -> None:
    """Write the exposures with the candidate's WCS, their CR flags cleared or those of `reuse`."""
    flags = cr_masks.read_bundle(reuse) if reuse is not None else {}
    keep_error = str(parameters.get("final_wht_type", "EXP")).upper() in ("ERR", "IVM")
    for exposure in exposures:
        skeleton.join(
            exposure.skeleton,
            exposure.source,
            scratch / exposure.name,
            drop=() if keep_error else ("ERR",),
            dq=cr_masks.into_dq(flags.get(exposure.rootname)),
        )


def _options(
    parameters: Mapping[str, Any], exposures: int, reuse: bool, in_memory: bool, processes: int
) -> dict[str, Any]:
    """Return the options of AstroDrizzle for a number of exposures."""
    # In memory AstroDrizzle keeps its single drizzles to itself, so only where they are not wanted: the same
    # bits, 1.4 GB less written per full-frame run of four exposures, 1.1 GB more memory (measured).
    options: dict[str, Any] = {
        **parameters, "driz_separate": True, "build": True, "context": True, "mdriztab": False, "updatewcs": False,
        "resetbits": 0, "crbit": cr_masks.CR_BIT, "preserve": False, "clean": False, "driz_sep_fillval": 0.0,
        "in_memory": in_memory, "num_cores": processes, "runfile": "",
    }  # fmt: skip
    if reuse:
        options |= {**REUSE, "driz_separate": not in_memory}  # without flags to find only the singles need that step
    elif exposures == 1:
        options |= {"median": False, "blot": False, "driz_cr": False}
    for keyword in _WHOLE_NUMBERS:
        if options.get(keyword) is not None:  # MDRIZTABs differ in their column types, skypac wants an int
            options[keyword] = int(options[keyword])
    return options


def _accepted(parameters: Mapping[str, Any]) -> int:
    """Return the bits of DQ with which a pixel still contributes to the single drizzles: all where none is named."""
    bits = interpret_bit_flags(parameters.get("driz_sep_bits"))
    return 0xFFFF if bits is None else int(bits)


def _processes(cores: int) -> int:
    """Return how many processes AstroDrizzle can use: one where the socket they talk through cannot have its path.

    `multiprocessing` puts it two levels below the temporary directory; paths of sockets have 107 bytes on Linux.
    """
    length = len(os.fsencode(tempfile.gettempdir())) + len("/pymp-12345678/listener-12345678")
    if cores > 1 and length > 107:
        log.warning("one process: %s is too long a path for the socket of several", tempfile.gettempdir())
        return 1
    return cores


def _run_astrodrizzle(job: Mapping[str, Any], scratch: Path, log_file: IO[str] | None) -> None:
    (scratch / "job.json").write_text(json.dumps(job))
    package = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="agg", PYTHONPATH=search)
    done = subprocess.run(
        [sys.executable, "-m", "snakedriz.drizzle.astrodrizzle_worker", "job.json"],
        cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=log_file, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        meaning = " (killed: out of memory?)" if done.returncode in (-9, 137) else ""
        raise SnakedrizError(
            f"AstroDrizzle failed on {job['output']} with exit code {done.returncode}{meaning}", _see(log_file)
        )


def _see(log_file: IO[str] | None) -> str:
    return f"see AstroDrizzle's output in {log_file.name}" if log_file is not None else "see AstroDrizzle's output"


def _finish_header(
    path: Path, name: str, exposures: Sequence[DrizzleInput], finish: Callable[[fits.HDUList], None] | None
) -> None:
    """Replace what depends on the clock, the scratch directory or the installation in a product's headers.

    Then add what is asked for.
    """
    stamp = str(exposures[0].skeleton[0].header.get("DATE-OBS", "")).strip()
    with fits.open(path, mode="update", memmap=True) as hdul:
        hdul[0].header["FILENAME"] = name
        if "RULEFILE" in hdul[0].header:  # fitsblender's, with the path of the package
            hdul[0].header["RULEFILE"] = Path(hdul[0].header["RULEFILE"]).name
        for hdu in hdul:
            for keyword in ("DATE", "IRAF-TLM"):
                if keyword in hdu.header:
                    hdu.header[keyword] = stamp
        if finish is not None:
            finish(hdul)
