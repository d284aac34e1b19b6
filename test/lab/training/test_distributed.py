"""Two real processes under torchrun train one network, and a stopped run of theirs goes on."""

import json
import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

if not torch.distributed.is_available():
    pytest.skip(
        "this PyTorch was built without torch.distributed (make test-train)",
        allow_module_level=True,
    )

from coarse_loftr_lab.network.checkpoint import load_checkpoint
from coarse_loftr_lab.training.settings import make_settings, read_yaml
from coarse_loftr_lab.training.trainer import train

# Runs the command as a user does, and then writes this process's weights down.
PROGRAM = """
import os, sys, torch
from coarse_loftr_ros.commands import cli
from coarse_loftr_lab.training import trainer
run = trainer.Trainer.run
def and_write(self):
    figures = run(self)
    torch.save(self.net.state_dict(), self.folder.path / f"rank{self.processes.rank}.pt")
    return figures
trainer.Trainer.run = and_write
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def together(photographs, repository, tmp_path_factory):
    """Starts two processes on CPUs that train together."""
    program = tmp_path_factory.mktemp("program") / "program.py"
    program.write_text(PROGRAM)

    def start(output, *options):
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node=2", str(program), "train", str(photographs), str(output)),
            *("--batch", "8", "--accumulate", "2", "--width", "96", "--height", "64"),
            *("--validate-every", "4", "--checkpoint-every", "2"),
            *("--set", "network.stage_channels=[8,8,16,16]", "--set", "network.token_channels=16"),
            *("--set", "network.fine_channels=8", "--set", "validation_pairs=2"),
            *("--set", "decay_share=0.01", "--set", "log_every=2", "--device", "cpu", *options),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=200, env=environment, check=False
        )

    return start


@pytest.fixture(scope="module")
def whole(together, tmp_path_factory):
    """A run of four steps that was not stopped."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    done = together(output, "--steps", "4")
    assert done.returncode == 0, done.stderr
    return output


def weights(path):
    return torch.load(path, weights_only=True)


def test_both_processes_end_with_equal_weights_and_the_first_writes(whole):
    first, second = weights(whole / "rank0.pt"), weights(whole / "rank1.pt")
    statistics = ("running_mean", "running_var")  # on CPUs these are each process's own
    for name in first:
        if not name.endswith(statistics):
            assert torch.equal(first[name], second[name]), name
    checkpoint = load_checkpoint(whole / "last.pt")
    trained = checkpoint.training["weights"]
    assert checkpoint.step == 4
    assert all(torch.equal(trained[name], first[name]) for name in first)
    assert json.loads((whole / "environment.json").read_text())["processes"] == 2
    lines = (whole / "training.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4]


def gradient(checkpoint):
    """Direction of the mean gradient so far, as AdamW keeps it."""
    state = load_checkpoint(checkpoint).training["optimiser"]["state"]
    return torch.cat([entry["exp_avg"].flatten() for entry in state.values()])


def test_the_gradient_is_that_of_all_pairs_but_for_batch_norm(whole, tmp_path):
    """Each process normalises by its own pairs: the directions agree to about 0.8.

    With half of the pairs they would agree to 0.55, with other pairs to 0.1.
    """
    train(make_settings(read_yaml(whole / "settings.yaml"), tmp_path))
    alone, together = gradient(tmp_path / "last.pt"), gradient(whole / "last.pt")
    assert torch.nn.functional.cosine_similarity(alone, together, dim=0).item() > 0.7


def test_a_stopped_run_of_two_processes_goes_on(whole, together, tmp_path):
    done = together(tmp_path / "halves", "--steps", "2")
    assert done.returncode == 0, done.stderr
    done = together(tmp_path / "halves", "--steps", "4", "--resume")
    assert done.returncode == 0, done.stderr
    ends = [weights(folder / "rank0.pt") for folder in (whole, tmp_path / "halves")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
