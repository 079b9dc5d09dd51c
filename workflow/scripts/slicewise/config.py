"""The config of a run: held against its schema, filled with defaults, experiments expanded.

`python -m slicewise.config FILE` writes the page that explains every key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from slicewise import schemas, thick_datasets

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
    the plan of an experiment with a trained model is that of its folder; thick datasets are of one
    axis and one factor each. A ValueError lists all mistakes at once: the key, the value found and
    what is allowed.
    """
    schema = schemas.read_schema("config")
    _check_size(config)
    complete = schemas.with_types(schemas.with_defaults(config, schema), schema, schema)
    found = schemas.problems(complete, schema) or list(_contradictions(complete))
    found += [line for path in files for line in _keys_twice(Path(path))]
    if found:
        count = "a mistake" if len(found) == 1 else f"{len(found)} mistakes"
        lines = "".join(f"\n  {line}" for line in found)
        raise ValueError(f"{count} in the config:{lines}\n{PAGE} explains every key.")
    complete["results"] = os.path.normpath(complete["results"])
    complete["datasets"] = thick_datasets.expanded(complete["datasets"])
    complete["experiments"] = {
        name: _with_model(
            {section: complete[section] | changes.get(section, {}) for section in PER_EXPERIMENT}
        )
        for name, changes in complete["experiments"].items()
    }
    return complete


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
    plan = {"plans": _plan_of(model), "configuration": model["configuration"]}
    return {**experiment, "planning": experiment["planning"] | plan}


def _plan_of(model: dict) -> str:
    """Return the path of the plans.json of a trained model."""
    return os.path.join(os.path.normpath(model["nnunet"]), "plans.json")


def _contradictions(config: dict) -> Iterator[str]:
    """Yield the mistakes that no key shows by itself, one line each."""
    folds = config["cross_validation"]["folds"]
    for fold in config["cross_validation"]["run"]:
        if fold >= folds:
            yield (
                f"cross_validation.run: found fold {fold}; allowed: 0 to {folds - 1}, "
                f"as cross_validation.folds is {folds}"
            )
    for name, changes in config["experiments"].items():
        model = config["model"] | changes.get("model", {})
        plans = changes.get("planning", {}).get("plans")
        if model["nnunet"] and plans not in (None, _plan_of(model)):
            yield (
                f"experiments.{name}.planning.plans: found {plans}; allowed: nothing, as the "
                f"model's plan is {_plan_of(model)}"
            )
    yield from _names_alike(config)
    yield from thick_datasets.contradictions(config["datasets"])
    for name, kind in config["datasets"].items():
        cases = kind.get("phantom", {}).get("cases", folds)
        if cases < folds:
            yield (
                f"datasets.{name}.phantom.cases: found {cases}; allowed: at least {folds}, "
                f"a case for each of cross_validation.folds"
            )
    yield from dict.fromkeys(_batch_contradictions(config))
    yield from _wrong_ensembles(config)


def _names_alike(config: dict) -> Iterator[str]:
    """Yield names whose folders are one where a file system looks at no case of letters."""
    for section in ("datasets", "experiments", "ensembles"):
        first: dict[str, str] = {}
        for name in config[section]:
            other = first.setdefault(name.lower(), name)
            if other != name:
                yield (
                    f"{section}.{name}: found {other} too; allowed: names that differ in more than "
                    "upper and lower case, which many file systems take for one"
                )


def _batch_contradictions(config: dict) -> Iterator[str]:
    """Yield what the settings of an experiment say against each other about a batch's slices."""
    for name, changes in config["experiments"].items():
        training = config["training"] | changes.get("training", {})
        empty, forced = training["empty_slices"], training["oversample_foreground"]
        where = "training" if "training" not in changes else f"experiments.{name}.training"
        if training["batch_size"] and training["devices"] > training["batch_size"]:
            yield (
                f"{where}.devices: found {training['devices']}; allowed: at most "
                f"{training['batch_size']}, as batch_size is {training['batch_size']} and each "
                "device takes a part of every batch"
            )
        if empty and empty + forced > 1 + 1e-9:
            yield (
                f"{where}.empty_slices: found {empty:g}; allowed: at most {1 - forced:g}, the rest "
                f"of the batch, as oversample_foreground is {forced:g}"
            )
        if empty and training["slices"] == "foreground":
            yield (
                f"{where}.empty_slices: found {empty:g}; allowed: 0 or null, as slices are those "
                "with foreground"
            )


def _wrong_ensembles(config: dict) -> Iterator[str]:
    """Yield the ensembles whose name or members do not fit the experiments, one line each."""
    experiments, shared = config["experiments"], config["inference"]["images"]
    for name, members in config["ensembles"].items():
        if name in experiments:
            yield f"ensembles.{name}: found the name of an experiment; allowed: a name of its own"
        for member in members:
            if member not in experiments:
                yield (
                    f"ensembles.{name}: found {member}; allowed: experiments, here "
                    f"{', '.join(experiments)}"
                )
        images = {
            str(experiments.get(member, {}).get("inference", {}).get("images", shared))
            for member in members
        }
        if len(images) > 1:
            yield (
                f"ensembles.{name}: found members with the inference.images "
                f"{', '.join(sorted(images))}; allowed: one folder for all of them"
            )


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
        parts.append(f"{text}\n\n{TABLE_HEAD}{rows}")
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
