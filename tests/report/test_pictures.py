"""Pictures of a comparison: the files written, and that the same comparison gives the same bytes."""

import builtins
import json

import numpy as np
import pytest
from snakedriz.cli import main
from snakedriz.report import compare_images, pictures


def test_the_same_bytes_twice_and_a_gif_of_two_frames(pair, tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    made = []
    for name in ("one", "two"):
        target = tmp_path / name / "x.png"
        assert main.main(["compare", *map(str, pair), "-o", str(target), "--size", "3", "--stars", "2"]) == 0
        made.append([target.with_suffix(suffix).read_bytes() for suffix in (".png", ".gif", ".json")])
        assert "east −350.00 ± 0.15 mas" in capsys.readouterr().out
    assert made[0] == made[1]
    assert b"tEXt" not in made[0][0]
    with image.open(tmp_path / "one" / "x.gif") as gif:
        first = np.asarray(gif.convert("RGB")).astype(int)
        assert (gif.n_frames, gif.info["duration"]) == (2, pictures.BLINK_MS)
        gif.seek(1)
        assert (np.abs(np.asarray(gif.convert("RGB")) - first) > 50).any()
    assert len(json.loads(made[0][2])["positions"]) == 2


def test_a_reason_is_a_picture_too(tmp_path):
    pytest.importorskip("matplotlib")
    pictures.write(compare_images.not_applicable("a.fits", "b.fits", "no stars", 5.0), tmp_path / "x.png")
    assert json.loads((tmp_path / "x.json").read_text())["outcome"] == "not_applicable"
    assert (tmp_path / "x.png").stat().st_size > 1000
    assert (tmp_path / "x.gif").read_bytes().startswith(b"GIF89a")


def test_without_matplotlib_the_error_says_what_to_install(pair, tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest):
        if name == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main.main(["compare", *map(str, pair), "-o", str(tmp_path / "x.png")]) == 3
    assert "pip install 'snakedriz[plots]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
