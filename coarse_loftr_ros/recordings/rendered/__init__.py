"""Rendered recordings, whose truth is exact: a flight over a landscape, a drive along a street."""
