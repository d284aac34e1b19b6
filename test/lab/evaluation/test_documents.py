"""Documents say what the figures say."""

import json

import pytest

from coarse_loftr_lab.evaluation.documents import fill, overview, section, summary
from coarse_loftr_lab.evaluation.methods import BaselineWeights, baselines
from coarse_loftr_lab.evaluation.tuning import GRIDS

FIGURES = {
    "kind": "homography",
    "opencv": "4.10",
    "numpy": "2.0",
    "threads": 2,
    "report": {
        "summaries": [
            {
                "method": name,
                "pairs": 10,
                "auc": [
                    {"threshold": t, "value": value, "low": value - 0.1, "high": value + 0.1}
                    for t, value in zip((1.0, 3.0, 5.0, 10.0), values, strict=True)
                ],
                "median_error_px": error,
                "failures": 0,
                "median_matches": 300.0,
                "median_inliers": 200.0,
                "accuracy": [0.5] * 10,
            }
            for name, values, error in (
                ("ours", (0.5, 0.7, 0.8, 0.9), 0.5),
                ("SIFT 2048", (0.4, 0.8, 0.85, 0.95), None),
            )
        ]
    },
}

END = "<!-- end of results -->"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "homography.json").write_text(json.dumps(FIGURES))
    return tmp_path


@pytest.mark.parametrize("document", ["README.md", "docs/results.md"])
def test_the_documents_have_the_tables_of_the_committed_figures(repository, document):
    text = (repository / document).read_text()
    assert fill(text, repository / "docs/results") == text, "run `make results`"
    assert text.count(END) > 0


def test_every_committed_evaluation_is_in_a_document(repository):
    documents = "".join(
        (repository / name).read_text() for name in ("README.md", "docs/results.md")
    )
    for file in (repository / "docs/results").glob("*.json"):
        if not file.name.startswith("ros_latency"):
            assert f"<!-- results: {file.stem} -->" in documents


def test_the_baselines_have_the_thresholds_that_tuning_found(repository, shared_dir):
    tried = json.loads((repository / "docs/results/tune.json").read_text())["report"]["tried"]
    best = {t["method"]: t["value"] for t in tried if t["best"]}
    for method in baselines(BaselineWeights.below(shared_dir / "weights")):
        (setting,) = GRIDS.keys() & method.settings.keys()
        assert method.settings[setting] == best[method.name], method.name


def test_what_is_between_the_markers_is_replaced_and_the_rest_is_kept(folder):
    before = f"A\n<!-- results: homography -->\nold\n{END}\nB\n"
    after = fill(before, folder)
    assert after.startswith("A\n<!-- results: homography -->\n| method | AUC@1 px |")
    assert after.endswith(f"{END}\nB\n") and "old" not in after
    assert fill(after, folder) == after


def test_the_best_of_each_column_is_bold_and_an_infinite_median_is_a_dash(folder):
    ours, sift = (line.split(" | ") for line in section(FIGURES).splitlines()[2:4])
    assert ours[1] == "**50.0 [40, 60]**" and sift[2] == "**80.0 [70, 90]**"
    assert "**0.50**" in ours and "-" in sift
    assert section(FIGURES).endswith("(OpenCV 4.10, NumPy 2.0, 2 threads)")


@pytest.mark.parametrize(
    "text",
    [
        "<!-- results: homography -->\nno end",
        f"{END}",
        f"<!-- results: homography -->\n<!-- results: homography -->\n{END}",
    ],
)
def test_markers_that_do_not_pair_up_are_refused(folder, text):
    with pytest.raises(ValueError, match="must be followed by"):
        fill(text, folder)


def test_figures_that_are_not_there_are_named(folder):
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        fill(f"<!-- results: absent -->\n{END}", folder)


@pytest.fixture
def every_kind(folder):
    """Figures of every kind that the overview shows."""

    def write(name, report):
        (folder / f"{name}.json").write_text(json.dumps({**FIGURES, "report": report}))

    homography = FIGURES["report"]
    student = {**homography["summaries"][1], "method": "published student"}
    write("random", {"summaries": [*homography["summaries"], student]})
    errors = {"ours": (0.3, None), "SIFT 2048": (0.4, 0.25)}
    write(
        "odometry",
        {
            "summaries": [
                {"method": m, "gap": gap, "median_direction_deg": value}
                for m, values in errors.items()
                for gap, value in zip((1, 4), values, strict=True)
            ]
        },
    )
    drift = {"length_m": 59.9, "segments": {"mean_t_rel_percent": 0.926}}
    path = {"mode": "stereo", "method": "ours", "path": {"errors": drift}}
    write("visual_odometry", {"results": [path, {**path, "mode": "mono", "path": {}}]})
    success = {
        ("ours", "noise", 24): 0.75,
        ("SIFT 2048", "noise", 24): 0.5,
        ("ours", "blur", 12): 0.5,
        ("SIFT 2048", "blur", 12): 0.75,
    }
    write(
        "stress",
        {
            "suites": [
                {"name": "noise", "quantity": "levels", "doses": [10.0, 20.0]},
                {"name": "blur", "quantity": "px", "doses": [5.0, 31.0]},
            ],
            "summaries": [
                {"method": method, "suite": suite, "success": share, "pairs": pairs}
                for (method, suite, pairs), share in success.items()
            ],
        },
    )

    def timed(name, total, ratio):
        return {
            "method": name,
            "stages_ms": {"total": {"median": total}},
            "ratios": {"ours, openvino": {"median": ratio}},
        }

    write(
        "benchmark",
        {"methods": [timed("ours, openvino", 20.2, 1.0), timed("SIFT 2048", 200.0, 9.9)]},
    )
    return folder


def test_the_overview_has_a_column_per_method_and_bold_parts(every_kind):
    assert overview(every_kind).splitlines() == [
        "|  | ours | SIFT 2048 |",
        "| --- | --- | --- |",
        "| random homographies of unseen photographs, AUC@1 / 3 / 5 px (n = 10) "
        "| **50** / 70 / 80 | 40 / **80** / **85** |",
        "| boat + iguazu: real zoom, rotation, noise, AUC@1 / 3 / 5 px (n = 10) "
        "| **50** / 70 / 80 | 40 / **80** / **85** |",
        "| KITTI 06: direction error, median degrees, 1 / 4 images apart "
        "| **0.30** / - | 0.40 / **0.25** |",
        "| stereo odometry, 60 m of KITTI 06: drift (t_rel), % | **0.93** | - |",
        "| noise, 10 to 20 levels: success, % (n = 24) | **75** | 50 |",
        "| blur, 5 to 31 px: success, % (n = 12) | 50 | **75** |",
        "| time per 640x480 frame (student: ONNX Runtime, without Lucas-Kanade) "
        "| 20 ms | 9.9 times |",
    ]


def test_the_summary_counts_the_pairs_of_all_kinds_of_stress_together(every_kind):
    lines = summary(every_kind).splitlines()
    assert [line.split(",")[0].split(":")[0] for line in lines[2:]] == [
        "| random homographies of unseen photographs",
        "| KITTI 06",
        "| stereo odometry",
        "| noise",
        "| time per 640x480 frame (student",
    ]
    assert lines[5] == "| noise, blur: success, % (n = 36) | **67** | 58 |"
    assert {line for line in lines if line != lines[5]} <= {*overview(every_kind).splitlines()}
