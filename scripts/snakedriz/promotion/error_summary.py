"""How accurate a candidate is, in short: for promotion.json and for headers. Relative and absolute errors, apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Card = tuple[str, float | int | str, str]


def summary(astrometry: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the relative and the absolute errors of a candidate and its cross-validation, without each exposure's.

    Parameters
    ----------
    astrometry : mapping or None
        "astrometry/1"; None without a catalogue.
    """
    if astrometry is None:
        return None
    relative = {key: value for key, value in astrometry["relative"].items() if key != "exposures"}
    return {
        "relative": relative, "absolute": astrometry["absolute"], "cross_validation": astrometry["cross_validation"],
    }  # fmt: skip


def header_cards(chosen: Mapping[str, Any]) -> list[Card]:
    """Return (keyword, value, comment) of a candidate's errors; what was not measured is left out.

    Parameters
    ----------
    chosen : mapping
        Its row of promotion.json.
    """
    registration, astrometry = chosen.get("registration") or {}, chosen.get("astrometry") or {}
    relative, absolute = astrometry.get("relative") or {}, astrometry.get("absolute") or {}
    crossed = astrometry.get("cross_validation") or {}
    east, north = absolute.get("offset_mas") or (None, None)
    cards = (
        ("SDREGPX", registration.get("worst_px"), "[pix] largest shift between drizzled exposures"),
        ("SDREGERR", registration.get("error_px"), "[pix] error of that, 68 %"),
        ("SDRELMAS", relative.get("scatter_mas"), "[mas] exposures about each other, per axis"),
        ("SDRELPX", relative.get("scatter_px"), "[pix] the same in detector pixels"),
        ("SDRELERR", relative.get("error_mas"), "[mas] error of that, per axis, 68 %"),
        ("SDABSCAT", absolute.get("catalog"), "catalogue of the absolute errors"),
        ("SDABSNUM", absolute.get("nmatches"), "stars matched to the catalogue"),
        ("SDABSRA", east, "[mas] sources minus catalogue, east"),
        ("SDABSDEC", north, "[mas] sources minus catalogue, north"),
        ("SDABSERR", absolute.get("error_mas"), "[mas] error of the zero point, per axis, 68 %"),
        ("SDABSE95", absolute.get("error95_mas"), "[mas] error of the zero point, per axis, 95 %"),
        ("SDABSRMS", absolute.get("rms_mas"), "[mas] true RMS from the catalogue"),
        ("SDHELDRM", crossed.get("held_out_rms_mas"), "[mas] RMS of stars held out of the fit"),
        ("SDHELDZP", crossed.get("zero_point_error_mas"), "[mas] zero point error from held-out stars"),
    )
    return [(keyword, value, comment) for keyword, value, comment in cards if value is not None]
