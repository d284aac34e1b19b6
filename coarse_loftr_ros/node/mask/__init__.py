"""The lifecycle node ``mask``: images in, masks that leave out what moves."""
