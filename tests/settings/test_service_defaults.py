"""What `catalogs: auto` and `solutions: auto` become."""

import pytest
from snakedriz import settings
from snakedriz.settings import service_defaults

GAIA = [{"name": "GAIAeDR3", "service": "stsci"}]
FETCH = {"headerlets": "fetch", "offsets": "fetch"}


@pytest.mark.parametrize("said", [{}, {"catalogs": "auto"}, {"catalogs": "auto", "solutions": "auto"}])
def test_with_a_connection_everything_that_services_have(said):
    found = service_defaults.resolve({"network": True, **said})
    assert (found["catalogs"], found["solutions"]) == (GAIA, FETCH)
    assert settings.validate_config({"network": True, **said})["solutions"] == FETCH


@pytest.mark.parametrize(
    "said",
    [
        {"catalogs": []},
        {"solutions": {}},
        {"catalogs": [{"name": "mine", "file": "x"}]},
        {"solutions": {"offsets": "x"}},
    ],
)
def test_who_says_one_has_said_all(said):
    found = service_defaults.resolve({"network": True, **said})
    assert {"catalogs": [], "solutions": {}, **said} == {key: found[key] for key in ("catalogs", "solutions")}


def test_without_a_connection_what_is_there(tmp_path):
    config = {"network": False, "fetched": str(tmp_path)}
    assert service_defaults.resolve(config)["catalogs"] == []
    assert service_defaults.resolve(config)["solutions"] == {}
    (tmp_path / "offsets").mkdir()
    (tmp_path / "catalogs").mkdir()
    (tmp_path / "catalogs" / "jbt122_GSC242.ecsv").touch()
    assert service_defaults.resolve(config)["catalogs"] == []
    (tmp_path / "catalogs" / "jbt122_GAIAeDR3.ecsv").touch()
    found = service_defaults.resolve(config)
    assert (found["catalogs"], found["solutions"]) == (GAIA, {"offsets": "fetch"})
