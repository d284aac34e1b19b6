"""Parts of soak.py and fuzz.py."""
