import pytest
from helpers.compared import product


@pytest.fixture(scope="package")
def pair(tmp_path_factory):
    """The same pixels under two WCSs, (-350, +400) mas apart."""
    folder = tmp_path_factory.mktemp("pair")
    return product(folder, "a"), product(folder, "b", -350.0, 400.0, "IDC_x-FIT_REL_GAIAeDR3")
