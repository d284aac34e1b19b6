"""Many recordings: where they are, what is done with each, and what comes out of all of them."""
