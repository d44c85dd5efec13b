from snakedriz import settings


def test_software_versions():
    found = settings.software_versions()
    assert set(found) == {"snakedriz", *settings.PACKAGES}
    assert found["numpy"][0].isdigit()
