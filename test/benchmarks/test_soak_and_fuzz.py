"""Short forms of `benchmarks/soak.py` and `benchmarks/fuzz.py`: real nodes survive all of it."""

import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")


def run(repository, script, *options):
    return subprocess.run(
        [sys.executable, repository / "benchmarks" / script, *options],
        capture_output=True,
        text=True,
        timeout=280,
    )


def rows(output):
    table = [line.strip("| ").split(" | ") for line in output.splitlines() if line[:1] == "|"]
    return {row[0]: dict(zip(table[0], row, strict=True)) for row in table[2:]}


def test_nodes_survive_malformed_messages_of_each_kind(repository, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- fuzz -->\n<!-- end of fuzz -->\n")
    done = run(repository, "fuzz.py", "600", "--table", page)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    assert list(found) == [
        "Image",
        "CompressedImage",
        "CameraInfo",
        *(f"Correspondences ({mode})" for mode in ("stereo", "mono", "planar")),
    ]
    assert sum(int(row["sent"]) for row in found.values()) == 600
    for row in found.values():
        assert row["life after"] == "yes"
        assert row["rejected by reason"] != "none"
    assert rows(page.read_text()) == found


def test_nodes_recover_from_every_disturbance(repository):
    done = run(repository, "soak.py", "0", "--hold", "0.1", "--calm", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    assert list(found) == ["matcher", "odometry"]
    for row in found.values():
        assert row["life after"] == "yes"


def test_a_node_that_dies_is_a_fault(monkeypatch, tmp_path):
    import fuzz
    from reliability.fuzz_odometry import PlanarTarget

    class Mortal(PlanarTarget):
        def send(self, count):
            super().send(count)
            self.process.process.kill()
            self.process.wait()

    monkeypatch.setitem(fuzz.TARGETS, "correspondences", (Mortal,))
    page = tmp_path / "page.md"
    page.write_text("<!-- fuzz -->\n<!-- end of fuzz -->\n")
    words = ["100", "--kind", "correspondences", "--keep", str(tmp_path), "--table", str(page)]
    assert fuzz.main(words) == 1
    assert "after 50 messages: ended with -9" in page.read_text()
    assert "| NO |" in page.read_text()
    assert len(list((tmp_path / "Mortal").glob("*.cdr"))) == 50
