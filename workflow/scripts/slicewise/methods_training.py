"""Methods in words: the network, its training, and how it predicts."""

from __future__ import annotations

from slicewise.prose import Pair, Paragraph, counted, edges, listed, short, stated
from slicewise.study_facts import RunFacts, parameters


def network(facts: RunFacts) -> Paragraph:
    """Return the paragraph about the network and its plan."""
    plans = facts.plans
    sentences = (
        "Networks were 2D U-Nets.",
        stated(
            "The numbers of feature maps of their stages, from the first on, were {}",
            "the feature maps",
            {pair: _feature_maps(facts, pair) for pair in plans},
        ),
        stated(
            "The number of stages was {}",
            "the number of stages",
            {pair: str(plan.architecture.n_stages) for pair, plan in plans.items()},
            tabled=True,
        ),
        stated(
            "The encoder was {}", "the encoder", {pair: _encoder(facts, pair) for pair in plans}
        ),
        stated(
            "The decoder had {}", "the decoder", {pair: _decoder(facts, pair) for pair in plans}
        ),
        stated("Kernels were {}", "kernels", {pair: _kernels(facts, pair) for pair in plans}),
        "Strided convolutions lowered the resolution and transposed convolutions raised it; "
        "convolutions were followed by instance normalisation and a leaky ReLU (slope 0.01).",
        stated(
            "The number of weights was {}",
            "the number of weights",
            {pair: f"{weights(facts, pair):,}" for pair in plans},
            tabled=True,
        ),
        stated("Plans were {}", "plans", {pair: _planned(facts, pair) for pair in plans}),
        stated(
            "The patch (rows × columns, in pixels) was {}",
            "the patch (rows × columns, in pixels)",
            {pair: edges(plan.patch_size) for pair, plan in plans.items()},
            tabled=True,
        ),
        stated(
            "The planned edges of the patch were multiplied by {}",
            "the share of the planned patch",
            {pair: _share(facts, pair) for pair in plans},
        ),
        stated(
            "The median slice (in pixels) was {}",
            "the median slice",
            {pair: edges(plan.median_image_size) for pair, plan in plans.items()},
            tabled=True,
        ),
        stated(
            "The number of patches in a batch was {}",
            "the number of patches in a batch",
            {pair: str(batch_size(facts, pair)) for pair in plans},
            tabled=True,
        ),
    )
    return Paragraph(
        "Network", sentences, ("*/*/plans.json", "config: planning, training.batch_size")
    )


def batch_size(facts: RunFacts, pair: Pair) -> int:
    """Return how many patches a batch of an experiment held."""
    return facts.settings(pair, "training")["batch_size"] or facts.plans[pair].batch_size


def weights(facts: RunFacts, pair: Pair) -> int:
    """Return how many weights the network of an experiment has."""
    source = facts.datasets[pair[0]].source
    built = facts.plans[pair].architecture
    return parameters(built, len(source.channel_names), source.labels.outputs)


def _feature_maps(facts: RunFacts, pair: Pair) -> str:
    """Return the feature maps of the stages: those of the deepest network, if they begin alike."""
    deepest = max((plan.architecture.features_per_stage for plan in facts.plans.values()), key=len)
    own = facts.plans[pair].architecture.features_per_stage
    alike = own == deepest[: len(own)]
    return listed(deepest if alike else own)


def _encoder(facts: RunFacts, pair: Pair) -> str:
    """Return what the stages of the encoder are made of."""
    built = facts.plans[pair].architecture
    kind, block = ("residual", "residual block") if built.residual else ("plain", "convolution")
    return f"{kind} with {_per_stage(built.n_blocks_per_stage, block)}"


def _decoder(facts: RunFacts, pair: Pair) -> str:
    """Return what the stages of the decoder are made of."""
    return _per_stage(facts.plans[pair].architecture.n_conv_per_stage_decoder, "convolution")


def _kernels(facts: RunFacts, pair: Pair) -> str:
    """Return the kernels of the convolutions, each once."""
    kernels = facts.plans[pair].architecture.kernel_sizes
    return listed(dict.fromkeys(map(edges, kernels)))


def _per_stage(counts: tuple[int, ...], noun: str) -> str:
    """Return how many blocks the stages have: one number where all have as many."""
    if len(set(counts)) == 1:
        return f"{counted(counts[0], noun)} a stage"
    return f"{listed(counts)} {noun}s in its stages"


def _planned(facts: RunFacts, pair: Pair) -> str:
    """Return who planned a network, and for which memory."""
    planning = facts.settings(pair, "planning")
    if planning["plans"]:
        return "given"
    memory = planning["gpu_memory_gb"]
    goal = f" for {short(memory)} GB of memory" if memory else ""
    return f"made by nnU-Net's rules ({facts.plans[pair].raw['experiment_planner_used']}){goal}"


def _share(facts: RunFacts, pair: Pair) -> str:
    """Return the share of the planned edges that a patch was cut to, nothing where it was not."""
    scale = facts.settings(pair, "planning").get("patch_scale", 1)
    return short(scale) if scale != 1 else ""


def training(facts: RunFacts) -> Paragraph:
    """Return the paragraph about loss, optimiser, schedule and first weights."""
    trained = facts.trained
    sentences = [
        stated("The loss was {}", "the loss", {pair: _loss(facts, pair) for pair in trained}),
        stated(
            "Deep supervision weighed {}",
            "deep supervision",
            {pair: _supervision(facts, pair) for pair in trained},
        ),
        stated(
            "The loss was minimised by {}",
            "the optimiser",
            {pair: _optimiser(facts, pair) for pair in trained},
        ),
        stated(
            "Training took {}",
            "the schedule",
            {pair: _schedule(facts, pair) for pair in trained},
        ),
        stated(
            "The first weights were {}",
            "the first weights",
            {pair: _start(facts, pair) for pair in trained},
        ),
        "Those after the last epoch were taken; no epoch was selected." if trained else "",
        _imported(facts),
    ]
    return Paragraph(
        "Training",
        tuple(filter(None, sentences)),
        ("config: experiments, training", "*/*/plans.json"),
    )


def _loss(facts: RunFacts, pair: Pair) -> str:
    """Return the loss of a training."""
    labels, plan = facts.datasets[pair[0]].source.labels, facts.plans[pair]
    entropy = "binary cross-entropy of the regions" if labels.has_regions else "cross-entropy"
    over = "over all slices of a batch together" if plan.batch_dice else "slice by slice"
    return f"the {entropy} minus the mean soft Dice of the classes, taken {over}"


def _supervision(facts: RunFacts, pair: Pair) -> str:
    """Return how slicewise.loss weighs the resolutions that a training is supervised at."""
    if not facts.settings(pair, "training")["deep_supervision"]:
        return ""
    return (
        "each resolution of the decoder half as much as the next finer one, without the coarsest "
        "where there are several, to a sum of 1"
    )


def _optimiser(facts: RunFacts, pair: Pair) -> str:
    """Return the optimiser with its settings."""
    settings = facts.settings(pair, "training")
    momentum = f"Nesterov momentum {settings['momentum']:g}, " if settings["momentum"] else ""
    return (
        f"stochastic gradient descent ({momentum}weight decay {short(settings['weight_decay'])}, "
        f"gradients clipped to a norm of {settings['gradient_clipping']:g})"
    )


def _schedule(facts: RunFacts, pair: Pair) -> str:
    """Return how long a training was, and its learning rate."""
    settings = facts.settings(pair, "training")
    return (
        f"{counted(settings['epochs'], 'epoch')} of "
        f"{counted(settings['iterations_per_epoch'], 'iteration')} ({steps(facts, pair):,} steps), "
        f"at a learning rate of {short(settings['learning_rate'])}, times (1 − epoch / epochs) to "
        "the power of 0.9"
    )


def steps(facts: RunFacts, pair: Pair) -> int:
    """Return how many steps a training of an experiment took."""
    settings = facts.settings(pair, "training")
    return settings["epochs"] * settings["iterations_per_epoch"]


def _start(facts: RunFacts, pair: Pair) -> str:
    """Return where a training started from."""
    if facts.settings(pair, "training")["pretrained"]:
        return "those of a pretrained network, but for the segmentation layers"
    return "drawn at random (He et al., 2015)"


def _imported(facts: RunFacts) -> str:
    """Return the sentence about networks that nnU-Net had trained."""
    names = list(dict.fromkeys(experiment for _, experiment in facts.imported))
    if not names:
        return ""
    noun = "networks that nnU-Net had trained before took the place of a training"
    return f"For {listed(names)}, {noun}."


def sampling(facts: RunFacts) -> Paragraph:
    """Return the paragraph about which patches a batch holds."""
    trained = facts.trained
    ignores = any(one.source.labels.ignore is not None for one in facts.datasets.values())
    sentences = (
        "Each patch came from a case and then a slice that were drawn uniformly, with replacement.",
        "A share of each batch was centred on a voxel of a class instead, drawn uniformly from the "
        "classes of the case, in whatever slice it lay.",
        stated(
            "That share was {}",
            "the share of each batch that was centred on a class",
            {pair: f"{centred(facts, pair)} of {batch_size(facts, pair)}" for pair in trained},
            tabled=True,
        ),
        "The others were centred on an annotated voxel where some were ignored." if ignores else "",
        stated(
            "Slices were trained on where they were {}",
            "the slices that were trained on",
            {pair: _slices(facts, pair) for pair in trained},
        ),
        stated(
            "The share of a batch from slices without foreground was {}",
            "the share of a batch from slices without foreground",
            {pair: _empty(facts, pair) for pair in trained},
        ),
    )
    used = tuple(filter(None, sentences)) if trained else ()
    return Paragraph("Sampling", used, ("config: experiments, training",))


def centred(facts: RunFacts, pair: Pair) -> int:
    """Return how many patches of a batch are centred on a voxel of a class."""
    batch = batch_size(facts, pair)
    share = facts.settings(pair, "training")["oversample_foreground"]
    return batch - round(batch * (1 - share))


def _slices(facts: RunFacts, pair: Pair) -> str:
    """Return the slices that were trained on, nothing where all were."""
    chosen = facts.settings(pair, "training")["slices"]
    return "" if chosen == "all" else f"among these: {chosen}"


def _empty(facts: RunFacts, pair: Pair) -> str:
    """Return the share of a batch from empty slices, nothing where it was left to chance."""
    share = facts.settings(pair, "training")["empty_slices"]
    return "" if share is None else f"{share:g}"


def inference(facts: RunFacts) -> Paragraph:
    """Return the paragraph about predictions and ensembles."""
    regions = any(one.source.labels.has_regions for one in facts.datasets.values())
    tiles = {pair: _tiles(facts, pair) for pair in facts.plans}
    sentences = [
        "Every slice of a held-out case was segmented in tiles of the size of the patch.",
        stated("Logits of tiles were averaged {}", "how tiles were averaged", tiles),
        "Logits were brought back to the grid of the file, where the class with the largest "
        "decided on each voxel"
        + ("; regions were decided on one by one, at a probability of 0.5." if regions else "."),
        *(
            f"The ensemble {name} took the mean of the probabilities of {listed(members)}, fold by "
            "fold and seed by seed."
            for name, members in facts.config["ensembles"].items()
        ),
    ]
    return Paragraph("Inference", tuple(sentences), ("config: inference, ensembles",))


def _tiles(facts: RunFacts, pair: Pair) -> str:
    """Return how far apart tiles were, and how they were weighed."""
    settings = facts.settings(pair, "inference")
    gaussian = "under a Gaussian (standard deviation an eighth of the patch)"
    mirrored = ", with those of its mirror images along both axes" if settings["mirroring"] else ""
    return (
        f"{gaussian if settings['gaussian'] else 'alike'}{mirrored}, tiles at most "
        f"{settings['tile_step']:g} of the patch apart"
    )
