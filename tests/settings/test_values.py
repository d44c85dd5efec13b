"""Types of values: what the command line gives as text is read as what it stands for."""

import pytest
from snakedriz import settings


def test_values_from_the_command_line():
    found = settings.validate_config(
        {
            "associations": "[JB_asn.fits, ja]",
            "network": "true",
            "catalogs": "[{name: G, file: g.ecsv}]",
            "candidates": "[aposteriori, default]",
            "promotion": "{choose: default}",
            "solutions": {"offsets": "null", "headerlets": "hlets"},
            "drizzle": {"final_scale": "0.03", "final_bits": 336},
        }
    )
    assert found["associations"] == ["ja", "jb"]
    assert found["network"] is True
    assert found["catalogs"][0]["name"] == "G"
    assert found["candidates"] == ["default", "aposteriori"]
    assert found["promotion"]["choose"] == "default"
    assert found["solutions"] == {"headerlets": "hlets", "offsets": None}
    assert found["drizzle"] == {"final_scale": 0.03, "final_bits": 336}
    grouped = settings.validate_config({"visit": {"group": "[[jb, JA_asn.fits], [jc]]"}})
    assert grouped["visit"] == {"group": [["ja", "jb"], ["jc"]]}
    assert found["visit"] == {"group": "auto"}
    for text in ("jb, ja", "ja jb", "[ja,jb]"):
        assert settings.validate_config({"associations": text})["associations"] == ["ja", "jb"]
    assert settings.validate_config({"associations": "ja"})["associations"] == ["ja"]
    assert settings.validate_config({"catalogs": None})["catalogs"] == []


@pytest.mark.parametrize(("text", "value"), [("-1.0", -1.0), ("[-2, 3]", [-2, 3]), (0.5, 0.5)])
def test_limits_from_the_command_line_are_numbers(text, value):
    """Snakemake hands the numbers of `--config promotion={limits: {similarity: -1.0}}` on as text."""
    config = settings.validate_config({"promotion": {"limits": {"similarity": text}}})
    assert config["promotion"]["limits"] == {"similarity": value}
