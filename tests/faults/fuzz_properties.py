"""The properties of the ordinary tests, tried on as many examples as a topic is promised.

A property is a test that makes up its own examples. It is written once, in the test file named for
its module; `python -m faults.fuzz_properties MODULE PROPERTY COUNT SEED` tries it here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from importlib import import_module

import hypothesis

from faults.figures import Figure

TOPICS = {
    "geometry": ("test_geometry", "test_crop", "test_preprocessing", "test_resampling"),
    "patches": ("test_patches",),
    "slices": ("test_slices", "test_selection"),
    "plans": ("test_topology", "test_planners", "test_plans", "test_user_plans"),
    "metrics": ("test_metrics",),
}
"""Topics, and the test files whose properties are about them."""

EXAMPLES = 100_000
"""Examples of each topic, which its properties share."""

Property = tuple[str, str]
"""Where a property stands: the name of its test file and its own."""


def properties_of(module: str) -> list[str]:
    """Return the names of the properties in a test file."""
    found = vars(import_module(module)).items()
    return sorted(name for name, test in found if getattr(test, "is_hypothesis_test", False))


def try_property(module: str, name: str, count: int, seed: int) -> tuple[int, str]:
    """Try a property on so many examples, on fewer if there are no more.

    Returns on how many it held, and what was said where it did not.
    """
    test, held = getattr(import_module(module), name), [0]
    test.hypothesis.inner_test = _counted(test.hypothesis.inner_test, held)
    long = hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        hypothesis.seed(seed)(long(test))()
    except Exception:
        return held[0], traceback.format_exc()[-1500:]
    return held[0], ""


def _counted(test: Callable, held: list[int]) -> Callable:
    """Return a test that counts how often it passes."""

    @wraps(test)
    def counted(*arguments, **examples):
        test(*arguments, **examples)
        held[0] += 1

    return counted


def try_in_a_process(where: Property, count: int, seed: int) -> tuple[int, str]:
    """Try a property in a process of its own; see `try_property`."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "faults.fuzz_properties", *where, str(count), str(seed)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        return 0, ran.stderr[-1500:]
    held, said = json.loads(ran.stdout.splitlines()[-1])
    return held, said


def try_topic(topic: str, examples: int, pool: ThreadPoolExecutor) -> Figure:
    """Try all properties of a topic, which share the examples.

    Some have few (48 orientations), and all of these are tried; the others take what is left.
    """
    places = [(module, name) for module in TOPICS[topic] for name in properties_of(module)]
    waiting, held, failures, seed = list(places), 0, [], 0
    while waiting and held < examples and not failures:
        share = -(-(examples - held) // len(waiting))
        found = list(pool.map(partial(try_in_a_process, count=share, seed=seed), waiting))
        held += sum(count for count, _ in found)
        failures += [
            f"{name}: {said}" for (_, name), (_, said) in zip(waiting, found, strict=True) if said
        ]
        waiting = [p for p, (count, _) in zip(waiting, found, strict=True) if count >= share]
        seed += 1
    note = "; ".join([f"{len(places)} properties", *failures])
    return Figure(f"{topic}: its properties hold", held, max(held, examples), "examples", note)


def measure() -> list[Figure]:
    """Try the properties of every topic at full length."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [try_topic(topic, EXAMPLES, pool) for topic in TOPICS]


if __name__ == "__main__":
    print(json.dumps(try_property(*sys.argv[1:3], *map(int, sys.argv[3:5]))))
