"""Training of the project's own network; needs the ``train`` extra."""
