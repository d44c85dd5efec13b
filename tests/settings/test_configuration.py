import copy
from pathlib import Path

import pytest
import yaml
from snakedriz import settings
from snakedriz.errors import SnakedrizError
from snakedriz.settings import configuration
from snakedriz.settings.configuration import ConfigurationFile

ROOT = Path(__file__).resolve().parents[2]


def defaults():
    return settings.validate_config({})


def test_the_documented_file_says_the_defaults():
    written = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    assert settings.validate_config(written) == defaults()
    assert list(written) == list(ConfigurationFile.model_fields)  # every key is documented, in the model's order
    for key, field in ConfigurationFile.model_fields.items():
        if isinstance(written[key], dict) and written[key]:
            assert set(written[key]) == set(field.annotation.model_fields)


def test_the_contract():
    text = """
        input: data
        output: results
        associations: all
        references: {jref: ref, iref: ref, uref: ref}
        network: false
        catalogs:
          - {name: GAIAeDR3, file: gaia.ecsv}
        solutions: {headerlets: dir, offsets: file}
        candidates: [default, apriori, aposteriori]
        promotion: {policy: documented, choose: null}
    """
    given = yaml.safe_load(text)
    before = copy.deepcopy(given)
    found = settings.validate_config(given)
    assert given == before
    for key in given:
        if key not in ("promotion", "catalogs"):
            assert found[key] == given[key]
    assert found["promotion"] == {
        "policy": "documented", "rank": ["visit", "aposteriori", "apriori", "default"], "choose": None, "limits": {},
        "drizzlepac_numbers": True,
    }  # fmt: skip
    options = {"epoch": None, "without_pm": "keep", "parallax": True}
    assert found["catalogs"] == [{"name": "GAIAeDR3", "file": "gaia.ecsv", **options}]


def test_the_demo_configuration_is_valid():
    found = settings.validate_config(yaml.safe_load((ROOT / "config" / "demo.yaml").read_text()))
    assert [catalog.name for catalog in found.catalogs] == ["GAIAeDR3"]


@pytest.mark.parametrize(
    ("config", "messages"),
    [
        ({"inptu": "x"}, ["unknown key `inptu`", "did you mean `input`?", "valid keys: associations, candidates"]),
        (
            {"promotion": {"polcy": 1}},
            ["promotion: unknown key `polcy`", "`policy`", "choose, drizzlepac_numbers, limits, policy"],
        ),
        ({"solutions": {"headerlet": "x"}}, ["solutions: unknown key `headerlet`", "`headerlets`"]),
        ({"references": {"kref": "x"}}, ["references: unknown key `kref`", "iref, jref, uref"]),
        ({"catalogs": [{"name": "A", "file": "b", "fiel": 1}]}, ["catalogs[0]: unknown key `fiel`", "`file`"]),
        ({"drizzle": {"final_scal": 3}}, ["drizzle: unknown key `final_scal`", "`final_scale`"]),
        ({"drizzle": {"input": "x"}}, ["drizzle: unknown key `input`"]),
        ({"fitting": {"geometry": ["rscale"]}}, ["fitting: unknown key `geometry`", "`geometries`"]),
        ({"zzzzzz": 1}, ["unknown key `zzzzzz` (valid keys"]),
        ({"network": "perhaps"}, ["network: expected true or false, found the text 'perhaps'"]),
        ({"input": 5}, ["input: expected text, found the number 5"]),
        ({"input": ""}, ["input: "]),
        ({"catalogs": "gaia.ecsv"}, ["catalogs: expected a list, found the text 'gaia.ecsv'"]),
        ({"catalogs": [{"name": "A"}]}, ["catalogs: A: give either `file` or `service`"]),
        ({"catalogs": [{"file": "x"}]}, ["catalogs[0]: the key name must be given"]),
        ({"catalogs": [{"name": "A-B", "file": "x"}]}, ["letters, digits and underscores"]),
        ({"catalogs": [{"name": "A", "file": "x"}, {"name": "a", "file": "y"}]}, ["catalogs: A is named twice"]),
        ({"candidates": ["apriori"]}, ["`default` must be among them"]),
        ({"candidates": ["default", "vizit"]}, ["candidates[1]: expected one of default, apriori, aposteriori, visit"]),
        ({"candidates": ["default", "apriory"]}, ["did you mean apriori?"]),
        ({"candidates": ["default", {"name": "a", "wcsnam": "x"}]}, ["candidates[1]: unknown key `wcsnam`"]),
        ({"candidates": ["default", {"name": "a"}]}, ["candidates[1]: found none of them; expected one of wcsname"]),
        (
            {"candidates": ["default", {"wcsname": "*-HSC30", "headerlets": "svm"}]},
            ["candidates[1]: found wcsname, headerlets; expected one of"],
        ),
        ({"candidates": ["default", {"name": "A-b", "hdrname": "x"}]}, ["lower-case letters, digits and underscores"]),
        ({"candidates": ["default", {"name": "visit", "wcsname": "*-HSC30"}]}, ["visit is that of another kind"]),
        ({"candidates": ["default", {"headerlets": "a/apriori"}]}, ["apriori is that of another kind", "{name: ..."]),
        ({"candidates": ["default", "*-HSC30", "IDC_*-HSC30"]}, ["candidates[2]: the name hsc30 is taken"]),
        ({"candidates": ["default", "*"]}, ["candidates[1]: no name can be made of it"]),
        ({"candidates": ["default", 5]}, ["candidates[1]: expected text or a mapping, found the number 5"]),
        ({"promotion": {"rank": ["apriori"]}}, ["promotion.rank: `default` must be among them"]),
        ({"promotion": {"rank": ["hsc30", "default"]}}, ["promotion.rank: 'hsc30' is not among the candidates"]),
        ({"promotion": {"rank": ["default", "default"]}}, ["promotion.rank: "]),
        ({"visit": {"group": "automatic"}}, ["visit.group: ", "auto, or a list of lists of rootnames"]),
        ({"visit": {"group": ["ja", "jb"]}}, ["visit.group: ", "auto, or a list of lists of rootnames"]),
        ({"visit": {"group": [["ja", "jb"], ["jb"]]}}, ["visit.group: jb is in two visits"]),
        ({"promotion": {"policy": "best"}}, ["expected one of measured, documented, drizzlepac"]),
        (
            {"promotion": {"policy": "drizzlepac", "drizzlepac_numbers": False}},
            ["promotion.policy: drizzlepac decides by the numbers"],
        ),
        ({"promotion": {"choose": "aposteriory"}}, ["did you mean aposteriori?"]),
        ({"promotion": {"choose": "apriori"}, "candidates": ["default"]}, ["'apriori' is not among the candidates"]),
        ({"promotion": {"limits": {"rms": "big"}}}, ["promotion.limits.rms: expected a number"]),
        ({"associations": ["../x"]}, ["a rootname of letters and digits"]),
        ({"drizzle": {"driz_cr_snr": "3.5"}}, ["two numbers in one text"]),
        ({"drizzle": {"final_kernel": "squar"}}, ["did you mean square?"]),
        ({"inptu": 1, "network": 3}, ["inptu", "network: expected true or false, found the number 3"]),
    ],
)
def test_refusals_say_what_was_found_and_expected(config, messages):
    with pytest.raises(SnakedrizError) as caught:
        settings.validate_config(config)
    for message in messages:
        assert message in str(caught.value)


def test_an_output_folder_that_cannot_be_is_refused(tmp_path, monkeypatch):
    settings.check_output(tmp_path / "new" / "results")
    (tmp_path / "file").write_text("")
    with pytest.raises(SnakedrizError, match="is a file"):
        settings.check_output(tmp_path / "file" / "results")
    # root may write anywhere, so the answer of the operating system is what is replaced
    monkeypatch.setattr(configuration.os, "access", lambda *_: False)
    with pytest.raises(SnakedrizError, match="cannot be written to"):
        settings.check_output(tmp_path / "results")


def test_keys_are_attributes_and_plain_values_by_name():
    found = settings.validate_config({"catalogs": [{"file": "g.csv", "name": "G"}], "drizzle": {"final_scale": 1}})
    assert found.promotion.policy == found["promotion"]["policy"] == "measured"
    assert found.catalogs[0].without_pm == "keep"
    assert (
        found.fitting.kinds() == settings.kinds_of_fit(found) == ["relative_rscale", "2dhist_rscale", "default_rscale"]
    )
    assert {**found} == found.as_dict()
    with pytest.raises(ValueError, match="frozen"):
        found.keep = "final"
    # Snakemake compares the text of parameters: numbers stay as they are written, and the order in the file is nothing
    assert repr(found["catalogs"]) == (
        "[{'name': 'G', 'file': 'g.csv', 'epoch': None, 'without_pm': 'keep', 'parallax': True}]"
    )
    assert repr(found["drizzle"]) == "{'final_scale': 1}"
    assert repr(found["services"]["timeout"]) == "30"


def test_all_errors_are_in_one_message_that_says_what_to_do():
    with pytest.raises(SnakedrizError) as caught:
        settings.validate_config(
            {
                "inptu": 1, "network": "no?", "pictures": {"stars": 0}, "drizzle": {"final_bits": [1], "stepsize": 1.5},
                "services": {"products": ["DRC", "DRC"]}, "associations": 5, "fitting": {"methods": []}, "demo": [],
                "promotion": {"limits": {"a": [1]}, "choose": 3},
            }
        )  # fmt: skip
    assert caught.value.reason.split("; ") == [
        "configuration: associations: expected text or a list, found the number 5",
        "demo: expected a mapping, found the list []",
        "drizzle.final_bits: expected text or a whole number, found the list [1]",
        "drizzle.stepsize: expected a whole number, found the number 1.5",
        "fitting.methods: found the list []", "expected 1 or more in it",
        caught.value.reason.split("; ")[6],
        "network: expected true or false, found the text 'no?'",
        "pictures.stars: found the number 0", "expected a number from 1",
        "promotion.choose: expected text or null, found the number 3",
        "promotion.limits.a: found the list [1]", "expected 2 or more in it",
        "services.products: 'DRC' is named twice", "expected once",
    ]  # fmt: skip
    assert "unknown key `inptu`, did you mean `input`?" in caught.value.reason
    assert "docs/configuration.md" in caught.value.remedy


def test_configured_positions_are_checked():
    good = settings.validate_config({"pictures": {"positions": [[150.0, -2.5]]}})
    assert good["pictures"] == {"positions": [[150.0, -2.5]], "size_arcsec": 5, "stars": 4}
    for bad in ("stars", [], [[150.0]], [[150.0, 95.0]], [[1.0, 2.0, 3.0]]):
        with pytest.raises(SnakedrizError, match=r"pictures\.positions: .*expected auto, or a list of \[RA, Dec\]"):
            settings.validate_config({"pictures": {"positions": bad}})


def test_associations_from_a_file(tmp_path):
    path = tmp_path / "todo.txt"
    path.write_text("jb # second\n\n# a comment\nja_asn.fits\n")
    assert settings.validate_config({"associations": str(path)})["associations"] == ["ja", "jb"]
    path.write_text("# nothing\n")
    with pytest.raises(SnakedrizError, match="names no association"):
        settings.validate_config({"associations": str(path)})
    with pytest.raises(SnakedrizError, match="one rootname a line"):
        settings.validate_config({"associations": str(tmp_path / "absent.txt")})
