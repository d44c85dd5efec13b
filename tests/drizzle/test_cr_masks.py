"""Cosmic-ray masks: what is found is what is reused, and nothing of the input's own flags stays."""

import numpy as np
from snakedriz.drizzle import cr_masks


def test_reused_flags_are_the_flags_that_were_found(drizzled):
    found, reused = (cr_masks.read_bundle(drizzled / f"{n}_crmask.fits") for n in "ab")
    assert set(found) == {"jdemo1a1q", "jdemo1a2q"}
    for root in found:
        for chip in (1, 2):
            # 1.2 hits per cm2 and s over 500 s and 15 um pixels are 0.14 % of the pixels, several pixels each.
            assert 0.003 < found[root][chip].mean() < 0.05
            np.testing.assert_array_equal(found[root][chip], reused[root][chip])


def test_the_bit_is_cleared_and_set_where_flags_say_and_the_others_stay(tmp_path):
    cr_masks.write_bundle(tmp_path / "masks.fits", {"ja": {1: np.array([[True, False, False]])}})
    given = np.array([[16, 4096 + 16, 0]], dtype=np.int16)
    into = cr_masks.into_dq(cr_masks.read_bundle(tmp_path / "masks.fits")["ja"])
    assert into(1, given).tolist() == [[4096 + 16, 16, 0]]
    assert cr_masks.into_dq(None)(1, given).tolist() == [[16, 16, 0]]
