"""`coarse-loftr benchmark`: what it prints, not how fast it is."""

import json

import pytest


def test_every_method_has_a_row_and_a_ratio(run_tool, tmp_path):
    output = tmp_path / "times.json"
    done = run_tool(
        *("benchmark", "--rounds", 2, "--size", "320x256", "--threads", 1, "--json", output)
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(output.read_text())["report"]
    names = [row["method"] for row in report["methods"]]
    assert names[0].startswith("fast, openvino ") and names[1] == "fast, onnxruntime fp32"
    assert names[2:4] == ["ORB 2000", "SIFT 2048"]
    assert all(name in done.stdout for name in names)
    own = report["methods"][0]
    assert own["ratios"][names[0]]["median"] == 1.0
    assert set(own["stages_ms"]) == {"encode", "match", "refine", "homography", "total"}
    assert own["stages_ms"]["total"]["median"] > own["stages_ms"]["encode"]["median"] > 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--images", "/no/such/folder"), "there is no folder /no/such/folder"),
        (("--rounds", 0), "0 rounds"),
        (("--backend", "tensorrt"), "not available"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(run_tool, options, sentence):
    done = run_tool("benchmark", "--only-own", "--size", "320x256", *options)
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr
