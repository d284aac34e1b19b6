"""Methods to compare with, one per file, each a :class:`~..pair_matcher.PairMatcher`."""
