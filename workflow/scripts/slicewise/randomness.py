"""Random numbers that depend on what they are for, never on when they are drawn."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *key: int | str) -> np.random.Generator:
    """Return the generator of one draw, keyed by (seed, fold, purpose, iteration) or the like.

    Philox is counter-based: every key opens a stream of its own, so a batch is the same whatever
    the number of workers and after any resume (Salmon et al., SC 2011).
    """
    text = "\x1f".join(str(part) for part in (seed, *key))
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def seed_from(seed: int, *key: int | str) -> int:
    """Return a 63-bit integer seed for libraries that take one, keyed in the same way."""
    return int(generator(seed, *key).integers(2**63))
