"""What the XML of the services holds."""

import pytest
from snakedriz.services import failures, replies


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<a><msg>hal", failures.Truncated),
        (b"", failures.Truncated),
        (b"no xml", failures.BadAnswer),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', failures.BadAnswer),
    ],
)
def test_what_is_no_answer(body, error):
    with pytest.raises(error):
        replies.tree(body, "s", "http://x")


def test_texts_are_found_at_any_depth_whatever_their_case_and_namespace():
    root = replies.tree(b'<a xmlns:n="urn:n"><b><n:MSG> Success </n:MSG></b><empty/></a>', "s", "http://x")
    assert replies.text(root, "msg") == "Success"
    assert replies.text(root, "empty") == ""
    assert replies.text(root, "other") is None
