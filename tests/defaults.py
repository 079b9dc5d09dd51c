"""The settings that hold where a config says nothing, for tests and benchmarks."""

from slicewise.config import load


def training_settings(**changes: object) -> dict:
    """Return the section `training` of a config without one, some keys changed."""
    return load({"datasets": {"any": {"phantom": {}}}})["training"] | changes
