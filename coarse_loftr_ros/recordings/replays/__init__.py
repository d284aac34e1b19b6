"""What the nodes would publish of a recording, and the cameras beside it."""
