"""Fleets of real recordings, and their results."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from coarse_loftr_ros.commands import cli

pytest.importorskip("pyarrow", reason="pyarrow is not installed (make test has it)")


@pytest.fixture
def fleet(capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, list[dict]]]:
    """Runs `coarse-loftr fleet --workers 0` in this process; its exit code and JSON lines."""

    def run(*arguments: object) -> tuple[int, list[dict]]:
        code = cli.main(["fleet", *map(str, arguments), "--workers", "0", "--json"])
        said = capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines()]

    return run


@pytest.fixture(scope="session")
def garage(flight_bag: Path, kitti_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a team comes home with: good recordings, and one of each kind of bad ones."""
    from coarse_loftr_ros.recordings.bags.writer import BagWriter

    folder = tmp_path_factory.mktemp("garage")
    (folder / "monday").mkdir()
    (folder / "tuesday").mkdir()
    (folder / "monday" / "flight.mcap").symlink_to(flight_bag)
    (folder / "tuesday" / "flight.mcap").symlink_to(flight_bag)
    (folder / "sequence").symlink_to(kitti_folder)
    (folder / "tuesday" / "empty.mcap").write_bytes(b"")
    (folder / "tuesday" / "damaged.mcap").write_bytes(flight_bag.read_bytes()[:20_000])
    (folder / "tuesday" / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    with BagWriter(folder / "tuesday" / "no_images.mcap"):
        pass
    return folder
