"""The errors of a candidate in short, relative and absolute apart: for promotion.json and for headers."""

from __future__ import annotations

from snakedriz.artefacts.astrometry import Astrometry
from snakedriz.artefacts.promotion import CandidateRow, ErrorSummary

Card = tuple[str, float | int | str, str]


def summary(astrometry: Astrometry | None) -> ErrorSummary | None:
    """Return the relative and absolute errors of a candidate and its held-out stars; None without a catalogue."""
    if astrometry is None:
        return None
    return ErrorSummary(relative=astrometry.relative, absolute=astrometry.absolute, held_out=astrometry.held_out)


def header_cards(chosen: CandidateRow) -> list[Card]:
    """Return (keyword, value, comment) of a candidate's errors; what was not measured is left out."""
    cards: list[tuple[str, float | int | str | None, str]] = [("SDVERDCT", chosen.verdict, "verdict in words")]
    if (expected := chosen.expected_error) is not None:
        cards += [
            ("SDEXPERR", expected.value_mas, "[mas] expected error on the sky, 68 % radius"),
            ("SDEXPBAS", expected.rests_on.encode("ascii", "replace").decode(), ""),
        ]
    if (shift := chosen.registration) is not None:
        cards += [
            ("SDREGPX", shift.worst_px, "[pix] largest shift between drizzled exposures"),
            ("SDREGERR", shift.error_px, "[pix] error of that, 68 %"),
        ]
    if (errors := chosen.astrometry) is not None:
        relative, absolute = errors.relative, errors.absolute
        east, north = absolute.offset_mas or (None, None)
        cards += [
            ("SDRELMAS", relative.scatter_mas, "[mas] exposures about each other, per axis"),
            ("SDRELPX", relative.scatter_px, "[pix] the same in detector pixels"),
            ("SDRELERR", relative.error_mas, "[mas] error of that, per axis, 68 %"),
            ("SDABSCAT", absolute.catalog, "catalogue of the absolute errors"),
            ("SDABSNUM", absolute.nmatches, "stars matched to the catalogue"),
            ("SDABSRA", east, "[mas] sources minus catalogue, east"),
            ("SDABSDEC", north, "[mas] sources minus catalogue, north"),
            ("SDABSERR", absolute.error_mas, "[mas] error of the zero point, per axis, 68 %"),
            ("SDABSE95", absolute.error95_mas, "[mas] error of the zero point, per axis, 95 %"),
            ("SDABSRMS", absolute.rms_mas, "[mas] true RMS from the catalogue"),
        ]
        if (held := errors.held_out) is not None:
            cards += [
                ("SDHELDRM", held.rms_mas, "[mas] RMS of stars held out of the fit"),
                ("SDHELDZP", held.zero_point_error_mas, "[mas] zero point error from held-out stars"),
            ]
    return [(keyword, value, comment) for keyword, value, comment in cards if value is not None]
