"""Make before_after.png from a finished demo: python .readme/before_after.py demo .readme/before_after.png"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.visualization import ImageNormalize, ZScaleInterval
from astropy.wcs import WCS
from snakedriz.simulate import read_truth

SIZE = 160  # px


def main(demo: Path, out: Path) -> None:
    """Draw the same patch of sky with the default and the promoted WCS, and circles at the true positions."""
    results = demo / "results" / "jdemo1010"
    stars = read_truth(demo).star_table
    stars = stars[stars["mag"] < 23]
    panels = {
        "pointing as observed": results / "jdemo1010_default" / "jdemo1010_drc.fits",
        "promoted": results / "final" / "jdemo1010_drc.fits",
    }
    with fits.open(panels["promoted"]) as hdul:
        wcs, shape = WCS(hdul["SCI"].header), hdul["SCI"].data.shape
    x, y = wcs.all_world2pix(stars["ra"], stars["dec"], 0)
    inside = (np.abs(x - shape[1] / 2) < shape[1] / 4) & (np.abs(y - shape[0] / 2) < shape[0] / 4)
    crowd = [np.sum(np.hypot(x - x[i], y - y[i]) < SIZE / 2) if inside[i] else 0 for i in range(len(x))]
    centre = wcs.pixel_to_world(x[np.argmax(crowd)], y[np.argmax(crowd)])
    figure = plt.figure(figsize=(10, 4.9), layout="constrained")
    for index, (label, path) in enumerate(panels.items(), start=1):
        with fits.open(path) as hdul:
            header = hdul["SCI"].header
            cutout = Cutout2D(np.nan_to_num(hdul["SCI"].data), centre, SIZE, wcs=WCS(header))
        axes = figure.add_subplot(1, 2, index, projection=cutout.wcs)
        norm = ImageNormalize(cutout.data, interval=ZScaleInterval(contrast=0.08))
        axes.imshow(cutout.data, origin="lower", cmap="gray_r", norm=norm)
        sx, sy = cutout.wcs.all_world2pix(stars["ra"], stars["dec"], 0)
        near = (sx > 0) & (sx < SIZE) & (sy > 0) & (sy < SIZE)
        axes.scatter(sx[near], sy[near], s=70, facecolors="none", edgecolors="tab:red", linewidths=1.2)
        axes.set_title(f"{label}: {header['WCSNAME']}", fontsize=9)
    figure.savefig(out, dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
