"""PyTorch on one thread: its threads stand in each other's way on a machine that is not idle."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")
    torch.set_num_threads(1)
