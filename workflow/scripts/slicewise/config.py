"""The config of a run: held against its schema, filled with defaults, experiments expanded.

`python -m slicewise.config FILE` writes the page that explains every key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from slicewise import schemas, studies
from slicewise.config_checks import contradictions, plan_of

PER_EXPERIMENT = ("planning", "training", "inference", "model")
"""The sections that an experiment may change; the others are shared, so that scores pair."""

INTRODUCTION = """\
# Config

<!-- Written by `make config-docs` from workflow/schemas/config.schema.yaml: change that file. -->

Every key of a config file, with its default. A key that is left out takes its default; only
`datasets` has none. A misspelt key, a wrong type or an impossible value stops the run before its
first job, with the name of the key and what is allowed.

`config.yaml` is read when no other file is named; `snakemake --configfile FILE` reads FILE instead,
and several files are merged key by key. `--config 'training={epochs: 5}'` changes single keys.
`nnunet_2d.yaml` holds nnU-Net's full recipe; `decathlon/` has a file for each task of the Medical
Segmentation Decathlon, and `acdc.yaml` says how to bring ACDC.

```yaml
datasets:
  hippocampus: {raw: path/to/Dataset004_Hippocampus}
experiments:
  coarsest: {planning: {slice_axis: coarsest}}
  plain: {training: {augmentation: none}}
training: {epochs: 100}
```
"""

PAGE = "config/README.md of slicewise"
"""The page about the keys, for whoever runs slicewise from a folder of their own."""

MOST_VALUES = 100_000
"""Values that a config may hold."""

TABLE_HEAD = "| key | type | default | allowed | what it does |\n|---|---|---|---|---|\n"


def load(config: dict, files: Iterable[str | Path] = ()) -> dict:
    """Return the config of a run with every key filled in, as plain dicts, lists and scalars.

    `config` is what the user's files and command line hold; it is left as it is. `files` are those
    files, where keys may stand twice. In the result
    each of `experiments` has the sections `planning`, `training`, `inference` and `model` in full;
    the plan of an experiment with a trained model is that of its folder; thick slices are of one
    axis and one factor. A ValueError lists all mistakes at once: the key, the value found and what
    is allowed.
    """
    return complete(validated(config, files))


def validated(config: dict, files: Iterable[str | Path] = (), overrides: Mapping = {}) -> dict:
    """Return a config with its defaults, and with `when_quick` merged in where `quick` says so.

    overrides: what of the config is from the command line, which has the last word. Experiments and
    studies are as they were given. Raises ValueError as `load` does.
    """
    schema = schemas.read_schema("config")
    _check_size(config)
    chosen = _filled(_as_asked(config, overrides), schema)
    found = _mistakes(chosen, schema)
    if not found and chosen["when_quick"] and not chosen["quick"]:
        as_quick = _as_asked({**config, "quick": True}, {**overrides, "quick": True})
        quick = _mistakes(_filled(as_quick, schema), schema)
        found = [f"when quick, {line}" for line in quick]
    found += [line for path in files for line in _keys_twice(Path(path))]
    if found:
        count = "a mistake" if len(found) == 1 else f"{len(found)} mistakes"
        lines = "".join(f"\n  {line}" for line in found)
        raise ValueError(f"{count} in the config:{lines}\n{PAGE} explains every key.")
    return chosen


def complete(config: dict) -> dict:
    """Return a validated config with experiments and studies in full, less what is missing."""
    experiments = {
        name: _with_model(
            {section: config[section] | changes.get(section, {}) for section in PER_EXPERIMENT}
        )
        for name, changes in config["experiments"].items()
    }
    changed = {
        "results": os.path.normpath(config["results"]),
        "experiments": experiments,
        "when_quick": {},  # merged in or not asked for, so that what is left can be read again
    }
    return studies.completed(config | changed)


def _filled(config: dict, schema: dict) -> dict:
    """Return a config with the defaults of its schema, its values in their types."""
    return schemas.with_types(schemas.with_defaults(config, schema), schema, schema)


def _mistakes(config: dict, schema: dict) -> list[str]:
    """Return what is wrong with a config, one line each."""
    return schemas.problems(config, schema) or list(contradictions(config))


def _as_asked(config: dict, overrides: Mapping) -> dict:
    """Return a config with `when_quick` merged in, if it is to be quick, and then the overrides."""
    asked = schemas.with_types(config.get("quick"), {"type": "boolean"}, {}) is True
    changes = config.get("when_quick")
    if not asked or not isinstance(changes, dict):
        return config
    return _merged(_merged(config, changes), dict(overrides))


def _merged(values: object, changes: object) -> object:
    """Return values with changes merged in key by key, as Snakemake merges config files."""
    if not isinstance(changes, dict):
        return changes
    values = values if isinstance(values, dict) else {}
    return values | {key: _merged(values.get(key), change) for key, change in changes.items()}


def _check_size(config: dict) -> None:
    """Raise ValueError for a config without end, or nearly so, as YAML's aliases allow."""
    waiting, count = [config], 0
    while waiting:
        value = waiting.pop()
        children = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list):
            waiting += children
        count += 1
        if count > MOST_VALUES:
            raise ValueError(
                f"the config: found more than {MOST_VALUES:,} values, expected a config; write out "
                "what its aliases (*name) stand for"
            )


def _keys_twice(path: Path) -> Iterator[str]:
    """Yield the keys that stand twice in one mapping of a file, where YAML takes the last."""
    with path.open(encoding="utf-8") as file:
        waiting = [yaml.compose(file, schemas.LOADER)]
    seen = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
            continue
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            waiting.append(value)
            if isinstance(key, yaml.ScalarNode) and first.setdefault(key.value, key) is not key:
                lines = f"{first[key.value].start_mark.line + 1} and {key.start_mark.line + 1}"
                yield f"{key.value}: found twice, in lines {lines} of {path}; give it once"


def _with_model(experiment: dict) -> dict:
    """Return an experiment with the plan of its trained model, if it has one."""
    model = experiment["model"]
    if not model["nnunet"]:
        return experiment
    plan = {"plans": plan_of(model), "configuration": model["configuration"]}
    return {**experiment, "planning": experiment["planning"] | plan}


def page() -> str:
    """Return config/README.md: every key with its type, default, allowed values and description."""
    schema = schemas.read_schema("config")
    tops = schema["properties"]
    plain = {key: child for key, child in tops.items() if child.get("type") != "object"}
    parts = ["## Top level\n\n" + TABLE_HEAD + "".join(_rows(plain, "", schema))]
    for key, child in tops.items():
        if key in plain:
            continue
        text = f"## {key}\n\n{child['description']}"
        if child.get("default"):
            text += f" Default: `{as_yaml(child['default'])}`."
        rows = "".join(_rows(_children(child), f"{key}.", schema))
        parts.append(f"{text}\n\n{TABLE_HEAD}{rows}" if rows else f"{text}\n")
    return "\n".join([INTRODUCTION, *parts])


def _children(schema: dict) -> dict[str, dict]:
    """Return the keys below one, with NAME for any key that the user chooses."""
    others = schema.get("additionalProperties")
    return schema.get("properties") or ({"NAME": others} if others else {})


def _rows(properties: dict[str, dict], prefix: str, root: dict) -> Iterator[str]:
    """Yield a row of the table for every key, those of nested mappings with dotted names."""
    for key, child in properties.items():
        if _children(child):
            yield from _rows(_children(child), f"{prefix}{key}.", root)
            continue
        if "$ref" in child and _children(schemas.resolved(child, root)):
            text = f"What differs from `{key}` below in this experiment."
            cells = ["mapping", "none", f"keys of {key}", text]
        else:
            default = f"`{as_yaml(child['default'])}`" if "default" in child else "none"
            allowed = schemas.allowed(child, root)
            cells = [schemas.type_names(child, root), default, allowed, child["description"]]
        yield f"| `{prefix}{key}` | {' | '.join(cells)} |\n"


def as_yaml(value: object) -> str:
    """Return a value as a config file writes it, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    import sys

    from slicewise.files import write_text

    write_text(sys.argv[1], page())
