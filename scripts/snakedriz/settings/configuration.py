"""The configuration: one model that checks it, documents it, and is what the workflow reads.

``python -m snakedriz.settings`` writes from it the JSON schema, the commented ``config/config.yaml`` and
``docs/configuration.md``.
"""

from __future__ import annotations

import copy
import difflib
import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers.rootnames import clean_name
from snakedriz.settings import service_defaults
from snakedriz.settings.astrodrizzle_parameters import AstroDrizzleParameters
from snakedriz.settings.named_solutions import CANDIDATES, SolutionByName
from snakedriz.settings.named_solutions import read as read_named_solutions
from snakedriz.settings.values import (
    CATALOG_NAME,
    LIST,
    MAPPING,
    TEXT,
    EpochOrNothing,
    Filled,
    Limit,
    Number,
    Once,
    Rootname,
    Switch,
    Text,
    TextOrNothing,
    WholeNumber,
    as_a_whole,
    by_kind,
    explain,
    from_text,
    is_nothing,
    mapping_from_text,
    refusal,
)

#: What may be kept, the most first.
KEEP = ("all", "candidates", "final")
#: Where the reference page is, for messages.
_REFERENCE = "docs/configuration.md"


def key(default: Any, text: str, more: str = "", *, example: str = "", shown: str = "", **limits: Any) -> Any:
    """Describe a key of the configuration.

    Parameters
    ----------
    default : any
        Its value where it is left out; ``...`` where it must be given.
    text : str
        What it means, in one line.
    more : str
        What else there is to know, shown above the key in config.yaml: paragraphs, a line each, and examples, in lines
        that begin with two blanks.
    example : str
        A value in YAML, for the reference page.
    shown : str
        What config.yaml shows instead of the default.
    **limits
        Those of `pydantic.Field`: `ge`, `gt`, `le`, `min_length`, `pattern`.
    """
    extra = {"x-more": more, "x-example": example, "x-shown": shown}
    return Field(default, description=text, json_schema_extra={k: v for k, v in extra.items() if v}, **limits)


class Part(BaseModel):
    """A mapping of the configuration: unknown keys are refused, and empty keys take their default."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # built once, as parts of the file
    #: Keys that `as_dict` leaves out where they were left out.
    optional: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        """Read text as YAML, and leave out keys with nothing behind them, such as a bare ``catalogs:``."""
        given = mapping_from_text(given)
        if not isinstance(given, Mapping):
            return given
        fields = cls.model_fields
        return {k: v for k, v in given.items() if k not in fields or not is_nothing(v, fields[k].annotation)}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, in the order of the model whatever the order in the file: equal ones have equal text."""
        given = self.model_fields_set
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields
                if name in given or name not in self.optional}  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.as_dict()
    return [_plain(item) for item in value] if isinstance(value, list) else copy.deepcopy(value)


class References(Part):
    """Folders of reference files."""

    jref: TextOrNothing = key(None, "folder that stands for jref$ in headers (ACS)", example="ref")
    iref: TextOrNothing = key(None, "folder that stands for iref$ in headers (WFC3)")
    uref: TextOrNothing = key(None, "folder that stands for uref$ in headers (WFPC2)")


class Services(Part):
    """Where the fetch rules ask, and how long they try."""

    catalogs: TextOrNothing = key(None, "address of the STScI catalogue service (ASTROMETRIC_CATALOG_URL)")
    astrometry: TextOrNothing = key(None, "address of the astrometry database (ASTROMETRY_SERVICE_URL)")
    guide_stars: TextOrNothing = key(None, "address of the guide-star service (GSSS_WEBSERVICES_URL)")
    tap: TextOrNothing = key(None, "address of the Gaia archive, up to .../tap")
    vizier: TextOrNothing = key(None, "address of VizieR or a mirror")
    mast: TextOrNothing = key(None, "address of MAST")
    cloud: TextOrNothing = key(None, "address of the public bucket with copies of HST data")
    crds: TextOrNothing = key(None, "address of CRDS (CRDS_SERVER_URL)")
    cache: TextOrNothing = key(
        None,
        "folder that workflows share: what one has fetched (catalogues, headerlets, offsets, reference files) no "
        "other asks for again",
        example="/data/snakedriz-cache",
    )
    from_cloud: Switch = key(False, "look for exposures in the public bucket first")
    products: Annotated[list[Literal["DRC", "DRZ", "HLET"]], BeforeValidator(from_text), Once()] = key(
        [], "what to download of an association besides ASN, RAW, FLT and FLC", example="[DRC, HLET]"
    )
    context: TextOrNothing = key(
        None,
        "CRDS context to take the best reference files from as well as those that headers name",
        example="hst_1234.pmap",
    )
    mindet: WholeNumber = key(5, "least number of detections of a catalogue object", ge=1)
    attempts: WholeNumber = key(4, "how often the same is asked at most", ge=1)
    timeout: Number = key(30, "seconds to wait for a connection or the next bytes", gt=0, example="60")
    seconds: Number = key(180, "seconds after which no new attempt begins", gt=0)


class Catalog(Part):
    """A reference catalogue: a file, or where to fetch it from."""

    optional = frozenset({"file", "service"})

    name: Text = key(..., "name; becomes part of WCSNAME", pattern=CATALOG_NAME, example="GAIAeDR3")
    file: TextOrNothing = key(
        None,
        "table: ECSV, FITS, CSV, VOTable or Parquet, or a folder of Parquet partitions",
        min_length=1,
        example="gaia.ecsv",
    )
    service: Literal["stsci", "gaia", "vizier"] | None = key(
        None,
        "where to fetch it from instead: stsci (catalogue service), gaia (Gaia DR3 by TAP), vizier",
        example="stsci",
    )
    epoch: EpochOrNothing = key(
        None,
        "epoch of the positions (Julian year) where the table has no such column; needed where it has proper motions "
        "and neither its header (ref_epoch) nor its name (Gaia's releases, Hipparcos, Tycho2, UCAC4, PPMXL) tells",
        example="2016.0",
    )
    without_pm: Literal["keep", "drop"] = key(
        "keep", "rows without a proper motion: keep (where they are, with an error that grows by 5 mas a year) or drop"
    )
    parallax: Switch = key(
        True,
        "add the parallactic shift where the table has parallaxes of more than 5 times their error; what is not added "
        "enlarges the errors",
    )

    @model_validator(mode="before")
    @classmethod
    def _service(cls, given: Any) -> Any:
        """A command line writes nothing as text."""
        null = isinstance(given, Mapping) and str(given.get("service")).strip().lower() in ("null", "~", "")
        return {**given, "service": None} if null and "service" in given else given


class Solutions(Part):
    """A priori solutions: files, or the word `fetch`."""

    headerlets: TextOrNothing = key(
        None, "folder of *_hlet.fits, matched by DESTIM; fetch: from the astrometry database", example="hlets"
    )
    offsets: TextOrNothing = key(
        None, "table of guide-star offsets; fetch: from the guide-star service", example="offsets.ecsv"
    )


class VisitSettings(Part):
    """What the candidate `visit` aligns."""

    group: Annotated[
        Annotated[Literal["auto"], TEXT] | Annotated[list[Annotated[list[Rootname], Field(min_length=1)]], LIST],
        by_kind(TEXT, LIST, expected="auto or a list"),
        as_a_whole("auto, or a list of lists of rootnames"),
        BeforeValidator(from_text),
    ] = key(
        "auto",
        "auto: associations of one instrument, programme and visit by their rootnames; or lists of associations",
        example="[[jdemo1010, jdemo1020], [jbt122x8q]]",
    )


class PromotionSettings(Part):
    """How the winner is chosen."""

    policy: Literal["measured", "documented", "drizzlepac"] = key(
        "measured", "which verdict decides: measured, documented (focus and similarity) or drizzlepac (3.11's numbers)"
    )
    drizzlepac_numbers: Switch = key(
        True, "compute what drizzlepac 3.11 would say, for comparison; needed for its policy"
    )
    rank: Annotated[list[Text], BeforeValidator(from_text), Once()] = key(
        ["visit", "aposteriori", "apriori", "default"],
        "who may win, the preferred first; other candidates are measured and listed",
        min_length=1,
    )
    choose: TextOrNothing = key(
        None, "promote this candidate whatever the verdicts say; recorded in promotion.json", example="apriori"
    )
    limits: Annotated[dict[str, Limit], BeforeValidator(mapping_from_text)] = key(
        {},
        "limits of checks to use instead of the detector's own: {check: number} or {check: [from, to]}",
        example="{similarity: 0.9}",
    )


class Fitting(Part):
    """A posteriori fits to try."""

    geometries: Annotated[list[Literal["shift", "rscale", "general"]], BeforeValidator(from_text), Once()] = key(
        ["rscale"],
        "what a fit may change: shift, rscale (shift, rotation, scale), general (six parameters)",
        min_length=1,
        example="[rscale, shift]",
    )
    methods: Annotated[list[Literal["relative", "2dhist", "default"]], BeforeValidator(from_text), Once()] = key(
        ["relative", "2dhist", "default"],
        "how sources are matched, tried in this order",
        min_length=1,
        example="[relative]",
    )

    def kinds(self) -> list[str]:
        """Return ``<method>_<geometry>`` of every fit to try with a catalogue, in order of preference."""
        return [f"{method}_{geometry}" for method in self.methods for geometry in self.geometries]


#: Right ascension and declination, deg.
Position = Annotated[
    tuple[Annotated[Number, Field(ge=0, le=360)], Annotated[Number, Field(ge=-90, le=90)]], AfterValidator(list)
]


class Pictures(Part):
    """What patches of two products are shown."""

    positions: Annotated[
        Annotated[Literal["auto"], TEXT] | Annotated[list[Position], Field(min_length=1), LIST],
        by_kind(TEXT, LIST, expected="auto or a list"),
        as_a_whole("auto, or a list of [RA, Dec] in degrees (0 to 360, -90 to 90)"),
        BeforeValidator(from_text),
    ] = key("auto", "bright unsaturated stars (auto), or [[RA, Dec], ...] in degrees", example="[[150.0, -2.5]]")
    size_arcsec: Number = key(5, "side of a patch, arcsec", gt=0)
    stars: WholeNumber = key(4, "how many stars at most, where they are chosen", ge=1)


class Demo(Part):
    """The simulated visit of `snakemake demo`."""

    full_frame: Switch = key(False, "simulate 2048 x 4096 pixels a chip, as the camera has, instead of small frames")


def _names(value: Any) -> Any:
    """Make a list of a text: of rootnames with commas or blanks between them, or of those in the file it names."""
    if not isinstance(value, str) or value == "all":
        return value
    given = value.strip()
    names = _listed(given) if given.endswith(".txt") else given.strip(" ,[]")
    return re.split(r"[,\s]+", names)


def _listed(path: str) -> str:
    """Return the names in a file of associations, without what follows a #."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise refusal(f"{path}: cannot be read ({error}); expected a text file with one rootname a line") from error
    names = " ".join(line.partition("#")[0] for line in lines).strip()
    if not names:
        raise refusal(f"{path}: names no association; expected one rootname a line")
    return names


#: What `candidates` lists: a name or pattern, or a way to ask for a solution.
Entry = Annotated[
    Annotated[Filled, TEXT] | Annotated[SolutionByName, BeforeValidator(mapping_from_text), MAPPING],
    by_kind(TEXT, MAPPING, expected="text or a mapping"),
]


class ConfigurationFile(Part):
    """What a configuration file may say, key by key."""

    input: Filled = key(
        "data",
        "folder with *_asn.fits, *_raw.fits, *_flt.fits, *_flc.fits; searched recursively, never written to",
        example="mydata",
    )
    output: Filled = key("results", "folder of the results: <output>/<asn>/...")
    associations: Annotated[
        Annotated[Literal["all"], TEXT] | Annotated[list[Rootname], Field(min_length=1), LIST],
        by_kind(TEXT, LIST, expected="text or a list"),
        BeforeValidator(_names),
    ] = key(
        "all",
        "what to process: all, a list of rootnames, or the path of a .txt file with one rootname a line",
        example="[jdemo1010, jbt122x8q]",
    )
    keep: Literal["all", "candidates", "final"] = key(
        "all",
        "what stays on disk: all; candidates (no single drizzles); final (no candidate products either; their "
        "exposures can be restored)",
    )
    references: References = key(
        References.model_construct(),
        "folders of the reference files that headers name as jref$..., iref$..., uref$...",
        "For example {jref: ref, iref: ref, uref: ref}. Where one is not named here, the environment variable of that "
        "name says where.",
        example="{jref: ref, iref: ref}",
        shown="{}",
    )
    network: Switch = key(
        False,
        "whether the fetch rules may open connections",
        "Catalogues, headerlets, offsets and reference files that services have are fetched once, by `snakemake fetch` "
        "or when they are needed, and kept with a record of what was asked. Put files there by hand to do without a "
        "connection.",
    )
    fetched: Filled = key(
        "fetched", "folder of what the fetch rules bring: catalogs/, headerlets/, offsets/, references/"
    )
    services: Services = key(
        Services.model_construct(),
        "addresses of the services and how long to try; environment variables come first",
        f"For example {{timeout: 60, mast: https://...}}; all keys are in {_REFERENCE}. With {{cache: DIR}} workflows "
        "share what they fetch, and ask each question once.",
        example="{timeout: 60}",
        shown="{}",
    )
    catalogs: Annotated[list[Catalog], BeforeValidator(from_text)] = key(
        [],
        "reference catalogues in order of preference, or auto",
        "Tables with RA/DEC or ra/dec in degrees (ECSV, FITS, CSV, VOTable, Parquet):\n"
        "  - {name: GAIAeDR3, file: gaia.ecsv}\n"
        "or from a service (stsci, gaia, vizier), once for all exposures of a visit:\n"
        "  - {name: GAIAeDR3, service: stsci}\n"
        "`epoch:` (Julian year) says when the positions hold, where the table has no such column and is no well-known "
        "catalogue; `without_pm: drop` leaves out rows without a proper motion, which are kept with larger errors "
        "else; `parallax: false` does not apply parallaxes.\n"
        "auto, where `solutions` is auto, too: with `network: true` GAIAeDR3 from stsci and all solutions of the "
        "databases; later, without a connection, what that brought. Where only one of the two is given, the other is "
        "empty.",
        example="[{name: GAIAeDR3, file: gaia.ecsv}]",
        shown="auto",
    )
    solutions: Solutions = key(
        Solutions.model_construct(),
        "a priori solutions, or auto",
        "A folder of *_hlet.fits (matched by DESTIM) and a table of guide-star offsets with the columns of the "
        "service's reply (rootname, deltaRA, deltaDEC, ...). The word `fetch` instead of a path: from the services.\n"
        "  {headerlets: hlets, offsets: offsets.ecsv}",
        example="{headerlets: hlets, offsets: offsets.ecsv}",
        shown="auto",
    )
    candidates: Annotated[list[Entry], BeforeValidator(from_text), Once()] = key(
        ["default", "apriori", "aposteriori"],
        "solutions to make and compare; `default` is always among them",
        "`visit` may be added, and any solution that all exposures have, each with its own folder <asn>_<name>, "
        "product and row in promotion.json:\n"
        "  - IDC_*-FIT_SVM_GAIAeDR3           # a pattern (*, ?) over WCSNAME, or a HDRNAME; quote a leading *\n"
        '  - IDC_*                            # without "-": the distortion model alone\n'
        '  - {name: hsc, wcsname: "*-HSC30"}  # name: a to z, digits, underscores; else made of the pattern (hsc30)\n'
        '  - {name: mine, hdrname: "*_9ec245_hlet.fits"}\n'
        "  - {name: svm, headerlets: svm}     # a folder of *hlet.fits, matched to exposures by DESTIM",
        example="[default, aposteriori, visit]",
    )
    visit: VisitSettings = key(
        VisitSettings.model_construct(),
        "what the candidate `visit` aligns as one body",
        "Other visits than those that rootnames say: lists of associations, [[jdemo1010, jdemo1020], [jbt122x8q]].",
    )
    promotion: PromotionSettings = key(PromotionSettings.model_construct(), "how the winner is chosen")
    fitting: Fitting = key(Fitting.model_construct(), "a posteriori fits to try")
    drizzle: Annotated[AstroDrizzleParameters, BeforeValidator(mapping_from_text)] = key(
        {},
        "AstroDrizzle parameters to use instead of those of MDRIZTAB",
        "The single drizzles always follow the product's pixel grid. For example {final_scale: 0.03, "
        "final_pixfrac: 0.8}.",
        example="{final_scale: 0.03}",
    )
    pictures: Pictures = key(
        Pictures.model_construct(), "what patches are shown by `snakemake pictures` and in results/<asn>/pictures/"
    )
    container: Filled = key(
        "snakedriz.sif",
        "image that the rules run in with `snakemake --sdm apptainer`",
        "A file, or docker://REGISTRY/NAME@sha256:DIGEST.",
    )
    demo: Demo = key(Demo.model_construct(), "the simulated visit of `snakemake demo`")


class Configuration(ConfigurationFile):
    """A checked and completed configuration, as `validate_config` makes it: what the workflow reads.

    Its keys can be had by name as well (``config["promotion"]["policy"]``), as plain values.
    """

    candidates: list[str]  # type: ignore[assignment]  # names only: entries that ask for a solution are in the next one
    #: From the candidates that are solutions asked for by name to what is asked for: one of `named_solutions.WAYS`.
    named_solutions: dict[str, dict[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; `named_solutions` keeps the name that it has in parameters of rules, `alternatives`."""
        values = super().as_dict()
        values["alternatives"] = values.pop("named_solutions")
        return values

    @functools.cached_property
    def _values(self) -> dict[str, Any]:
        return self.as_dict()

    def keys(self) -> list[str]:
        """Return the names of all keys."""
        return list(self._values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]  # no copy: planning asks tens of thousands of times

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.as_dict(), **other}

    def get(self, name: str, default: Any = None) -> Any:
        """Return the plain value of a key."""
        return self[name] if name in self._values else default


def validate_config(config: Mapping[str, Any]) -> Configuration:
    """Check a configuration and fill in the defaults.

    Parameters
    ----------
    config : mapping
        What the configuration file and the command line gave. Values from a command line may be text where a list, a
        mapping, a number or a switch is meant; they are read as YAML then.

    Returns
    -------
    Configuration
        All keys, also those left out; `associations` as ``"all"`` or a sorted list of rootnames; `candidates` in the
        order in which they are made, followed by the solutions asked for by name, which `named_solutions` describes.

    Raises
    ------
    SnakedrizError
        For an unknown key (with the nearest valid one and the list of all), a wrong type or value, or values that
        contradict each other. All errors found are in the one message.
    """
    try:
        written = ConfigurationFile.model_validate(service_defaults.resolve(config))
    except ValidationError as error:
        raise _refused(explain(error, ConfigurationFile)) from error
    named, errors = read_named_solutions(written.candidates)
    asked = [name for name in CANDIDATES if name in written.candidates]
    changes: dict[str, Any] = {"candidates": [*asked, *named], "named_solutions": named}
    if written.associations != "all":
        changes["associations"] = _clean(written.associations)
    if written.visit.group != "auto":
        changes["visit"] = VisitSettings(group=[_clean(names) for names in written.visit.group])
    values = {name: getattr(written, name) for name in type(written).model_fields}
    found = Configuration.model_construct(**values | changes)
    errors += _contradictions(found)
    if errors:
        raise _refused(errors)
    return found


def _refused(errors: Sequence[str]) -> SnakedrizError:
    return SnakedrizError(
        f"configuration: {'; '.join(errors)}",
        f"correct this in the configuration file or behind --config ({_REFERENCE} explains every key)",
    )


def _clean(names: Sequence[str]) -> list[str]:
    return sorted({clean_name(name) for name in names})


def _contradictions(config: Configuration) -> Iterator[str]:
    candidates, promotion = config.candidates, config.promotion
    if "default" not in candidates:
        yield "candidates: `default` must be among them, every other candidate is compared with it"
    choose = promotion.choose
    if choose is not None and choose not in candidates:
        yield f"promotion.choose: {choose!r} is not among the candidates ({', '.join(candidates)}){_near(choose)}"
    known = [*dict.fromkeys([*CANDIDATES, *candidates])]
    for name in (name for name in promotion.rank if name not in known):
        yield f"promotion.rank: {name!r} is not among the candidates ({', '.join(known)}){_near(name, known)}"
    if "default" not in promotion.rank:
        yield "promotion.rank: `default` must be among them, it is what stands when nothing before it is verified"
    if promotion.policy == "drizzlepac" and not promotion.drizzlepac_numbers:
        yield "promotion.policy: drizzlepac decides by the numbers that promotion.drizzlepac_numbers: false leaves out"
    for catalog in config.catalogs:
        if (catalog.file is None) == (catalog.service is None):
            yield f"catalogs: {catalog.name}: give either `file` or `service` (stsci, gaia, vizier)"
    for name in _repeated([catalog.name.upper() for catalog in config.catalogs]):
        yield f"catalogs: {name} is named twice"
    group = config.visit.group
    for name in _repeated([] if group == "auto" else [name for names in group for name in names]):
        yield f"visit.group: {name} is in two visits"


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _near(name: str, known: Sequence[str] = CANDIDATES) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def kinds_of_fit(config: Configuration) -> list[str]:
    """Return ``<method>_<geometry>`` of every fit to try with a catalogue, in order of preference."""
    return config.fitting.kinds()


def check_output(path: str | Path) -> None:
    """Refuse an output folder that cannot be written to, before any job is planned.

    Raises
    ------
    SnakedrizError
        If the folder, or the nearest one above it that exists, is not a folder or not writable.
    """
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise SnakedrizError(f"output: {folder} is a file, so {path} cannot be a folder", "choose another `output:`")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SnakedrizError(
            f"output: {folder} cannot be written to", "change its permissions or choose another `output:`"
        )
