"""Files that appear whole, their digests, JSON that people can read, and figures."""
