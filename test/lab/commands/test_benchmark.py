"""`coarse-loftr benchmark`: what it prints, not how fast it is."""

import json
import subprocess

import pytest

from coarse_loftr_lab.evaluation.revisions import WORKING_TREE


def test_every_method_has_a_row_and_a_ratio(run_tool, tmp_path):
    output = tmp_path / "times.json"
    done = run_tool(
        *("benchmark", "--rounds", 2, "--size", "320x256", "--threads", 1, "--json", output)
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(output.read_text())["report"]
    names = [row["method"] for row in report["methods"]]
    assert names[0].startswith("fast, openvino ") and names[1] == "fast, onnxruntime fp32"
    assert names[2] == "fast, ncnn fp32"
    assert names[3:5] == ["ORB 2000", "SIFT 2048"]
    assert all(name in done.stdout for name in names)
    own = report["methods"][0]
    assert own["ratios"][names[0]]["median"] == 1.0
    assert set(own["stages_ms"]) == {"encode", "match", "refine", "homography", "total"}
    assert own["stages_ms"]["total"]["median"] > own["stages_ms"]["encode"]["median"] > 0


def worktrees():
    listing = ["git", "-C", str(WORKING_TREE), "worktree", "list"]
    done = subprocess.run(listing, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("the package is not in a git repository")
    return done.stdout


@pytest.mark.parametrize("revision", ["HEAD", "0e291b6"])
def test_another_revision_is_measured_beside_this_one_and_leaves_nothing(
    run_tool, tmp_path, revision
):
    before, output = worktrees(), tmp_path / "times.json"
    known = ["git", "-C", str(WORKING_TREE), "cat-file", "-e", f"{revision}^{{commit}}"]
    if subprocess.run(known, capture_output=True).returncode:
        pytest.skip(f"this clone does not reach back to {revision}")
    options = ("--rounds", 1, "--size", "320x256", "--threads", 1, "--json", output)
    done = run_tool("benchmark", "--against", revision, *options)
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads(output.read_text())["report"]["methods"]
    assert (ours["method"], theirs["method"]) == ("working tree", revision)
    stages = {"encode", "match", "refine", "homography", "total"}
    assert set(ours["stages_ms"]) == set(theirs["stages_ms"]) == stages
    assert theirs["ratios"]["working tree"]["median"] > 0
    assert worktrees() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--images", "/no/such/folder"), "there is no folder /no/such/folder"),
        (("--rounds", 0), "0 rounds"),
        (("--backend", "tensorrt"), "not available"),
        (("--against", "no-such-revision"), "with a revision 'no-such-revision'"),
        (("--against", "HEAD", "--model", "fast", "--model", "other"), "may be given once"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(run_tool, options, sentence):
    done = run_tool("benchmark", "--only-own", "--size", "320x256", *options)
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr
