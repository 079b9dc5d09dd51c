"""What the studies ask for: which experiments run on a dataset, with which folds and seeds."""

from functools import cache
from itertools import product

STUDIES = config["studies"]
PALETTE = studies.palette(config)


def studies_of(kind: str) -> list[str]:
    """Return the names of the studies of a kind."""
    return [name for name, study in STUDIES.items() if study["kind"] == kind]


@cache
def experiments_of(dataset: str) -> list[str]:
    """Return the experiments that are planned on a dataset, members of its ensembles among them."""
    return studies.experiments_of(config, dataset)


@cache
def models_of(dataset: str) -> list[str]:
    """Return the experiments and ensembles that are scored on a dataset, members among them."""
    return studies.models_of(config, dataset)


def networks_of(dataset: str) -> list[str]:
    """Return the experiments that have networks on a dataset."""
    return [model for model in models_of(dataset) if model not in ENSEMBLES]


@cache
def runs_of(dataset: str, model: str) -> list[tuple[int, int]]:
    """Return the folds and seeds that an experiment or ensemble runs with on a dataset.

    One that no study runs there has those of cross_validation, for whoever asks for its files.
    """
    everything = studies.of_everything(config)
    named = studies.runs_of(config, dataset, model)
    return named or list(product(everything["folds"], everything["seeds"]))


# What stands in no study is in no target; its files are made for whoever asks for them by name.
STUDIED = [name for name in DATASETS if experiments_of(name)]
SCORED = [name for name in DATASETS if models_of(name)]
# Thickened scans are others' scans once more: their study shows them, no figure of their own.
SHOWN = [name for name in SCORED if "thicken" not in config["datasets"][name]]


wildcard_constraints:
    study=one_of(STUDIES),
    source=one_of(DATASETS),


def in_all_runs(patterns, models=models_of) -> list[str]:
    """Return paths filled for all datasets and the runs of their models."""
    return [
        pattern.format(dataset=name, experiment=model, fold=fold, seed=seed)
        for name in SCORED
        for model in models(name)
        for fold, seed in runs_of(name, model)
        for pattern in patterns
    ]


def in_all_experiments(patterns, models=models_of) -> list[str]:
    """Return paths filled for all datasets and their models."""
    return [
        pattern.format(dataset=name, experiment=model)
        for name in STUDIED
        for model in models(name)
        for pattern in patterns
    ]


def runs_of_wildcards(wildcards) -> list[tuple[str, int, int]]:
    """Return model, fold and seed of all runs of the wildcards' dataset.

    Where the experiment or ensemble is a wildcard, or the seed, they are of that one only.
    """
    one, only = wildcards.get("experiment"), wildcards.get("seed")
    return [
        (model, fold, seed)
        for model in ([one] if one else models_of(wildcards.dataset))
        for fold, seed in runs_of(wildcards.dataset, model)
        if only in (None, str(seed))
    ]


def folds_and_seeds(wildcards) -> list[tuple[int, int]]:
    """Return fold and seed of the runs of the wildcards' experiment or ensemble."""
    return [(fold, seed) for _, fold, seed in runs_of_wildcards(wildcards)]


def filled(pattern: str, runs):
    """Return an input function: `pattern` filled for the runs that a function of wildcards gives."""
    return lambda wildcards: [
        pattern.format(dataset=wildcards.dataset, experiment=model, fold=fold, seed=seed)
        for model, fold, seed in runs(wildcards)
    ]


def of_runs(pattern: str):
    """Return an input function: `pattern` filled for all runs of the wildcards' dataset.

    Where the experiment or ensemble is a wildcard, or the seed, they are of that one only.
    """
    return filled(pattern, runs_of_wildcards)


def study_of(wildcards) -> dict:
    """Return the wildcards' study, or without one that whose experiments a dataset's figures show.

    Of a dataset in no study that is one of all experiments.
    """
    name = wildcards.get("study") or studies.main_study(config, wildcards.dataset)
    return STUDIES[name] if name else studies.of_everything(config)


def study_models(wildcards) -> list[str]:
    """Return experiments and ensembles of the wildcards' study, its reference first."""
    study = study_of(wildcards)
    return list(dict.fromkeys([study["reference"], *study["experiments"]]))


def study_experiments(wildcards) -> list[str]:
    """Return the experiments of the wildcards' study, members of its ensembles among them."""
    names = [name for model in study_models(wildcards) for name in ENSEMBLES.get(model, [model])]
    return list(dict.fromkeys(names))


def study_runs(wildcards) -> list[tuple[str, int, int]]:
    """Return model, fold and seed of the runs of the wildcards' study, as `of_study` fills them."""
    study = study_of(wildcards)
    return list(product(study_models(wildcards), study["folds"], study["seeds"]))


def study_trainings(wildcards) -> list[tuple[str, int, int]]:
    """Return experiment, fold and seed of the networks of the wildcards' study."""
    study = study_of(wildcards)
    return list(product(study_experiments(wildcards), study["folds"], study["seeds"]))


def of_study(pattern: str):
    """Return an input function: `pattern` filled for the runs of the wildcards' dataset and study.

    Without a wildcard `study` that is the one whose experiments the dataset's figures show.
    """
    return filled(pattern, study_runs)


def of_study_experiments(pattern: str):
    """Return an input function: `pattern` filled for the experiments of the wildcards' study."""
    return lambda wildcards: [
        pattern.format(dataset=wildcards.dataset, experiment=experiment)
        for experiment in study_experiments(wildcards)
    ]


def in_studies(patterns, kind: str, fewest: int = 1) -> list[str]:
    """Return paths filled for all studies of a kind and the datasets of each.

    fewest: experiments and ensembles that a study has to have.
    """
    return [
        pattern.format(dataset=dataset, study=name)
        for name in studies_of(kind)
        if len(STUDIES[name]["experiments"]) >= fewest
        for dataset in STUDIES[name]["datasets"]
        for pattern in patterns
    ]


@cache
def compared_models(dataset: str) -> list[str]:
    """Return the experiments and ensembles of a dataset of which the best is found.

    They are those with the most runs, and with the same: scores of other folds do not compare.
    """
    runs = {model: set(runs_of(dataset, model)) for model in models_of(dataset) or MODELS}
    most = max(runs.values(), key=len)
    return [model for model, found in runs.items() if found == most]


def thicknesses(wildcards) -> dict:
    """Return the datasets of the wildcards' study with slices of its source, and how each is made.

    The source itself, which is as it is, has None.
    """
    made = {
        name: config["datasets"][name].get("thicken") for name in study_of(wildcards)["datasets"]
    }
    return {
        name: settings
        for name, settings in made.items()
        if (settings["of"] if settings else name) == wildcards.source
    }


def thickness_models(wildcards) -> dict[str, list[str]]:
    """Return the models whose scores a study of thicknesses takes of each dataset.

    Of the source they are all that might slice it as one of the study slices what is thick.
    """
    on_source = studies.twins_on(config, study_of(wildcards), wildcards.source)
    return {
        name: study_models(wildcards) if settings else on_source
        for name, settings in thicknesses(wildcards).items()
    }


def of_thicknesses(pattern: str):
    """Return an input function: `pattern` filled for all runs of the wildcards' study and source."""
    return lambda wildcards: [
        pattern.format(dataset=dataset, experiment=model, fold=fold, seed=seed)
        for dataset, models in thickness_models(wildcards).items()
        for model in models
        for fold in study_of(wildcards)["folds"]
        for seed in study_of(wildcards)["seeds"]
    ]


def thickness_plans(wildcards) -> list[tuple[str, str]]:
    """Return dataset and experiment of the plans behind those scores, members of ensembles' too."""
    return [
        (dataset, experiment)
        for dataset, models in thickness_models(wildcards).items()
        for experiment in studies.members(config, models)
    ]


def of_thick_slices(pattern: str):
    """Return an input function: `pattern` filled for the thick datasets of such a study."""
    return lambda wildcards: [
        pattern.format(dataset=name)
        for name, settings in thicknesses(wildcards).items()
        if settings
    ]


def in_thicknesses(patterns) -> list[str]:
    """Return paths filled for all studies of anisotropy and the sources of each."""
    return [
        pattern.format(source=source, study=name)
        for name in studies_of("anisotropy")
        for source in dict.fromkeys(
            config["datasets"][dataset]["thicken"]["of"]
            for dataset in STUDIES[name]["datasets"]
            if dataset in THICK
        )
        for pattern in patterns
    ]


def shown_runs(wildcards) -> dict[str, list]:
    """Return experiment or ensemble, fold and seed of all that the slice explorer shows."""
    return {
        name: [
            (model, fold, seed) for model in models_of(name) for fold, seed in runs_of(name, model)
        ]
        for name in SHOWN
    }


def of_shown_runs(pattern: str):
    """Return an input function: `pattern` filled for those runs, one dataset after the other."""
    return lambda wildcards: [
        pattern.format(dataset=name, experiment=model, fold=fold, seed=seed)
        for name, runs in shown_runs(wildcards).items()
        for model, fold, seed in runs
    ]
