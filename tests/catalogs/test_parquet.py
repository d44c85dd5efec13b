"""Catalogues in Parquet: a file, and partitions of which only the field is read."""

import sys

import numpy as np
import pytest
from snakedriz.artefacts import provenance
from snakedriz.catalogs import field_catalog, parquet, reference

CORNERS = np.array([(0.02, 10.0), (359.98, 10.0), (359.98, 10.02), (0.02, 10.02)])


@pytest.fixture
def write():
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (pip install 'snakedriz[parquet]')")
    import pyarrow
    import pyarrow.parquet

    def made(path, ra, dec, **more):
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = {"ra": ra, "dec": dec, "source_id": [4611686018427387905 + i for i in range(len(ra))], **more}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)

    return made


def partitions(folder, write):
    write(folder / "dataset/Norder=1/Dir=0/Npix=1.parquet", [0.01, 0.3], [10.01, 10.01], pmra=[1.5, None])
    write(folder / "dataset/Norder=1/Dir=0/Npix=2.parquet", [359.99, 359.0], [10.01, 10.01], pmra=[2.5, 1.0])
    write(folder / "dataset/Norder=1/Dir=0/Npix=3.parquet", [180.0], [-50.0], pmra=[0.0])
    (folder / "properties").write_text("obs_collection=x")
    return folder


def test_partitions_around_zero_hours(tmp_path, write):
    folder = partitions(tmp_path / "gaia", write)
    found = reference.load_catalog(folder, "GAIADR3", parquet.around([CORNERS], 10.0))
    assert sorted(found["RA"]) == [0.01, 359.99]
    assert sorted(found["objID"]) == ["4611686018427387905"] * 2  # 64 bits survive
    assert found.meta["parts"] == [f"dataset/Norder=1/Dir=0/Npix={n}.parquet" for n in (1, 2)]
    everything = reference.load_catalog(folder, "GAIADR3")
    assert len(everything) == 5
    assert np.isnan(everything["pmra"][1])


def test_a_result_depends_on_the_partitions_of_its_field_alone(tmp_path, write):
    folder = partitions(tmp_path / "gaia", write)
    field = ({"epoch": 2016.0}, [CORNERS], 5.0, {"jdemo1a1q": 2010.0})
    first = field_catalog.in_field(folder, "GAIADR3", *field).meta["source"]
    write(folder / "dataset/Norder=1/Dir=0/Npix=3.parquet", [181.0], [-50.0], pmra=[0.0])
    assert field_catalog.in_field(folder, "GAIADR3", *field).meta["source"] == first
    write(folder / "dataset/Norder=1/Dir=0/Npix=2.parquet", [359.99], [10.011], pmra=[0.0])
    assert field_catalog.in_field(folder, "GAIADR3", *field).meta["source"]["sha256"] != first["sha256"]


def test_one_file(tmp_path, write):
    write(tmp_path / "c.parquet", [10.0, 20.0], [1.0, 2.0])
    found = reference.load_catalog(tmp_path / "c.parquet", "x")
    assert list(found["DEC"]) == [1.0, 2.0]
    assert provenance.describe(tmp_path / "c.parquet", found.meta).file == "c.parquet"


def test_damaged_and_empty_are_errors(tmp_path, write):
    folder = partitions(tmp_path / "gaia", write)
    part = folder / "dataset/Norder=1/Dir=0/Npix=3.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        reference.load_catalog(folder, "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="without Parquet files"):
        reference.load_catalog(tmp_path / "empty", "x")


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.dataset", None)
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"pip install 'snakedriz\[parquet\]'"):
        reference.load_catalog(tmp_path / "c.parquet", "x")
