"""The project's network: shapes, invariances, and one arithmetic in all its forms."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from coarse_loftr_lab.network.attention import AttentionLayer, linear_attention
from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet, dual_softmax
from coarse_loftr_lab.network.position import sine_position_encoding


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return MatcherNet().eval()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (480, 640), (192, 640)])
def test_any_multiple_of_32_is_taken(net, height, width):
    with torch.no_grad():
        tokens, fine = net.encode(torch.rand(1, 1, height, width))
        weight, row_sum, column_sum, row_max, column_max = net.match(tokens, tokens)
    cells = height * width // 256
    assert tokens.shape == (1, cells, net.config.token_channels)
    assert fine.shape == (1, net.config.fine_channels, height // 4, width // 4)
    assert weight.shape == (1, cells, cells)
    assert torch.equal(row_max, weight.amax(2)) and torch.equal(column_max, weight.amax(1))
    torch.testing.assert_close(row_sum, weight.sum(2))
    torch.testing.assert_close(column_sum, weight.sum(1))


def test_confidence_is_the_dual_softmax_of_the_similarity(net):
    with torch.no_grad():
        a, b = (net.encode(torch.rand(1, 1, 64, 96))[0] for _ in range(2))
        similarity = net.similarity(a, b)
        expected = similarity.softmax(1) * similarity.softmax(2)
        confidence = dual_softmax(*net.match(a, b)[:3])
    torch.testing.assert_close(confidence, expected, atol=1e-6, rtol=1e-4)


def test_swapping_the_images_transposes_the_confidence(net):
    with torch.no_grad():
        a, b = (net.encode(torch.rand(1, 1, 64, 96))[0] for _ in range(2))
        there, back = net.match(a, b)[0], net.match(b, a)[0]
        torch.testing.assert_close(there, back.transpose(1, 2), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("gain", "offset"), [(0.3, 0.0), (1.0, 0.4), (0.5, 0.25)])
def test_brightness_and_contrast_do_not_matter(net, gain, offset):
    image = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        for bright, dim in zip(net.encode(image), net.encode(gain * image + offset), strict=True):
            torch.testing.assert_close(bright, dim, atol=0.05, rtol=0.05)


def test_a_blank_image_gives_numbers(net):
    with torch.no_grad():
        tokens, fine = net.encode(torch.full((1, 1, 64, 64), 0.5))
        assert torch.isfinite(tokens).all() and torch.isfinite(fine).all()
        assert torch.isfinite(dual_softmax(*net.match(tokens, tokens)[:3])).all()


@pytest.mark.parametrize("scale", [None, 1 / 1024])
@pytest.mark.parametrize(("channels", "heads"), [(24, 3), (8, 1), (20, 4)])
def test_every_head_takes_the_weighted_mean_that_its_definition_says(channels, heads, scale):
    torch.manual_seed(1)
    layer = AttentionLayer(48, heads, attention=channels)
    q, k, v = (torch.randn(2, n, channels) for n in (5, 7, 7))
    expected = []
    for query, key, value in zip(*(x.chunk(heads, 2) for x in (q, k, v)), strict=True):
        phi_q, phi_k = (torch.nn.functional.elu(x) + 1 for x in (query, key))
        weights = phi_q @ phi_k.transpose(1, 2)
        expected.append((weights / weights.sum(2, keepdim=True)) @ value)
    attended = linear_attention(q, k, v, layer.same_head, scale=scale)
    torch.testing.assert_close(attended, torch.cat(expected, 2), atol=1e-5, rtol=1e-4)


def test_both_images_at_once_are_what_each_is_alone():
    torch.manual_seed(2)
    net = MatcherNet(MatcherConfig(cross_layers=2)).eval()
    with torch.no_grad():
        for layer in net.cross_layers:
            layer.norm2.weight.uniform_(0.5, 1.0)  # in a new network they do nothing
        a, b = (net.encode(torch.rand(3, 1, 64, 96))[0] for _ in range(2))
        together = net.similarity(a, b)
        net.both_at_once = False
        torch.testing.assert_close(net.similarity(a, b), together, atol=1e-4, rtol=1e-4)


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match="cannot be divided among 5 heads"):
        AttentionLayer(48, 5)


def test_positions_are_distinct_and_need_a_multiple_of_four_channels():
    encoding = sine_position_encoding(48, 30, 40).flatten(1).T
    assert torch.cdist(encoding, encoding).fill_diagonal_(9).min() > 0.1
    with pytest.raises(ValueError, match="multiple of 4"):
        sine_position_encoding(30, 4, 4)


def test_a_configuration_survives_a_checkpoint():
    config = MatcherConfig(stage_channels=(8, 16, 24, 32), cross_layers=1)
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in config.to_dict().items()}
    assert MatcherConfig.from_dict(values) == config
