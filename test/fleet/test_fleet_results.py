"""What a fleet leaves behind of each recording, without Ray."""

import json
import resource
import shutil
import subprocess

import numpy as np
import pytest
from fleet_results import result, results

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.commands import cli


@pytest.fixture(scope="module")
def home(garage, tmp_path_factory):
    """The garage's results."""
    out = tmp_path_factory.mktemp("home") / "out"
    code = cli.main(["fleet", str(garage), "-o", str(out), "--workers", "0"])
    assert code == 1  # some recordings cannot be used
    return out


def test_every_recording_has_a_result_under_a_name_of_its_own(home):
    names = {path.name for path in (home / "recordings").iterdir()}
    assert names == {
        "sequence",
        "monday-flight",
        "tuesday-flight",
        "empty",
        "damaged",
        "noise",
        "no_images",
    }
    assert not list(home.glob(".unfinished/*"))


def test_a_path_has_the_bits_of_the_odometry_command(home, kitti_folder, tmp_path):
    code = cli.main(["odometry", str(kitti_folder), "-o", str(tmp_path / "p"), "--threads", "1"])
    assert code == 0
    ours = home / "recordings" / "sequence" / "default"
    for kind in ("tum", "kitti"):
        assert (ours / f"trajectory.{kind}").read_text() == (tmp_path / f"p.{kind}").read_text()
    errors = result(home, "sequence")["odometry"]["errors"]
    assert 0 < errors["end_percent"] < 10


def test_parquet_has_every_image_and_every_match(home):
    from pyarrow import parquet

    folder = home / "recordings" / "sequence" / "default"
    images = parquet.read_table(folder / "images.parquet").to_pydict()
    matches = parquet.read_table(folder / "matches.parquet").to_pydict()
    assert images["number"] == list(range(10))
    assert images["status"] == [None] + [0] * 9
    stamps = np.array(matches["stamp"])
    stereo = np.array(matches["stereo"])
    inlier = np.array(matches["inlier"])
    for index, stamp in enumerate(images["stamp"]):
        here = (stamps == stamp) & ~stereo
        assert here.sum() == (images["matches"][index] or 0)
        assert (here & inlier).sum() == (images["inliers"][index] or 0)
        assert ((stamps == stamp) & stereo).sum() == images["stereo_matches"][index]


def test_a_recording_without_camera_info_is_matched_and_says_why_it_has_no_path(home):
    found = result(home, "monday-flight")
    assert found["status"] == "done"
    assert found["matching"]["matched"] == 9
    assert found["odometry"] is None
    assert "without a calibration" in found["odometry_lacking"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "empty.mcap"),
        ("damaged", "damaged.mcap"),
        ("noise", "neither a recording"),
        ("no_images", "no topic of images"),
    ],
)
def test_a_bad_recording_ends_in_its_row_with_a_reason(home, name, reason):
    found = result(home, name)
    assert found["status"] == "unusable"
    assert reason in found["reason"]


def test_a_covered_camera_says_nothing_about_calibration(fleet, tmp_path):
    from fleet_recordings import make_recordings
    from pyarrow import parquet

    make_recordings(tmp_path / "drives", 1, 20, (256, 192), first=45)  # 0.75 px, covered from 10 on
    assert fleet(tmp_path / "drives", "-o", tmp_path / "out")[0] == 0
    found = result(tmp_path / "out", "drive_0045")
    assert abs(found["stereo"]["row_offset_px"] - 0.75) < 0.1
    assert found["matching"]["lost"] == 7  # what is covered, and the image after it
    assert found["matching"]["longest_loss_s"] == 0.8  # from the last image before to the next one
    folder = tmp_path / "out" / "recordings" / "drive_0045" / "default"
    offsets = parquet.read_table(folder / "images.parquet")["row_offset_px"].to_pylist()
    assert offsets[10:16] == [None] * 6
    assert min(each for each in offsets if each is not None) > 0.6


def test_a_loss_that_lasts_to_the_end_is_as_long_as_what_was_recorded_of_it(fleet, tmp_path):
    from fleet_recordings import make_recordings

    make_recordings(tmp_path / "drives", 1, 15, (256, 192), first=45)  # covered from 10 on
    assert fleet(tmp_path / "drives", "-o", tmp_path / "out", "--no-matches")[0] == 0
    matching = result(tmp_path / "out", "drive_0045")["matching"]
    assert (matching["lost"], matching["longest_loss_s"]) == (5, 0.5)


def test_the_order_of_recordings_does_not_matter(fleet, home, garage, tmp_path):
    names = ["tuesday/flight.mcap", "sequence", "monday/flight.mcap"]
    code, _ = fleet(*(garage / name for name in names), "-o", tmp_path / "out")
    assert code == 0
    assert results(tmp_path / "out") == {
        name: each for name, each in results(home).items() if "flight" in name or "sequence" in name
    }


def test_resume_does_what_is_missing_with_the_same_bits(fleet, home, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(home, out)
    shutil.rmtree(out / "recordings" / "sequence")
    (out / ".unfinished" / "killed").mkdir(parents=True)
    code, lines = fleet("--resume", out)
    assert code == 1
    assert [line["recording"] for line in lines if line["event"] == "recording"] == ["sequence"]
    assert lines[-1]["done"] == lines[-1]["total"] == 7
    assert results(out) == results(home)
    assert (out / "index.html").read_bytes() == (home / "index.html").read_bytes()
    assert not (out / ".unfinished").exists()


def test_a_recording_that_was_mended_is_done_when_it_is_tried_again(fleet, flight_bag, tmp_path):
    bag, out = tmp_path / "flight.mcap", tmp_path / "out"
    bag.write_bytes(flight_bag.read_bytes()[:20_000])
    assert fleet(bag, "-o", out)[0] == 1
    bag.write_bytes(flight_bag.read_bytes())
    assert fleet("--resume", out)[0] == 1
    assert result(out, "flight")["status"] == "unusable"
    assert fleet("--resume", out, "--retry")[0] == 0
    assert result(out, "flight")["status"] == "done"


def test_nothing_is_made_where_there_is_nothing_to_do(refusal, tmp_path):
    out = tmp_path / "out"
    assert "has no results" in refusal("fleet", "--resume", out, "--workers", 0)
    assert "does not exist" in refusal("fleet", tmp_path / "no", "-o", out, "--workers", 0)
    assert not out.exists()


def test_settings_are_compared(fleet, kitti_folder, tmp_path, capsys):
    (tmp_path / "all.yaml").write_text("pairing: consecutive\n")
    (tmp_path / "few.yaml").write_text("max_matches: 40\nmode: mono\n")
    settings = [x for name in ("all", "few") for x in ("--settings", tmp_path / f"{name}.yaml")]
    code, lines = fleet(kitti_folder, "-o", tmp_path / "out", *settings, "--bag", "--no-matches")
    assert code == 0
    assert lines[-1]["total"] == 2
    few = result(tmp_path / "out", "sequence", "few")
    assert (few["mode"], few["streams"]) == ("mono", ["image_0"])
    assert few["matching"]["matches"] <= 40
    assert result(tmp_path / "out", "sequence", "all")["mode"] == "stereo"
    folder = tmp_path / "out" / "recordings" / "sequence" / "all"
    assert not (folder / "matches.parquet").exists()
    again = cli.main(["replay", str(folder / "matches.mcap")])
    assert again == 2  # a recording that can be read, without images
    assert "no topic of images" in capsys.readouterr().err
    code, _ = fleet(kitti_folder, "-o", tmp_path / "b", *settings[2:])
    assert code == 0
    assert cli.main(["fleet", "compare", str(tmp_path / "out"), str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out
    assert "the output 'matches' was False" in said
    assert "no recording changed" in said


def test_results_of_other_settings_are_refused_unless_asked(refusal, fleet, garage, tmp_path):
    out, source = tmp_path / "out", garage / "monday"
    (tmp_path / "default.yaml").write_text("max_matches: 40\n")
    changed = ["--settings", tmp_path / "default.yaml"]
    assert fleet(source, "-o", out, "--no-matches")[0] == 0
    before = results(out)
    common = ["fleet", source, "-o", out, "--workers", 0, "--no-matches"]
    assert "go on with --resume" in refusal(*common)
    assert "max_matches of settings 'default' was 1000 and is 40" in refusal(*common, *changed)
    assert results(out) == before
    assert fleet(source, "-o", out, "--no-matches", *changed, "--force")[0] == 0
    assert results(out) != before


def test_what_is_of_no_fleet_is_not_replaced(refusal, flight_bag, tmp_path):
    bag = tmp_path / "recordings" / "flight.mcap"
    bag.parent.mkdir()
    bag.write_bytes(flight_bag.read_bytes())
    common = ["fleet", bag.parent, "-o", tmp_path, "--workers", 0]
    assert "has other files in it" in refusal(*common)
    assert "is of no fleet" in refusal(*common, "--force")
    assert bag.is_file()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("backend: openvine", "backend is 'openvine'; it must be one of auto"),
        ("precision: fp7", "precision is 'fp7'; it must be one of auto"),
        ("backend: ncnn\nprecision: int8", "ncnn computes in fp32 or fp16"),
        ("network_pixels: 100", "network_pixels is 100"),
    ],
)
def test_settings_that_could_match_nothing_are_refused_before_anything_is_done(
    refusal, flight_bag, tmp_path, text, reason
):
    (tmp_path / "wrong.yaml").write_text(text)
    given = ["--settings", tmp_path / "wrong.yaml", "-o", tmp_path / "out", "--workers", 0]
    said = refusal("fleet", flight_bag, *given)
    assert "settings 'wrong'" in said and reason in said
    assert not (tmp_path / "out").exists()


def test_a_model_that_was_calibrated_anew_is_not_continued_with(
    refusal, fleet, flight_bag, tmp_path
):
    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(ModelFiles.load().encode.parent, model)
    (tmp_path / "own.yaml").write_text(f"model: {model}\n")
    assert fleet(flight_bag, "-o", out, "--settings", tmp_path / "own.yaml")[0] == 0
    facts = json.loads((model / "model.json").read_text())
    facts["calibration"] = facts["calibration"][::2]
    (model / "model.json").write_text(json.dumps(facts))
    said = refusal("fleet", "--resume", out, "--workers", 0)
    assert f"the files of model {model} have changed" in said


def test_a_disk_too_full_for_the_page_is_a_sentence(capsys, fleet, flight_bag, tmp_path):
    out = tmp_path / "out"
    assert fleet(flight_bag, "-o", out, "--no-matches")[0] == 0
    (out / "index.html").unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))  # the page has 2 MB
    try:
        assert cli.main(["fleet", "--resume", str(out), "--workers", "0"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (said,) = capsys.readouterr().err.splitlines()
    assert "index.html cannot be written" in said and "--resume" in said
    assert fleet("--resume", out)[0] == 0
    assert (out / "index.html").is_file()


def test_results_of_other_versions_are_not_continued(refusal, fleet, garage, tmp_path):
    out = tmp_path / "out"
    assert fleet(garage / "monday", "-o", out, "--no-matches")[0] == 0
    manifest = out / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"numpy": "', '"numpy": "0.'))
    assert "numpy was 0." in refusal("fleet", "--resume", out, "--workers", 0)
    assert fleet("--resume", out, "--force")[0] == 0
    manifest.write_text("{")
    assert "damaged" in refusal("fleet", "--resume", out, "--workers", 0)
    assert "has no results" in refusal("fleet", "--resume", tmp_path, "--workers", 0)


def test_a_full_disk_ends_the_fleet_and_loses_nothing(run_tool, fleet, garage, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to mount a small disk (tmpfs), which root may outside of containers")
    try:
        sources = [garage / "monday", garage / "sequence"]
        done = run_tool("fleet", *sources, "-o", disk / "out", "--workers", 0)
        assert done.returncode == 2
        assert "has no room" in done.stderr and "--resume" in done.stderr
        assert "Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert fleet("--resume", disk / "out")[0] == 0
        assert fleet(*sources, "-o", tmp_path / "whole")[0] == 0
        assert results(disk / "out") == results(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_remote_recordings_are_fetched(fleet, kitti_folder, flight_bag, tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(kitti_folder), "/team/sequence", recursive=True)
    memory.put(str(flight_bag), "/team/bags/flight.mcap")
    code, _ = fleet("memory://team", f"file://{flight_bag}", "-o", tmp_path / "out")
    assert code == 0
    found = {path.name for path in (tmp_path / "out" / "recordings").iterdir()}
    assert {"sequence", "bags-flight"} < found and len(found) == 3
    (name,) = found - {"sequence", "bags-flight"}
    assert result(tmp_path / "out", "sequence")["source"].startswith("memory://")
    assert "/tmp" not in str(result(tmp_path / "out", "sequence"))
    memory.rm("/team/sequence/times.txt")  # its notice names the recording, not its copy
    for number in (1, 2):
        assert fleet("memory://team/sequence", "-o", tmp_path / f"again{number}")[0] == 0
    notices = result(tmp_path / "again1", "sequence")["input"]["notices"]
    assert "memory:///team/sequence has no times" in str(notices)
    assert results(tmp_path / "again1") == results(tmp_path / "again2")
    code, _ = fleet(kitti_folder, flight_bag, "-o", tmp_path / "local")
    local, remote = results(tmp_path / "local"), results(tmp_path / "out")
    path = "recordings/sequence/default/matches.parquet"
    assert local[path] == remote[path]
    assert name.endswith("flight")
