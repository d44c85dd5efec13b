"""What is generated from the configuration's model: JSON schema, commented config.yaml, reference page."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from snakedriz.settings.configuration import ConfigurationFile

#: Where the files are, in a checkout.
ROOT = Path(__file__).resolve().parents[3]
_WIDTH = 120
#: Keys that are longer with their values have their comments farther right than the others.
_LONG = 30
_WORDS = {"string": "text", "boolean": "true or false", "null": "null", "object": "mapping", "array": "list"}
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}
_YAML_HEAD = """\
# Configuration of snakedriz: what to process and what from. These are the defaults; every key can be left out, and can
# be given on the command line:
#   snakemake --cores all --config input=mydata associations='[jdemo1010]' catalogs='[{name: GAIA, file: gaia.ecsv}]'
# Unknown keys are refused. Paths are relative to the folder that snakemake runs in. docs/configuration.md explains all.
"""
_PAGE_HEAD = """\
# Configuration

Every key of `config/config.yaml`, with its type, its default and its meaning. Every key can be left out. Give your own
values in a file (`snakemake --configfile mine.yaml`) or on the command line (`snakemake --config input=mydata`).
Unknown keys are refused, and the message names the nearest valid one. Paths are relative to the folder that Snakemake
runs in. This page and `config/config.yaml` are generated: `python -m snakedriz.settings`.
"""


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file, with every part in its place instead of references."""
    made = ConfigurationFile.model_json_schema(mode="validation")
    found = _tidy(made, made.pop("$defs"))
    for name in ("catalogs", "solutions"):
        part = found["properties"][name]
        about = {k: part.pop(k) for k in ("description", "x-more", "x-example", "x-shown") if k in part}
        part.pop("default", None)
        found["properties"][name] = {**about, "default": "auto", "anyOf": [{"const": "auto"}, part]}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "config/1",
        "title": "Configuration of snakedriz",
        "description": "Every key of config/config.yaml. Unknown keys are refused at every level; what is left out "
        "takes its default.",
    }
    return {**head, **{k: v for k, v in found.items() if k not in head}}


def _tidy(part: Any, definitions: Mapping[str, Any]) -> Any:
    """Put parts in the place of references, and say what pydantic says in its own way in that of JSON schema."""
    if isinstance(part, list):
        return [_tidy(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        part = {**{k: v for k, v in definitions[name].items() if k != "description"}, **part}
        del part["$ref"]
        part.pop("default", None)  # every key of it has its own
    found = {_BOUNDS.get(k, k): v for k, v in part.items() if k not in ("title", "oneOf")}
    if "properties" in found:
        keys = {name: _tidy(item, definitions) for name, item in found.pop("properties").items()}
        found["properties"] = keys
    found = {k: v if k == "properties" else _tidy(v, definitions) for k, v in found.items()}
    if members := [_tidy(item, definitions) for item in part.get("oneOf", ())] or found.pop("anyOf", []):
        found |= _union(members)
    if "enum" in found and found.get("type") == "string":
        del found["type"]
    return found


def _union(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Write a union of bare types as a list of types."""
    flat = [{"type": kind} for m in members if set(m) == {"type"} for kind in _listed(m["type"])]
    others = [m for m in members if set(m) != {"type"}]
    kinds = [m["type"] for m in flat]
    kinds = [kind for kind in dict.fromkeys(kinds) if not (kind == "integer" and "number" in kinds)]
    if len(others) == 1 and "enum" in others[0] and kinds == ["null"]:
        return {"enum": [None, *others[0]["enum"]]}
    if len(others) == 1 and kinds == ["null"] and isinstance(others[0].get("type"), str | list):
        return {**others[0], "type": [*_listed(others[0]["type"]), "null"]}
    if not others:
        return {"type": kinds[0] if len(kinds) == 1 else kinds}
    return {"anyOf": [*others, *({"type": kind} for kind in kinds)]}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _defaults(part: Mapping[str, Any]) -> Any:
    """Return the default of a key, of a mapping with those of its keys."""
    if "default" in part or "properties" not in part:
        return part.get("default")
    return {name: _defaults(item) for name, item in part["properties"].items() if "default" in item}


def config_yaml() -> str:
    """Return the commented configuration file: every key with its default."""
    blocks = [_YAML_HEAD.rstrip("\n")]
    aside: list[tuple[str, str]] = []
    for name, part in schema()["properties"].items():
        nested = _nested(name, part)
        if not nested and "x-more" not in part:
            aside.append((f"{name}: {_written(part)}", part["description"]))
            continue
        if aside:
            blocks.append("\n".join(_beside(aside)))
            aside = []
        blocks.append("\n".join([*_above(part), *(nested or [f"{name}: {_written(part)}"])]))
    if aside:
        blocks.append("\n".join(_beside(aside)))
    return "\n\n".join(blocks) + "\n"


def _nested(name: str, part: Mapping[str, Any]) -> list[str]:
    """Return the lines of a mapping whose keys are shown; nothing for another value."""
    if "properties" not in part or "x-shown" in part or not any("default" in p for p in part["properties"].values()):
        return []
    keys = [(f"  {inner}: {_written(item)}", item["description"]) for inner, item in part["properties"].items()]
    return [f"{name}:", *_beside(keys)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _above(part: Mapping[str, Any]) -> list[str]:
    paragraphs = [_sentence(part["description"]), *part.get("x-more", "").splitlines()]
    wrapped = [[text] if text.startswith("  ") else textwrap.wrap(text, _WIDTH - 2) for text in paragraphs]
    return [f"# {line}" for lines in wrapped for line in lines]


def _beside(keys: list[tuple[str, str]]) -> Iterator[str]:
    """Yield keys with their comments behind them, one below the other; a long comment goes on in the next line."""
    common = max((len(left) for left, _ in keys if len(left) <= _LONG), default=0)
    for left, comment in keys:
        column = max(common, len(left)) + 2
        lines = textwrap.wrap(comment, _WIDTH - column - 2)
        yield f"{left:{column}}# {lines[0]}"
        yield from (f"{'':{column}}# {line}" for line in lines[1:])


def _written(part: Mapping[str, Any]) -> str:
    return str(part.get("x-shown") or _text(_defaults(part)))


def _text(value: Any) -> str:
    """Write a value as YAML, in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).removesuffix("...\n").strip()


def reference_page() -> str:
    """Return the reference page: tables of keys, one for the whole file and one for each mapping in it."""
    whole = schema()
    sections = [_PAGE_HEAD, _table(whole)]
    for name, part in whole["properties"].items():
        mapping, title = _mapping(part)
        if mapping:
            sections += [f"## {title.format(name)}", *_paragraphs(part), _table(mapping)]
        elif "x-more" in part:
            sections += [f"## `{name}`", *_paragraphs(part)]
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def _mapping(part: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return the mapping with keys of its own that a value is, or a list of it holds, and a title."""
    for one in (part, *part.get("anyOf", ())):
        if "properties" in one:
            return one, "`{}`"
        items = one.get("items", {})
        for inner in (items, *items.get("anyOf", ())) if isinstance(items, dict) else ():
            if "properties" in inner:
                return inner, "An entry of `{}`"
    return {}, ""


def _paragraphs(part: Mapping[str, Any]) -> list[str]:
    """Return the explanation as text, with its examples as they are."""
    text = [_escaped(_sentence(part["description"]))]
    for line in part.get("x-more", "").splitlines():
        example = line.startswith("  ")
        shown = f"  {line}" if example else _escaped(line)
        if example and text[-1].startswith("    "):
            text[-1] += f"\n{shown}"
        else:
            text.append(shown)
    return text


def _escaped(text: str) -> str:
    """Keep Markdown from reading stars, angle brackets and bars outside of code as its own."""
    parts = text.split("`")
    parts[::2] = [part.replace("*", "\\*").replace("<", "&lt;").replace("|", "\\|") for part in parts[::2]]
    return "`".join(parts)


def _table(part: Mapping[str, Any]) -> str:
    required = part.get("required", ())
    rows = ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    for name, item in part["properties"].items():
        default = "must be given" if name in required else _default(item)
        example = f"`{name}: {item['x-example']}`" if "x-example" in item else ""
        cells = [f"`{name}`", _kind(item), default, _escaped(item["description"]), example]
        rows.append("| " + " | ".join(cells).rstrip() + " |")
    return "\n".join(rows)


def _default(item: Mapping[str, Any]) -> str:
    if "properties" in item:
        return "see below"
    return f"`{_text(item['default'])}`" if "default" in item else "not set"


def _kind(item: Mapping[str, Any]) -> str:
    """Say in words what values a key may have."""
    if "const" in item:
        return f"`{item['const']}`"
    if "enum" in item:
        return " or ".join(f"`{'null' if value is None else value}`" for value in item["enum"])
    if "anyOf" in item:
        return " or ".join(_kind(one) for one in item["anyOf"])
    bounds = (("from {}", "minimum"), ("above {}", "exclusiveMinimum"), ("up to {}", "maximum"))
    limits = "".join(f" {word.format(item[name])}" for word, name in bounds if name in item)
    words = {**_WORDS, "number": f"number{limits}", "integer": f"whole number{limits}"}
    if "prefixItems" in item:
        return f"[{', '.join(_kind(one) for one in item['prefixItems'])}]"
    text = " or ".join(words[kind] for kind in _listed(item["type"]))
    return f"list of {_kind(item['items'])}" if text == "list" and isinstance(item.get("items"), dict) else text


def documents() -> dict[Path, str]:
    """Return what is generated: the text of every file."""
    return {
        Path(__file__).with_name("config.schema.json"): json.dumps(schema(), indent=1, ensure_ascii=False) + "\n",
        ROOT / "config" / "config.yaml": config_yaml(),
        ROOT / "docs" / "configuration.md": reference_page(),
    }
