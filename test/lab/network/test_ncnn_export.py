"""A network as graphs of ncnn: they take every size, and what cannot be translated is named."""

import argparse
import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")
for package in ("pnnx", "ncnn"):
    pytest.importorskip(package, reason=f"{package} is not installed (make test-train)")

from coarse_loftr_lab.commands import ncnn as command
from coarse_loftr_lab.commands.export import add_ncnn
from coarse_loftr_lab.network.export import export_model
from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet
from coarse_loftr_lab.network.ncnn_export import export_ncnn
from coarse_loftr_lab.network.restore import restore_network
from coarse_loftr_ros.backends.base import NCNN_GRAPHS, ModelFiles
from coarse_loftr_ros.commands.common.errors import UserError

SMALL = MatcherConfig(
    stage_channels=(8, 8, 16, 16), token_channels=32, heads=2, cross_layers=2, fine_channels=8
)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(3)
    net = MatcherNet(SMALL).eval()
    with torch.no_grad():
        for weight in net.parameters():  # attention of a new network does nothing
            weight += 0.1 * torch.randn_like(weight)
    return net


@pytest.fixture(scope="module")
def exported(net, tmp_path_factory):
    """A model without graphs for ncnn."""
    folder = tmp_path_factory.mktemp("model")
    export_model(net, folder, "small")
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "model")


def test_ncnn_computes_what_pytorch_computes_at_every_size(net, folder, capsys):
    assert add_ncnn(net, folder)
    said = capsys.readouterr().out
    assert all(f"ncnn, {size}: largest" in said for size in ("640x480", "320x256", "96x160"))
    assert ModelFiles.load(folder).ncnn == folder
    assert net.cross_layers[0].sum_scale is None  # the network itself stays as it was


def test_the_command_adds_them_to_a_model_s_own_folder_in_float16_where_asked(folder):
    (folder / "notes.txt").write_text("stays")
    options = argparse.Namespace(model=str(folder), output=None, float16=True)
    assert command.run(options) == 0
    assert ModelFiles.load(folder).ncnn == folder
    half, full = ((folder / name).stat().st_size for name in ("encode.ncnn.bin", "encode.onnx"))
    assert half < 0.7 * full
    assert (folder / "notes.txt").read_text() == "stays"


def test_the_command_leaves_the_shipped_models_alone():
    options = argparse.Namespace(model="fast", output=None, float16=False)
    with pytest.raises(UserError, match="'fast' is a model of the package; name a folder"):
        command.run(options)


def test_the_shipped_graphs_are_of_the_shipped_network(tmp_path):
    shipped = ModelFiles.load()
    shutil.copyfile(shipped.encode.parent / "model.json", tmp_path / "model.json")
    export_ncnn(restore_network(shipped), tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    assert set(NCNN_GRAPHS) < facts["sha256"].keys()
    # The weights alone: another pnnx may name and order layers in another way.
    for file in (name for name in NCNN_GRAPHS if name.endswith(".bin")):
        assert (tmp_path / file).read_bytes() == (shipped.encode.parent / file).read_bytes()


def test_a_layer_that_ncnn_does_not_have_is_named(net, folder, monkeypatch):
    def similarity(self, reference, current):
        return torch.matmul(reference.cumsum(1), current.transpose(1, 2)).erfinv()

    monkeypatch.setattr(MatcherNet, "similarity", similarity)
    with pytest.raises(UserError, match=r"it has no layer 'aten::erfinv' \(\w+ of match.ncnn"):
        add_ncnn(net, folder)


def test_a_failure_of_pnnx_is_said_in_its_words(net, folder, monkeypatch):
    monkeypatch.setattr("coarse_loftr_lab.network.ncnn_export._SIZES", ((448, 320), (0, 0)))
    with pytest.raises(UserError, match="pnnx cannot translate the graph 'encode': "):
        add_ncnn(net, folder)
