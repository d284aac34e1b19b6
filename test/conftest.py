"""Shared fixtures."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

import coarse_loftr_ros  # noqa: F401 - before cv2, which reads its limits when it is loaded

# What a machine is busy with besides decides how long an example takes, not the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Fixtures of the command line, which tests of several packages use.
pytest_plugins = ["command_fixtures"]

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Data and weights beside a developer's checkout; the test is skipped where they are absent.

    ``COARSE_LOFTR_SHARED`` names the folder when it is elsewhere.
    """
    folder = Path(os.environ.get("COARSE_LOFTR_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs reference data in {folder}, or where COARSE_LOFTR_SHARED says")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def tensorrt_rtx():
    """The real TensorRT for RTX, which builds engines without a GPU; skips where it is absent."""
    from coarse_loftr_ros.backends.base import BackendError
    from coarse_loftr_ros.backends.tensorrt.library import load_library

    try:
        library = load_library()
    except BackendError as error:
        pytest.skip(f"needs TensorRT for RTX (`make test` installs it): {error}")
    if not library.portable:
        pytest.skip(f"needs TensorRT for RTX alone: {library.title} is preferred and needs a GPU")
    return library


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that need PyTorch: all of test/lab/network and test/lab/training."""
    for item in items:
        if item.path.relative_to(REPOSITORY).parts[1:3] in {
            ("lab", "network"),
            ("lab", "training"),
        }:
            item.add_marker(pytest.mark.train)
