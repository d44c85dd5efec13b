"""AstroDrizzle parameters that a user may set: those that are the workflow's own are left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from snakedriz.errors import SnakedrizError
from snakedriz.settings.values import (
    Bits,
    Number,
    NumberOrNothing,
    PositiveNumberOrNothing,
    PositiveWholeNumberOrNothing,
    Switch,
    Text,
    TwoNumbers,
    WholeNumber,
    explain,
)  # fmt: skip

BITS = 'DQ bits to take as good: a sum (336), a list ("16,64,256") or ~bits'
TWO = 'two numbers in one text, such as "3.5 3.0"'
SeparateKernel = Literal["turbo", "square", "point", "gaussian", "tophat", "lanczos3"]
FinalKernel = Literal["square", "point", "gaussian", "turbo", "tophat", "lanczos3"]
Combination = Literal["minmed", "iminmed", "median", "mean", "imedian", "imean", "sum"]


def says(text: str, **limits: Any) -> Any:
    """Describe a parameter, and limit its value."""
    return Field(description=text, **limits)


class AstroDrizzleParameters(TypedDict, total=False):
    """Parameters of AstroDrizzle by name, as far as they are given."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    proc_unit: Annotated[Literal["native", "electrons"], says("units during processing")]
    stepsize: Annotated[WholeNumber, says("step of the grid on which coordinates are computed, px", ge=1)]
    static: Annotated[Switch, says("make a static mask")]
    static_sig: Annotated[Number, says("its limit below the mode, sigma")]
    skysub: Annotated[Switch, says("subtract the sky")]
    skymethod: Annotated[Literal["globalmin+match", "localmin", "globalmin", "match"], says("how the sky is found")]
    skystat: Annotated[Literal["median", "mode", "mean"], says("statistic of the sky")]
    skywidth: Annotated[NumberOrNothing, says("bin width of the histogram, sigma")]
    skylower: Annotated[NumberOrNothing, says("lower limit of data for the sky, electrons")]
    skyupper: Annotated[NumberOrNothing, says("upper limit of data for the sky, electrons")]
    skyclip: Annotated[WholeNumber, says("clipping iterations", ge=0)]
    skylsigma: Annotated[Number, says("lower clipping, sigma")]
    skyusigma: Annotated[Number, says("upper clipping, sigma")]
    use_static: Annotated[Switch, says("use the static mask for the sky")]
    sky_bits: Annotated[Bits, says(BITS)]
    driz_sep_kernel: Annotated[SeparateKernel, says("kernel of the single drizzles")]
    driz_sep_wt_scl: Annotated[Text, says("weight of the single drizzles")]
    driz_sep_pixfrac: Annotated[Number, says("drop size of the single drizzles, input px", ge=0)]
    driz_sep_bits: Annotated[Bits, says(BITS)]
    median: Annotated[Switch, says("make the median image")]
    median_newmasks: Annotated[Switch, says("new masks for the median")]
    combine_maskpt: Annotated[Number, says("share of the weight below which a pixel is bad")]
    combine_type: Annotated[Combination, says("how the single drizzles are combined")]
    combine_nsigma: Annotated[Text, says(f"significance for the minimum instead of the median: {TWO}")]
    combine_nlow: Annotated[WholeNumber, says("low pixels rejected", ge=0)]
    combine_nhigh: Annotated[WholeNumber, says("high pixels rejected", ge=0)]
    combine_lthresh: Annotated[NumberOrNothing, says("lower threshold")]
    combine_hthresh: Annotated[NumberOrNothing, says("upper threshold")]
    combine_grow: Annotated[WholeNumber, says("radius of rejection, px", ge=0)]
    combine_bufsize: Annotated[NumberOrNothing, says("buffer for each image, MB")]
    blot: Annotated[Switch, says("blot the median back")]
    blot_interp: Annotated[Literal["poly5", "nearest", "linear", "poly3", "sinc"], says("interpolant")]
    blot_sinscl: Annotated[Number, says("scale of the sinc interpolant")]
    blot_addsky: Annotated[Switch, says("add the sky to the blotted image")]
    blot_skyval: Annotated[Number, says("sky added instead")]
    driz_cr: Annotated[Switch, says("flag cosmic rays")]
    driz_cr_snr: Annotated[TwoNumbers, says(f"limits of the flagging, sigma: {TWO}")]
    driz_cr_grow: Annotated[WholeNumber, says("width of the second pass, px", ge=0)]
    driz_cr_ctegrow: Annotated[WholeNumber, says("length of the CTE tails, px", ge=0)]
    driz_cr_scale: Annotated[TwoNumbers, says(f"factors of the derivative image: {TWO}")]
    final_wht_type: Annotated[Literal["EXP", "ERR", "IVM"], says("weights")]
    final_kernel: Annotated[FinalKernel, says("kernel")]
    final_wt_scl: Annotated[Text, says("weighting factor of the exposures")]
    final_pixfrac: Annotated[Number, says("drop size, input px", ge=0)]
    final_fillval: Annotated[NumberOrNothing, says("value of pixels without data")]
    final_maskval: Annotated[NumberOrNothing, says("value outside the exposures")]
    final_bits: Annotated[Bits, says(BITS)]
    final_rot: Annotated[NumberOrNothing, says("position angle of the product's y axis, deg")]
    final_scale: Annotated[PositiveNumberOrNothing, says("pixel size of the product, arcsec")]
    final_outnx: Annotated[PositiveWholeNumberOrNothing, says("width of the product, px")]
    final_outny: Annotated[PositiveWholeNumberOrNothing, says("height of the product, px")]
    final_ra: Annotated[NumberOrNothing, says("right ascension of its centre, deg")]
    final_dec: Annotated[NumberOrNothing, says("declination of its centre, deg")]
    final_crpix1: Annotated[NumberOrNothing, says("its CRPIX1, px")]
    final_crpix2: Annotated[NumberOrNothing, says("its CRPIX2, px")]


def check_parameters(parameters: dict[str, Any], what: str) -> None:
    """Check AstroDrizzle parameters from elsewhere against those that a user may set.

    Raises
    ------
    SnakedrizError
        With every parameter that is unknown or has a wrong value.
    """
    try:
        TypeAdapter(AstroDrizzleParameters).validate_python(parameters)
    except ValidationError as error:
        reason = f"{what}: " + "; ".join(explain(error, AstroDrizzleParameters))
        raise SnakedrizError(reason, "correct these parameters") from error
