"""What is known of an exposure's pointing and geometry before a star is measured: block `priors` of ``detectors.yaml``.

All widths are 1 sigma. They nest: a visit against the sky, a lock (one acquisition of the guide stars) against its
visit, an exposure against its lock; the errors of one level are independent of those of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snakedriz.errors import SnakedrizError
from snakedriz.settings.values import explain

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Width:
    """How far a level's shift (mas per axis on the sky), roll (deg) and relative scale may be off, 1 sigma."""

    shift_mas: float
    roll_deg: float
    scale: float


@dataclass(frozen=True)
class Priors:
    """What is known of one detector at one time.

    Attributes
    ----------
    visit : Width
        All exposures of a visit alike, against the sky.
    lock : Width
        Exposures of one acquisition of the guide stars alike, against the visit.
    exposure : Width
        One exposure, against its lock.
    one_guide_star : Width
        The same as `exposure`, where one guide star alone holds the telescope.
    skew : float
        Each of the two components of a linear map that shift, rotation and scale leave out: (a - d) / 2 and
        (b + c) / 2 of ((a, b), (c, d)).
    distortion_rms_px, distortion_correlation_px : float
        Distortion that the models leave: rms per axis, and the length over which it is coherent; px of the detector.
    floor_px : float
        Usual error per axis of a bright star's position, which photon noise does not tell; px of the detector.
    floor_factor : float
        By which the floor of one exposure differs from that.
    """

    visit: Width
    lock: Width
    exposure: Width
    one_guide_star: Width
    skew: float
    distortion_rms_px: float
    distortion_correlation_px: float
    floor_px: float
    floor_factor: float


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Era(_Part):
    until: Positive | None
    shift_mas: Positive
    roll_deg: Positive


class _Width(_Part):
    shift_mas: Positive
    roll_deg: Positive
    scale: Positive

    def width(self) -> Width:
        return Width(self.shift_mas, self.roll_deg, self.scale)


class _Distortion(_Part):
    rms_px: Positive
    correlation_px: Positive


class _Block(_Part):
    visit: dict[str, _Era]
    scale: Positive
    lock: _Width
    exposure: _Width
    one_guide_star: _Width
    skew: Positive
    distortion: _Distortion
    floor_px: Positive
    floor_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)]


def priors_at(settings: Mapping[str, Any], epoch_jyear: float) -> Priors:
    """Return what is known of a detector at a time.

    Parameters
    ----------
    settings : mapping
        The numbers of the detector (`settings.detector_settings`).
    epoch_jyear : float
        Julian year of the observation, which tells the catalogue that the guide stars were taken from.

    Raises
    ------
    SnakedrizError
        If the block `priors` lacks a number, has one too many or one that is no width; if the epochs at which
        guide-star catalogues went out of use do not rise, with an open end for the last; or for an epoch that is not
        finite.
    """
    try:
        block = _Block.model_validate(settings.get("priors"))
    except ValidationError as error:
        raise _refused("; ".join(explain(error, _Block))) from error
    ends = [era.until for era in block.visit.values()]
    rising = [end for end in ends[:-1] if end is not None]
    if not ends or ends[-1] is not None or len(rising) < len(ends) - 1 or rising != sorted(set(rising)):
        raise _refused(f"visit: `until` must rise, and be null for the last alone; found {ends}")
    if not abs(epoch_jyear) < float("inf"):
        raise SnakedrizError(
            f"the epoch of the observation must be a Julian year, not {epoch_jyear}",
            "check EXPSTART and EXPEND of the exposures",
        )
    era = next(era for era in block.visit.values() if era.until is None or epoch_jyear < era.until)
    return Priors(
        visit=Width(era.shift_mas, era.roll_deg, block.scale),
        lock=block.lock.width(),
        exposure=block.exposure.width(),
        one_guide_star=block.one_guide_star.width(),
        skew=block.skew,
        distortion_rms_px=block.distortion.rms_px,
        distortion_correlation_px=block.distortion.correlation_px,
        floor_px=block.floor_px,
        floor_factor=block.floor_factor,
    )


def _refused(reason: str) -> SnakedrizError:
    return SnakedrizError(f"detectors.yaml, priors: {reason}", "correct the block `priors`")
