"""`coarse-loftr results`: the tables of a checkout's documents, and what measuring needs."""

import shutil
import subprocess
import sys

import pytest


@pytest.fixture
def checkout(repository, tmp_path):
    """The documents and figures of this repository, in another place."""
    shutil.copytree(repository / "docs", tmp_path / "docs")
    shutil.copy(repository / "README.md", tmp_path / "README.md")
    return tmp_path


def tables(checkout, repository):
    return subprocess.run(
        [sys.executable, "-m", "coarse_loftr_ros", "results", "tables"],
        cwd=checkout, env={"PYTHONPATH": str(repository)}, capture_output=True, text=True,
    )  # fmt: skip


def test_a_table_that_has_drifted_is_written_anew(checkout, repository):
    document = checkout / "docs/results.md"
    before = document.read_text()
    document.write_text(before.replace("| method |", "| something else |"))
    done = tables(checkout, repository)
    assert done.returncode == 0, done.stderr
    assert document.read_text() == before
    assert "README.md: nothing new" in done.stdout and "results.md: written" in done.stdout


def test_figures_that_are_missing_are_named(checkout, repository):
    (checkout / "docs/results/random.json").unlink()
    done = tables(checkout, repository)
    assert done.returncode == 2 and "random.json" in done.stderr and "Traceback" not in done.stderr


def test_measuring_names_the_data_that_it_misses(run_tool, tmp_path):
    (tmp_path / "train").mkdir()
    done = run_tool("results", "measure", tmp_path, tmp_path)
    assert done.returncode == 2 and "dev/homography" in done.stderr
