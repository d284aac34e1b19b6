"""What can move in an image: light detectors by a description file, boxes, masks."""
