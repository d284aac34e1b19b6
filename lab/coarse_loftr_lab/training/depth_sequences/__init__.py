"""Image sequences with known poses and depth, in the layouts of public data sets."""
