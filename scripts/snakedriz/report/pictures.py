"""Pictures of a comparison: side by side as PNG, blinking as GIF. The same comparison gives the same bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.artefacts.comparison import ComparedProduct, Comparison
from snakedriz.errors import SnakedrizError
from snakedriz.files import whole
from snakedriz.report.compare_images import ComparedImages, Patch

SIDE, LEFT, BELOW, GAP = 3.6, 1.3, 0.65, 0.4  # inch: a panel, and what is left of it, below it and between two
DPI = 100
BLINK_MS = 700  # a frame stays so long that the eye settles
_NO_DATA = "#5b6b85"


def write(compared: ComparedImages, png: str | Path) -> None:
    """Write `png`, and beside it the blinking GIF and the report as JSON.

    Raises
    ------
    SnakedrizError
        If matplotlib or pillow is not installed.
    """
    path = Path(png)
    with _plotting():
        side_by_side(compared, path)
        blink(compared, path.with_suffix(".gif"))
    compared.report.write(path.with_suffix(".json"))


@contextlib.contextmanager
def _plotting() -> Iterator[None]:
    """Matplotlib with its own defaults, whatever a user's matplotlibrc says."""
    try:
        import matplotlib
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise SnakedrizError(
            f"pictures need matplotlib and pillow, and {error.name} is not installed", "pip install 'snakedriz[plots]'"
        ) from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def offset_text(report: Comparison) -> str:
    """Return the measured offset in words, or why there is none."""
    offset = report.offset
    if offset is None:
        return f"offset not measured: {report.reason}"
    return (
        f"second − first:  east {offset.east_mas:+.2f} ± {offset.east_err_mas:.2f} mas,  "
        f"north {offset.north_mas:+.2f} ± {offset.north_err_mas:.2f} mas   ({offset.stars} stars)"
    ).replace("-", "−")


def _title(of: ComparedProduct) -> tuple[str, str]:
    """WCSNAME, and file with filter."""
    name = "/".join(Path(of.file).parts[-2:])
    return of.wcsname or "(no WCSNAME)", f"{name}  {of.filter}".strip()


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _show(figure: Any, at: tuple[float, float], patch: Patch, image: NDArray[np.float32], left: bool) -> None:
    """Draw one patch with WCS axes at a corner (x, y in inches); `left`: with labels on its left side."""
    import matplotlib

    width, height = figure.get_size_inches()
    axes = figure.add_axes((at[0] / width, at[1] / height, SIDE / width, SIDE / height), projection=patch.wcs)
    colours = matplotlib.colormaps["gray"].with_extremes(bad=_NO_DATA)
    low, high = patch.interval
    axes.imshow(image, origin="lower", cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    x, y = patch.wcs.wcs_world2pix([[patch.ra, patch.dec]], 0)[0]
    near, far = 0.12 * len(image), 0.2 * len(image)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):  # the same sky position in every panel
        axes.plot([x + near * dx, x + far * dx], [y + near * dy, y + far * dy], color="#ff5a36", lw=1.2)
    _compass(axes, patch)
    north = _direction(patch, 0.0, 1.0)
    places = "bl" if abs(north[1]) >= abs(north[0]) else "lb"  # right ascension along x; in a turned frame along y
    for index, (label, form) in enumerate((("RA", "hh:mm:ss.ss"), ("Dec", "dd:mm:ss.s"))):
        coordinate, place = axes.coords[index], places[index]
        coordinate.set_ticks_position(place)
        coordinate.set_ticklabel_position(place)
        coordinate.set_axislabel_position(place)
        coordinate.set_major_formatter(form)
        coordinate.set_ticks(number=4)
        coordinate.set_ticklabel(size=8, exclude_overlapping=True)
        coordinate.set_axislabel(label, fontsize=9, minpad=0.6)
        coordinate.grid(color="white", alpha=0.3, linewidth=0.5)
        if place == "l" and not left:
            coordinate.set_ticklabel_visible(False)
            coordinate.set_axislabel("")


def _direction(patch: Patch, east: float, north: float) -> NDArray[np.float64]:
    """Unit vector x, y in pixels of a direction on the sky."""
    step = 1.0 / 3600.0
    there = (patch.ra + east * step / np.cos(np.radians(patch.dec)), patch.dec + north * step)
    here, way = patch.wcs.wcs_world2pix([(patch.ra, patch.dec), there], 0)
    return np.asarray((way - here) / np.hypot(*(way - here)))


def _compass(axes: Any, patch: Patch) -> None:
    """Arrows to north and east, a tenth of the patch long, in its lower left corner."""
    from matplotlib.patheffects import withStroke

    n = len(patch.first)
    length, start = 0.1 * n, np.array([0.17 * n, 0.17 * n])
    edge = [withStroke(linewidth=2, foreground="black")]  # letters on a star are seen as well
    for name, way in (("N", length * _direction(patch, 0.0, 1.0)), ("E", length * _direction(patch, 1.0, 0.0))):
        axes.annotate("", start + way, start, arrowprops={"arrowstyle": "->", "color": "#ffd23f", "lw": 1.3})
        axes.text(*(start + 1.4 * way), name, color="#ffd23f", fontsize=9, ha="center", va="center", path_effects=edge)


def _nothing(report: Comparison) -> Any:
    """A figure that says why there is nothing to see."""
    import textwrap

    figure = _figure(9.0, 2.5)
    figure.text(0.5, 0.5, "\n".join(textwrap.wrap(report.reason, 90)), ha="center", va="center", fontsize=11)
    return figure


def side_by_side(compared: ComparedImages, path: Path) -> None:
    """Write the PNG: a row of two panels for each position, first product left."""
    report, patches = compared.report, compared.patches
    if patches:
        width, height = LEFT + 2 * SIDE + GAP + 0.25, 1.1 + len(patches) * (SIDE + BELOW)
        figure = _figure(width, height)
        figure.text(0.5, 1 - 0.28 / height, offset_text(report), ha="center", va="center", fontsize=12, weight="bold")
        for column, which in enumerate(("first", "second")):
            x = LEFT + column * (SIDE + GAP)
            name, file = _title(getattr(report, which))
            middle = (x + SIDE / 2) / width
            figure.text(middle, 1 - 0.65 / height, name, ha="center", va="center", fontsize=11)
            figure.text(middle, 1 - 0.9 / height, file, ha="center", va="center", fontsize=8, color="#444444")
            for row, patch in enumerate(patches):
                y = height - 1.1 - row * (SIDE + BELOW) - SIDE
                _show(figure, (x, y), patch, getattr(patch, which), left=column == 0)
    else:
        figure = _nothing(report)
    with whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def blink(compared: ComparedImages, path: Path) -> None:
    """Write the GIF: all positions in one frame, of the first product and of the second in turn."""
    from PIL import Image

    report, patches = compared.report, compared.patches
    frames = []
    columns, rows = min(2, len(patches)), -(-len(patches) // 2)
    for which in ("first", "second") if patches else ():
        width, height = max(7.5, columns * (LEFT + SIDE) + 0.25), 1.0 + rows * (SIDE + BELOW)
        figure = _figure(width, height)
        name, file = _title(getattr(report, which))
        colour = {"first": "#1b5fa8", "second": "#b3401e"}[which]
        figure.text(0.5, 1 - 0.22 / height, f"{which}: {name}", ha="center", va="center", fontsize=12, color=colour)
        figure.text(0.5, 1 - 0.46 / height, file, ha="center", va="center", fontsize=8, color="#444444")
        figure.text(0.5, 1 - 0.74 / height, offset_text(report), ha="center", va="center", fontsize=10)
        edge = (width - columns * (LEFT + SIDE) - 0.25) / 2
        for index, patch in enumerate(patches):
            row, column = divmod(index, 2)
            at = (edge + LEFT + column * (LEFT + SIDE), height - 1.0 - row * (SIDE + BELOW) - SIDE)
            _show(figure, at, patch, getattr(patch, which), left=True)
        frames.append(_pixels(figure))
    if not patches:
        frames.append(_pixels(_nothing(report)))
    # One palette for both frames: a colour must not blink.
    palette = Image.fromarray(np.concatenate(frames)).quantize(colors=256, method=Image.Quantize.MEDIANCUT)
    images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    with whole(path) as temporary:
        images[0].save(
            temporary, format="GIF", save_all=True, append_images=images[1:], duration=BLINK_MS, loop=0,
            optimize=False, disposal=1,
        )  # fmt: skip


def _pixels(figure: Any) -> NDArray[np.uint8]:
    """Render a figure, shape (ny, nx, 3)."""
    figure.canvas.draw()
    return np.ascontiguousarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
