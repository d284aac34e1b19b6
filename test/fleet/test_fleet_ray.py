"""A fleet on Ray: workers that are killed, a driver that is interrupted, no cluster."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fleet import descendants, workers_of
from fleet_recordings import make_recordings
from fleet_results import results

from coarse_loftr_ros.fleet.ray_workers import check_ray
from coarse_loftr_ros.fleet.settings import FleetError

pytest.importorskip("ray", reason="Ray is not installed (make test has it)")


@pytest.fixture(scope="module")
def drives(tmp_path_factory):
    """Enough small recordings for a fleet to be disturbed."""
    folder = tmp_path_factory.mktemp("drives")
    make_recordings(folder, 8, 12, (256, 192))
    return folder


def start(*arguments):
    command = [sys.executable, "-m", "coarse_loftr_ros", "fleet", *map(str, arguments), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_whoever_is_killed_a_fleet_goes_on_to_the_same_bits(run_tool, drives, tmp_path):
    out = tmp_path / "out"
    driver = start(drives, "-o", out, "--workers", 2)
    done = 0
    try:
        for line in driver.stdout:
            done = json.loads(line)["done"]
            if done == 1:
                os.kill(workers_of(driver.pid)[0], signal.SIGKILL)
            if done == 4:
                below = descendants(driver.pid)
                driver.send_signal(signal.SIGINT)
                break
        assert done == 4
        _, said = driver.communicate(timeout=15)
        assert driver.returncode == 130
        assert said.splitlines()[-1] == "coarse-loftr: interrupted"
        assert "Traceback" not in said
    finally:
        driver.kill()
    assert len(list((out / "recordings").iterdir())) < 8
    for _ in range(50):  # nothing is left running
        left = [pid for pid in below if Path(f"/proc/{pid}/exe").exists()]
        if not left:
            break
        time.sleep(0.1)
    assert not left
    resumed = run_tool("fleet", "--resume", out, "--workers", 2, "--json")
    assert resumed.returncode == 0, resumed.stderr
    end = json.loads(resumed.stdout.splitlines()[-1])
    assert (end["done"], end["failed"], end["unusable"]) == (8, 0, 0)
    alone = run_tool("fleet", drives, "-o", tmp_path / "alone", "--workers", 0)
    assert alone.returncode == 0
    assert results(out) == results(tmp_path / "alone")
    assert (out / "index.html").read_bytes() == (tmp_path / "alone" / "index.html").read_bytes()


@pytest.mark.parametrize("address", ["nobody", "silent", "words"])
def test_a_ray_that_is_not_there_is_a_sentence_within_15_seconds(
    run_tool, drives, tmp_path, address
):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{server.getsockname()[1]}"
        if address == "silent":
            server.listen()
        given = "the cluster" if address == "words" else host
        begin = time.monotonic()
        tool = run_tool("fleet", drives, "-o", tmp_path / "out", "--ray", given)
        assert time.monotonic() - begin < 15
    assert tool.returncode == 2
    assert len(tool.stderr.splitlines()) == 1
    assert given in tool.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def guarded_cluster(tmp_path_factory):
    """The address of a real cluster that lets in only those who have its token."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{server.getsockname()[1]}"
    options = {"port": address.split(":")[1], "num-cpus": 1, "min-worker-port": 0}
    options |= {"max-worker-port": 0, "object-store-memory": 100 << 20, "temp-dir": home / "ray"}
    given = [f"--{name}={value}" for name, value in options.items()]
    given += ["--head", "--block", "--include-dashboard=false"]
    environment = {**os.environ, "HOME": str(home), "RAY_AUTH_MODE": "token"}
    command = [Path(sys.executable).with_name("ray"), "start", *given]
    cluster = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert any("Ray runtime started" in line for line in cluster.stdout)
        yield address
    finally:
        cluster.terminate()
        cluster.communicate(timeout=30)


def test_a_cluster_that_wants_a_token_is_said_to(guarded_cluster, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(FleetError, match="wants a token: set RAY_AUTH_MODE=token"):
        check_ray(guarded_cluster)


def test_a_worker_that_cannot_start_ends_the_fleet_with_its_reason(tmp_path):
    script = tmp_path / "start.py"
    script.write_text(
        "from pathlib import Path\n"
        "from coarse_loftr_ros.fleet.following import Outputs\n"
        "from coarse_loftr_ros.fleet.ray_workers import RayWorkers\n"
        "root, expected = Path('out'), 'no versions'\n"
        "pool = RayWorkers(root, Outputs(), expected, workers=9, most=1, address=None)\n"
        "assert len(pool.idle) == 1, 'more workers than there is to do'\n"
        "pool.start(pool.idle[0], None)\n"
        "pool.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "FleetError: a worker cannot start: AttributeError" in last
