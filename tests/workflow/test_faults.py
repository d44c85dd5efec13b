"""Every kind of failure, through the workflow: its own words, nothing half-written; later the same command works."""

import subprocess
import sys

import pytest
import yaml
from helpers import workflow
from helpers.observatory import Observatory, open_all
from snakedriz.simulate import Visit, simulate_visit

pytestmark = pytest.mark.workflow
SECRET = "hunter2secret"
VISIT = {"chip_shape": (128, 256), "n_exposures": 2, "n_stars": 60, "n_galaxies": 2}
#: What each service is called, and what its kept files match below `fetched` (data for exposures).
NAMES = {
    "catalogs": ("STScI catalogue service", "fetched/catalogs/*"),
    "astrometry": ("astrometry database", "fetched/headerlets/*/*"),
    "guide_stars": ("guide-star service", "fetched/offsets/*"),
    "crds": ("CRDS", "fetched/references/**/*.fits"),
    "mast": ("MAST", "data/jothr1010/*"),
}
#: Round by round what befalls each service, and what it must end in. Together: every failure, for some service.
ROUNDS = [
    {"catalogs": ("html", "a web page instead of data"), "astrometry": ("503", "status 503"),
     "guide_stars": ("cut", "broke off"), "crds": ("empty", "no content"), "mast": ("403", "status 403")},
    {"catalogs": ("LF", "lines that do not end in CRLF"), "astrometry": ("html under another name", "a web page"),
     "guide_stars": ("redirect", "redirected to"), "crds": ("500", "status 500"), "mast": ("cut", "broke off")},
    {"catalogs": ("error line", "it answered 'Error"), "astrometry": ("other type", "content of type image/png"),
     "guide_stars": ("silence", "no answer within"), "crds": ("tls", "TLS failed"), "mast": ("html", "a web page")},
    {"catalogs": ("cut without length", "fields, there are"), "astrometry": ("404 of a wrong address", "status 404"),
     "guide_stars": ("empty", "no content"), "crds": ("hang up", "connection was cut"), "mast": ("429", "status 429")},
]  # fmt: skip


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A visit that is here, and another that only MAST has."""
    here = tmp_path_factory.mktemp("here")
    truth = simulate_visit(Visit(seed=2, **VISIT), here)
    other = simulate_visit(Visit(asn="jothr1010", seed=3, **VISIT), tmp_path_factory.mktemp("other"))
    observatory = Observatory(truth)
    observatory.solve()
    observatory.mast = Observatory(other).mast
    observatory.offsets |= Observatory(other).offsets
    return here, observatory


@pytest.fixture(scope="module")
def same():
    """What the first round kept, for the others to compare with."""
    return {}


def fetch(folder, services):
    config = {
        "input": "data", "output": "results", "associations": ["jdemo1010", "jothr1010"], "network": True,
        "catalogs": [{"name": "GAIAeDR3", "service": "stsci"}], "services": services,
        "solutions": {"headerlets": "fetch", "offsets": "fetch"},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(workflow.ROOT / "Snakefile"), "--configfile",
         "config.yaml", "-j5", "fetch"],
        cwd=folder, text=True, check=False, capture_output=True,
        env=workflow.environment(NO_PROXY="*", no_proxy="*"),
    )  # fmt: skip


@pytest.mark.parametrize("faults", ROUNDS, ids=range(1, len(ROUNDS) + 1))
def test_each_service_fails_in_its_own_words_and_works_again(sky, same, tmp_path, faults):
    here, observatory = sky
    (tmp_path / "data").mkdir()
    for path in (here / "data").iterdir():
        (tmp_path / "data" / path.name).symlink_to(path)
    with open_all(observatory) as (servers, services):
        limits = {"attempts": 1, "timeout": 0.5}
        broken = {key: address.replace("//", f"//me:{SECRET}@") for key, address in services.items()}
        for key, (fault, _) in faults.items():
            if fault == "tls":  # a server that speaks plain HTTP where TLS is expected
                broken[key] = broken[key].replace("http://", "https://")
            else:
                servers[key].fault = fault
        failed = fetch(tmp_path, {**broken, **limits})
        assert failed.returncode != 0
        lines = failed.stderr.splitlines()
        said = dict(zip(lines, [*lines[1:], ""], strict=True))  # each line, and the one after it
        for key, (_, words) in faults.items():
            name, files = NAMES[key]
            own = [line for line in said if line.startswith("snakedriz: ") and name in line]
            assert own, (key, failed.stderr[-4000:])
            assert words in own[0]
            assert "asked: " in own[0]
            assert said[own[0]].startswith("  what to do: ")
            assert list(tmp_path.glob(files)) == [], key
        assert SECRET not in failed.stdout + failed.stderr
        logs = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "config.yaml"]
        assert [path for path in logs if SECRET.encode() in path.read_bytes()] == []
        if any(fault == "silence" for fault, _ in faults.values()):
            limits["timeout"] = 5
        for server in servers.values():
            server.fault = None
        done = fetch(tmp_path, {**services, **limits})
        assert done.returncode == 0, done.stderr[-4000:]
    for _, files in NAMES.values():
        assert list(tmp_path.glob(files)) != []
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]
    # every answer came with its rows, solutions and columns in another order
    kept = {n: d for n, d in workflow.digests(tmp_path / "fetched").items() if not n.endswith(".provenance.json")}
    assert kept == same.setdefault("kept", kept)


def test_workflows_that_share_a_cache_ask_once(sky, tmp_path):
    """Two at the same time and a third later: one question each; nothing that failed or was damaged is served."""
    here, observatory = sky
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        (folder / "data").symlink_to(here / "data")
    with open_all(observatory) as (servers, services):
        services["cache"] = str(tmp_path / "cache")
        del services["mast"]
        config = {
            "input": "data", "output": "results", "associations": ["jdemo1010"], "network": True, "services": services,
            "catalogs": [{"name": "GAIAeDR3", "service": "stsci"}], "solutions": {"offsets": "fetch"},
        }  # fmt: skip
        services["attempts"] = 1
        for folder in folders:
            (folder / "config.yaml").write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(workflow.ROOT / "Snakefile"), "--configfile",
                   "config.yaml", "-j2", "fetch"]  # fmt: skip
        environ = workflow.environment(NO_PROXY="*", no_proxy="*")
        servers["catalogs"].fault = "cut"
        options = {"env": environ, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        assert subprocess.run(command, cwd=folders[0], check=False, **options).returncode != 0
        servers["catalogs"].fault = None
        servers["catalogs"].asked.clear()
        running = [subprocess.Popen(command, cwd=folder, **options) for folder in folders[:2]]
        assert [process.wait() for process in running] == [0, 0]
        assert len(servers["catalogs"].asked) == 1
        assert len(servers["guide_stars"].asked) == 2  # one for each exposure
        asked = {key: len(server.asked) for key, server in servers.items()}
        assert subprocess.run(command, cwd=folders[2], check=False, **options).returncode == 0
        assert {key: len(server.asked) for key, server in servers.items()} == asked
        (table,) = (tmp_path / "cache").rglob("table.ecsv")
        table.write_bytes(table.read_bytes()[:-10])
        (folders[2] / "fetched/catalogs/jdemo1_GAIAeDR3.ecsv").unlink()
        assert subprocess.run(command, cwd=folders[2], check=False, **options).returncode == 0
        assert len(servers["catalogs"].asked) == 2
    kept = [workflow.digests(folder / "fetched") for folder in folders]
    tables = [{n: d for n, d in one.items() if not n.endswith(".provenance.json")} for one in kept]
    assert tables[0] == tables[1] == tables[2]
