"""The library beside the workflow is the one in use, whatever else is installed."""

import pytest
import snakedriz
from helpers import many_associations, workflow
from snakedriz.errors import SnakedrizError
from snakedriz.workflow import library

#: A copy of another version, which says on import that it was used.
OTHER = 'raise ImportError("the other snakedriz was imported")\n'


@pytest.fixture
def other(tmp_path):
    folder = tmp_path / "site"
    (folder / "snakedriz").mkdir(parents=True)
    (folder / "snakedriz/__init__.py").write_text(OTHER)
    return folder


def test_another_library_beside_the_scripts_is_an_error(tmp_path, other):
    library.check(workflow.ROOT / "scripts")
    library.check(tmp_path / "not there")
    with pytest.raises(SnakedrizError, match="has a library of its own, and another one") as caught:
        library.check(other)
    assert snakedriz.__version__ in caught.value.reason
    assert "PYTHONPATH" in caught.value.remedy


@pytest.mark.workflow
def test_rules_and_jobs_use_the_library_beside_them(tmp_path, other):
    """The other one is found first everywhere: in Snakemake, and in the process of a job."""
    many_associations.make(tmp_path, 1)
    target = f"results/{many_associations.association(0)}/inventory.json"
    done = workflow.run(tmp_path, target, PYTHONPATH=str(other))
    assert "the other snakedriz" not in done.output, done.tail
    log = tmp_path / f"results/{many_associations.association(0)}/logs/inventory.log"
    assert "the other snakedriz" not in log.read_text()
    assert "snakedriz: " in done.output, "header-only exposures have no pixels, which the job says"


@pytest.mark.workflow
def test_a_library_that_was_imported_before_is_refused_in_one_sentence(tmp_path, other):
    (other / "snakedriz/__init__.py").write_text('__version__ = "0.0.1"\n__path__.append("%s")\n' % (
        workflow.ROOT / "scripts/snakedriz"
    ))  # fmt: skip
    (other / "sitecustomize.py").write_text("import snakedriz\n")
    many_associations.make(tmp_path, 1)
    done = workflow.run(tmp_path, "-n", PYTHONPATH=str(other))
    assert done.code != 0
    assert f"another one, {other / 'snakedriz'} (version 0.0.1)" in done.output, done.tail
    assert "Traceback" not in done.output
