"""Settings that make no sense are refused before a run begins."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import yaml

from coarse_loftr_lab.training.settings import SequenceSettings, make_settings, read_yaml


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"width": 100}, "width is 100"),
        ({"steps": 0}, "steps is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"amp": "half"}, "amp is 'half'; it must be one of off, bfloat16, float16"),
        ({"ema_decay": 1.0}, "ema_decay is 1"),
        ({"images": ()}, "at least one folder"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, **bad)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepps: 3", "unknown setting stepps; allowed are images, .*distillation"),
        ("network: {colour: 3}", "unknown setting network.colour; allowed are .*token_channels"),
        ("distillation: {temperature: 2}", "distillation.teacher is missing"),
        ("steps: many", "steps is 'many'; it must be a whole number"),
        ("network: {stage_channels: [8, 8]}", "network.stage_channels .* takes 4 values"),
        ("output: there", "output: the run folder is given on the command line"),
        ("steps: [", "is not YAML"),
        ("- steps", "holds no keys and values"),
    ],
)
def test_a_file_with_anything_unknown_in_it_is_refused(tmp_path, photographs, text, message):
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        values = read_yaml(tmp_path / "settings.yaml")
        make_settings({**values, "images": [str(photographs)]}, tmp_path)


def test_a_number_that_yaml_takes_for_text_is_a_number(tmp_path, photographs):
    values = yaml.safe_load(
        "learning_rate: 1e-3\nweight_decay: 1\nnetwork: {stage_blocks: [0,0,1,0]}"
    )
    made = make_settings({**values, "images": [str(photographs)]}, tmp_path)
    assert (made.learning_rate, made.weight_decay) == (1e-3, 1.0)
    assert made.network.stage_blocks == (0, 0, 1, 0)


def test_images_without_truth_need_a_teacher(settings, photographs, tmp_path):
    with pytest.raises(ValueError, match="need distillation"):
        settings(tmp_path, sequences=(SequenceSettings("frames", photographs),))
