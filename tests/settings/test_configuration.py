import copy
from pathlib import Path

import pytest
import yaml
from snakedriz import alternatives, mdriztab, settings
from snakedriz.errors import SnakedrizError

ROOT = Path(__file__).resolve().parents[2]


def defaults():
    return settings.validate_config({})


def test_the_documented_file_says_the_defaults():
    written = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    schema = settings.read_schema("config")
    assert settings.validate_config(written) == defaults()
    assert list(written) == list(schema["properties"])  # every key is documented, in the schema's order
    for key, part in schema["properties"].items():
        if part["type"] == "object" and "properties" in part and isinstance(written[key], dict) and written[key]:
            assert set(written[key]) == set(part["properties"])


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
    options = {"epoch": None, "without_pm": "keep", "parallax": False}
    assert found["catalogs"] == [{"name": "GAIAeDR3", "file": "gaia.ecsv", **options}]


def test_the_demo_configuration_is_valid():
    settings.validate_config(yaml.safe_load((ROOT / "config" / "demo.yaml").read_text()))


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


def test_drizzle_keys_of_the_schema_are_astrodrizzles():
    keys = set(settings.read_schema("config")["properties"]["drizzle"]["properties"])
    assert keys <= mdriztab.ACCEPTED
    assert not keys & mdriztab.WORKFLOW
    own = {name for name in mdriztab.ACCEPTED if name.startswith(("driz_sep_rot", "driz_sep_scale", "driz_sep_wcs"))}
    assert not keys & own  # the single drizzles follow the product


def test_environment_switches():
    both = {"apply_apriori": True, "compute_aposteriori": True}
    assert settings.environment_switches({}) == both
    for value in ("on", "YES", "True"):
        assert settings.environment_switches({"ASTROMETRY_APPLY_APRIORI": value}) == both
    for value in ("off", "No", "FALSE"):
        off = settings.environment_switches({"ASTROMETRY_COMPUTE_APOSTERIORI": value})
        assert off == {"apply_apriori": True, "compute_aposteriori": False}
    with pytest.raises(SnakedrizError, match="ASTROMETRY_APPLY_APRIORI is 'maybe'; expected one of on, yes, true"):
        settings.environment_switches({"ASTROMETRY_APPLY_APRIORI": "maybe"})
    with pytest.raises(SnakedrizError, match=r"STEP_CONTROL .*set ASTROMETRY_APPLY_APRIORI, its successor"):
        settings.environment_switches({"ASTROMETRY_STEP_CONTROL": "on"})


def test_reference_directories():
    config = settings.validate_config({"references": {"jref": "mine"}})
    assert settings.reference_directories(config, {"jref": "/other/", "iref": "/i/"}) == {"jref": "mine", "iref": "/i/"}


def test_detector_settings_merge():
    mapping = {"default": {"a": {"x": 1, "y": 2}, "b": [1]}, "ACS/WFC": {"a": {"y": 3}, "b": [2]}}
    assert settings.detector_settings(mapping, "acs", "WFC ") == {"a": {"x": 1, "y": 3}, "b": [2]}
    assert mapping["default"]["a"]["y"] == 2
    with pytest.raises(SnakedrizError, match=r"STIS/CCD in config/detectors\.yaml; there are settings for ACS/WFC"):
        settings.detector_settings(mapping, "STIS", "CCD")


def test_the_shipped_detectors():
    detectors = settings.load_detectors(ROOT / "config" / "detectors.yaml")
    names = {"ACS/WFC", "ACS/HRC", "ACS/SBC", "WFC3/UVIS", "WFC3/IR", "WFPC2/PC"}
    assert names <= set(detectors)
    for name in names:
        numbers = settings.detector_settings(detectors, *name.split("/"))["drizzle"]
        schema = settings.read_schema("config")["properties"]["drizzle"]
        for count in (1, 2, 4, 6, 20):
            found = mdriztab.fallback(numbers, count)
            settings.check(found, schema, name)  # the same names and types that a user may give
            assert found["median"] is (count > 1 and name != "ACS/SBC")
            assert {"driz_sep_bits", "final_bits"} <= set(found)


def test_broken_detector_files(tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text("ACS/WFC: 3\n")
    with pytest.raises(SnakedrizError, match="expected a mapping from detectors"):
        settings.load_detectors(path)
    with pytest.raises(SnakedrizError, match="cannot be read"):
        settings.load_detectors(tmp_path / "nothere.yaml")


def test_software_versions():
    found = settings.software_versions()
    assert set(found) == {"snakedriz", *settings.PACKAGES}
    assert found["numpy"][0].isdigit()


@pytest.mark.parametrize(("text", "value"), [("-1.0", -1.0), ("[-2, 3]", [-2, 3]), (0.5, 0.5)])
def test_limits_from_the_command_line_are_numbers(text, value):
    """Snakemake hands the numbers of `--config promotion={limits: {similarity: -1.0}}` on as text."""
    config = settings.validate_config({"promotion": {"limits": {"similarity": text}}})
    assert config["promotion"]["limits"] == {"similarity": value}


def test_an_output_folder_that_cannot_be_is_refused(tmp_path, monkeypatch):
    settings.check_output(tmp_path / "new" / "results")
    (tmp_path / "file").write_text("")
    with pytest.raises(SnakedrizError, match="is a file"):
        settings.check_output(tmp_path / "file" / "results")
    # root may write anywhere, so the answer of the operating system is what is replaced
    monkeypatch.setattr(settings.os, "access", lambda *_: False)
    with pytest.raises(SnakedrizError, match="cannot be written to"):
        settings.check_output(tmp_path / "results")


def test_solutions_asked_for_by_name():
    found = settings.validate_config(
        {
            "candidates": [
                "IDC_*-FIT_SVM_GAIAeDR3", "aposteriori", {"name": "svm", "headerlets": "downloads/hlets"}, "default",
                {"wcsname": "*-HSC30"}, "IDC_*",
            ],
            "promotion": {"rank": ["svm", "default"], "choose": "hsc30"},
        }
    )  # fmt: skip
    assert found["candidates"] == ["default", "aposteriori", "fit_svm_gaiaedr3", "svm", "hsc30", "idc"]
    assert found["alternatives"] == {
        "fit_svm_gaiaedr3": {"either": "IDC_*-FIT_SVM_GAIAeDR3"}, "svm": {"headerlets": "downloads/hlets"},
        "hsc30": {"wcsname": "*-HSC30"}, "idc": {"either": "IDC_*"},
    }  # fmt: skip
    given = settings.validate_config({"candidates": "[default, '*-GSC240', {name: a_1, hdrname: x_hlet.fits}]"})
    assert given["candidates"] == ["default", "gsc240", "a_1"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("IDC_*-FIT_SVM_GAIAeDR3", "fit_svm_gaiaedr3"), ("*-GSC240", "gsc240"),
        ("IDC_2731450pi-HSC30", "idc_2731450pi_hsc30"),
        ("IDC_*", "idc"), ("OPUS", "opus"), ("jbt122x8q_flc_9ec245_hlet.fits", "jbt122x8q_flc_9ec245"),
        ("mastDownload/HST/", "hst"), ("*-FIT_???_GAIA*", "fit_gaia"),
        ("hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_IDC_2731450pi-FIT_SVM_GAIADR2-hlet.fits",
         "hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_idc_2731450pi_fit"),
    ],
)  # fmt: skip
def test_names_made_of_patterns(text, name):
    assert alternatives.slug(text) == name
