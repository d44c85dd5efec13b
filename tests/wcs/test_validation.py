"""Damage done on purpose to copies of real archive headers is found and named."""

import pytest
from helpers.real_headers import codes, copy_of, read, remove_keyword, rewrite, set_header, sha, stale_chip, without
from snakedriz.errors import SnakedrizError
from snakedriz.wcs import switching


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (remove_keyword("A_ORDER"), "no-sip", "SIPWCS,1 has no SIP"),
        (remove_keyword("B_ORDER", (2,)), "no-sip", "SIPWCS,2 has no SIP"),
        (remove_keyword("IDCSCALE"), "no-idcscale", "has no IDCSCALE"),
        (remove_keyword("CRVAL2", (2,)), "keyword-missing", "SIPWCS,2 lacks CRVAL2"),
        (remove_keyword("TG_EVER", (2,)), "no-chip", "SIPWCS,2 does not say which chip"),
        (without("SIPWCS", 2), "chips-missing", "no WCS for SCI,2"),
        (without("WCSDVARR", 3), "table-missing", "refers to WCSDVARR,3"),
        (without("D2IMARR", 1), "table-missing", "refers to D2IMARR,1"),
        (stale_chip, "stale-chip", "SCI,2 is"),
        (set_header("WCSNAME", "IDC_0461802dj-HSC30"), "other-distortion", "0461802dj, the exposure has 2731450pi"),
        (set_header("DESTIM", "ib4606zzq"), "other-exposure", "was made for ib4606zzq, this is ib4606c6q"),
    ],
)  # fmt: skip
def test_damage_is_found_named_and_refused(change, code, says, tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    assert "HDRLET,4" not in codes(path)
    rewrite(path, 4, change)
    problems = next(s for s in read(path) if s.label == "HDRLET,4").problems
    assert code in [p.code for p in problems]
    assert any(says in p.text and p.repair and p.blocks for p in problems)
    assert set(codes(path)) == {"HDRLET,4", "HDRLET,9", "HDRLET,10"}  # nothing else is blamed
    digest = sha(path)
    with pytest.raises(SnakedrizError, match="repair:"):
        switching.switch(path, "4")
    assert sha(path) == digest
