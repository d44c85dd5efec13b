"""What can be used of an exposure, and why not: the conditions of the pipeline, in its order, in words.

The order and the conditions are those of ``drizzlepac.haputils.analyze.analyze_data`` in the pipeline (not SVM, not
MVM); departures from it are said where they are made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: An exposure time below this (s) is none.
NO_EXPOSURE = 1e-5
#: Words that make the name of a calibration target.
CALIBRATION = frozenset(
    ("DARK", "DARKS", "TUNG", "TUNGSTEN", "BIAS", "BIASES", "FLAT", "FLATS", "FLATFIELD", "INTFLAT", "UVFLAT",
     "VISFLAT", "KSPOTS", "DEUT", "DEUTERIUM")
)  # fmt: skip
#: Words that may follow them without making a target on the sky of it.
QUALIFIERS = frozenset(("EARTH", "LAMP", "INT", "INTERNAL", "POSTFLASH", "NM", "GAIN", "TEST", "AND"))


@dataclass(frozen=True)
class Screening:
    """Verdict on one exposure.

    Attributes
    ----------
    used : bool
        Whether the exposure is drizzled.
    alignable : bool
        Whether sources can be looked for in it; an exposure that is not used is not alignable.
    reason : str
        Why it is not used or not alignable; ``''`` if it is both.
    warnings : tuple of str
        What may compromise the result.
    """

    used: bool
    alignable: bool
    reason: str
    warnings: tuple[str, ...]


def text(header: Mapping[str, Any], keyword: str) -> str:
    """Return a keyword as upper-case text; ``''`` if it is missing, without value or blank: not set."""
    value = header.get(keyword)
    if value is None:
        return ""
    return ("T" if value else "F") if isinstance(value, bool) else str(value).strip().upper()


def filter_names(primary: Mapping[str, Any]) -> list[str]:
    """Return the filters in the light path (upper case, without blanks), CLEAR included.

    The keywords are those that `stsci.tools.fileutil.getFilterNames` reads, which MDRIZTAB's FILTER column follows.
    """
    keywords = {
        "ACS": ("FILTER1", "FILTER2"),
        "WFPC2": ("FILTNAM1", "FILTNAM2"),
    }.get(text(primary, "INSTRUME"), ("FILTER", "FILTER2"))
    return [name for name in (text(primary, keyword) for keyword in keywords) if name]


def is_calibration_target(targname: str, imagetyp: str = "") -> bool:
    """Whether a target's name says that it is a lamp, a dark, a bias or the Earth, and nothing on the sky.

    The pipeline looks for DARK, TUNG, BIAS, FLAT, DEUT and EARTH-CAL anywhere in the name and so drops targets such as
    UNBIASED-FIELD, FLATTOP-GAL or DARK-CLOUD-7. Here the name is cut into words at everything that is not a letter, and
    all words must belong to calibrations (BIAS, DARK-NM, TUNGSTEN-3, DARK-EARTH-CALIB); a name that merely begins with
    such a word counts only where IMAGETYP, too, says that the exposure is none of the sky (anything but EXT). EARTH
    needs a second word that begins with CAL.

    Parameters
    ----------
    targname, imagetyp : str
        TARGNAME and IMAGETYP, ``''`` if not set.
    """
    words = re.findall(r"[A-Z]+", re.sub(r"FLAT[-_ ]FIELD", "FLATFIELD", targname.upper()))
    if not words:
        return False
    if words[0] == "EARTH" and len(words) > 1 and words[1].startswith("CAL"):
        return True
    if words[0] not in CALIBRATION:
        return False
    if imagetyp.strip().upper() not in ("", "EXT"):
        return True
    return all(
        word in CALIBRATION or word in QUALIFIERS or word.startswith("CAL") or len(word) == 1 for word in words[1:]
    )


def drizcorr_excludes(value: str) -> bool:
    """Whether DRIZCORR turns drizzling off."""
    return value in ("OMIT", "SKIPPED")


def screen(primary: Mapping[str, Any], science: Sequence[Mapping[str, Any]], all_zero: bool = False) -> Screening:
    """Say whether an exposure is used, and why not.

    Parameters
    ----------
    primary : mapping
        Primary header. Keywords that are missing or blank are "not set", and no condition on them is met.
    science : sequence of mapping
        Headers of the SCI extensions.
    all_zero : bool
        Whether all pixels of all SCI extensions are zero.
    """
    warnings = _warnings(primary, science)
    reason = _why_not_used(primary, science, all_zero)
    if reason:
        return Screening(False, False, reason, tuple(warnings))
    dispersed = [name for name in filter_names(primary) if re.match(r"G\d|PR\d", name)]
    if dispersed:
        why = f"filter {dispersed[0]} is a grism or prism: spectra have no positions to match, drizzled but not aligned"
        return Screening(True, False, why, tuple(warnings))
    return Screening(True, True, "", tuple(warnings))


def _why_not_used(primary: Mapping[str, Any], science: Sequence[Mapping[str, Any]], all_zero: bool) -> str:
    """Return the first condition that excludes the exposure, or ``''``."""
    wfpc2 = text(primary, "INSTRUME") == "WFPC2"
    kind = "" if wfpc2 else text(primary, "OBSTYPE")
    if kind not in ("", "IMAGING"):
        return f"OBSTYPE is {kind}, not IMAGING: positions cannot be matched in it"
    drizcorr = text(primary, "DRIZCORR")
    if drizcorr_excludes(drizcorr):
        return f"DRIZCORR is {drizcorr}"
    if text(primary, "MTFLAG") == "T":
        return "MTFLAG is T: a moving target"
    scan = text(primary, "SCAN_TYP")
    if scan in ("C", "D"):
        return f"SCAN_TYP is {scan}: taken while scanning, sources are trails"
    target, image = text(primary, "TARGNAME"), text(primary, "IMAGETYP")
    # WFPC2 says in IMAGETYP what is external, and its target names are not to be trusted without it
    if is_calibration_target(target, image) and (not wfpc2 or image not in ("", "EXT")):
        return f"TARGNAME is {target}: a calibration exposure"
    exptime = primary.get("EXPTIME")
    if isinstance(exptime, bool) or not isinstance(exptime, int | float) or not math.isfinite(exptime):
        return "EXPTIME is not set"
    if exptime < NO_EXPOSURE:
        return f"EXPTIME is {exptime:g} s"
    # The pipeline stops looking at gyro or coarse guiding (a warning) and so never sees the charge injection
    injected = text(primary, "CHINJECT")
    if text(primary, "DETECTOR") == "UVIS" and injected not in ("", "NONE"):
        return f"CHINJECT is {injected}: charge was injected, its lines look like sources"
    blocked = [name for name in filter_names(primary) if name.startswith("BLOCK")]
    if blocked:
        return f"filter {blocked[0]} lets no light pass"
    if all_zero:
        return "all science data are zero"
    good = [number for number in (good_pixels(header) for header in science) if number is not None]
    if good and len(good) == len(science) and not any(good):
        return "no good pixel (NGOODPIX is 0)"
    return ""


def good_pixels(header: Mapping[str, Any]) -> int | None:
    """Return the number of good pixels of a SCI extension (NGOODPIX, GPIXELS for WFPC2), None if not set."""
    for keyword in ("NGOODPIX", "GPIXELS"):
        value = header.get(keyword)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value)
    return None


def _warnings(primary: Mapping[str, Any], science: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    lock = text(primary, "FGSLOCK")
    if "GY" in lock or "COARSE" in lock:
        found.append(f"FGSLOCK is {lock}: guided without fine lock, the result may be compromised")
    quality = text(primary, "QUALITY")
    if quality not in ("", "OK"):
        found.append(f"QUALITY is {quality}")
    flag = text(primary, "EXPFLAG")
    if flag not in ("", "NORMAL"):
        found.append(f"EXPFLAG is {flag}")
    if len(science) > 1 and any(good_pixels(header) != 0 for header in science):
        found += [f"SCI,{n}: no good pixel (NGOODPIX is 0)" for n, h in enumerate(science, 1) if good_pixels(h) == 0]
    return found
