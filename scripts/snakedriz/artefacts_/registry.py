"""All artefacts by name, and the JSON schemas that other programs may check them with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from snakedriz.artefacts_.astrometry import Astrometry
from snakedriz.artefacts_.base import Artefact
from snakedriz.artefacts_.comparison import Comparison
from snakedriz.artefacts_.consistency import Consistency
from snakedriz.artefacts_.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts_.fit import Fit
from snakedriz.artefacts_.inventory import Inventory
from snakedriz.artefacts_.job import Job
from snakedriz.artefacts_.metrics import Metrics
from snakedriz.artefacts_.promotion import Promotion
from snakedriz.artefacts_.provenance import Provenance
from snakedriz.artefacts_.solution import Solution
from snakedriz.artefacts_.verification import Verification
from snakedriz.artefacts_.visit_fit import VisitFit

_ALL: tuple[type[Artefact], ...] = (
    Astrometry, Comparison, Consistency, DrizzlepacNumbers, Fit, Inventory, Job, Metrics, Promotion, Provenance,
    Solution, Verification, VisitFit,
)  # fmt: skip
#: By the name of the schema, which is that of the module, without version.
ARTEFACTS: dict[str, type[Artefact]] = {model.name().partition("/")[0]: model for model in _ALL}
SCHEMAS = Path(__file__).with_name("schemas")


class _Schema(GenerateJsonSchema):
    """Without a title for each field, which repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(model: type[Artefact]) -> dict[str, Any]:
    """Return the JSON schema of an artefact."""
    made = _short(model.model_json_schema(by_alias=True, schema_generator=_Schema))
    made["title"] = made.pop("description")
    made["required"] = ["schema", *made["required"]]
    return {"$schema": _Schema.schema_dialect, "$id": model.name(), **made}


def _short(node: Any) -> Any:
    """Write alternatives of plain types as one list of types, and leave out defaults: nothing is filled in."""
    if isinstance(node, list):
        return [_short(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _short(value) for key, value in node.items() if key != "default"}
    branches = found.pop("anyOf", None)
    if branches is None:
        return found
    plain = [branch["type"] for branch in branches if branch.keys() == {"type"}]
    types = [kind for kind in plain if kind != "integer" or "number" not in plain]
    other = [branch for branch in branches if branch.keys() != {"type"}]
    if len(other) == 1 and types == ["null"] and "type" in other[0]:
        if "enum" in other[0]:
            other[0]["enum"] = [*other[0]["enum"], None]
        return {**other[0], "type": [other[0]["type"], "null"], **found}
    merged = {"type": types[0] if len(types) == 1 else types}
    return {**merged, **found} if not other else {"anyOf": [*other, merged] if types else other, **found}


def write_schemas(folder: Path = SCHEMAS) -> None:
    """Write the JSON schema of every artefact."""
    folder.mkdir(exist_ok=True)
    for name, model in ARTEFACTS.items():
        text = json.dumps(json_schema(model), indent=1, ensure_ascii=False) + "\n"
        (folder / f"{name}.schema.json").write_text(text, encoding="utf-8")
