"""The process that AstroDrizzle runs in; real runs of it are in test_engine.py."""

import json
import sys
import types

from snakedriz.drizzle import astrodrizzle_worker


def test_the_job_is_passed_on_and_what_is_not_needed_stays_out(tmp_path, monkeypatch):
    seen = []
    for name in ("drizzlepac", "drizzlepac.astrodrizzle", "drizzlepac.align", "drizzlepac.runastrodriz"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    given = sys.modules["drizzlepac.runastrodriz"]
    sys.modules["drizzlepac.astrodrizzle"].AstroDrizzle = lambda files, **options: seen.append((files, options))
    (tmp_path / "job.json").write_text(json.dumps({"input": ["a.fits"], "output": "x", "options": {"build": True}}))
    astrodrizzle_worker.main(str(tmp_path / "job.json"))
    assert seen == [(["a.fits"], {"output": "x", "build": True})]
    assert sys.modules["drizzlepac.runastrodriz"] is not given
