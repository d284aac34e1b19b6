"""From similarities to matches of cells: mutual, above the threshold, with their confidence."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coarse_loftr_ros.backends.decoding import CoarseMatches


def coarse_matches(weight):
    weight = np.array(weight, np.float32)
    sums, maxima = (weight.sum(1), weight.sum(0)), (weight.max(1), weight.max(0))
    return CoarseMatches(weight, *sums, *maxima)


def test_only_mutual_best_cells_are_matched_and_confidence_is_the_dual_softmax():
    weight = [[9, 1, 0.1], [8, 2, 0.1], [0.1, 3, 0.5]]
    # Cell 1 prefers column 0 as well, which belongs to cell 0.
    cell, current_cell, confidence = coarse_matches(weight).mutual(0.1, 10)
    assert cell.tolist() == [0, 2] and current_cell.tolist() == [0, 1]
    expected = [9 / 10.1 * 9 / 17.1, 3 / 3.6 * 3 / 6]
    np.testing.assert_allclose(confidence, expected, rtol=1e-5)


@given(arrays(np.float32, (6, 6), elements=st.floats(-20, 20, width=32)), st.floats(0.01, 0.9))
def test_matches_are_the_mutual_maxima_of_the_similarity_above_the_threshold(scores, threshold):
    weight = np.exp(scores)
    confidence = weight**2 / np.outer(weight.sum(1), weight.sum(0))
    found = coarse_matches(weight).mutual(threshold, 100)
    expected = {
        (i, j)
        for i, j in np.ndindex(6, 6)
        if j == weight[i].argmax()
        and weight[i, j] == weight[:, j].max()
        and confidence[i, j] >= threshold * 1.001
    }
    pairs = set(zip(found[0].tolist(), found[1].tolist(), strict=True))
    assert expected <= pairs
    np.testing.assert_allclose(found[2], confidence[found[0], found[1]], rtol=1e-3)
    assert (found[2] >= threshold).all()
