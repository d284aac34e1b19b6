"""The node ``odometry``: correspondences in, the robot's path out."""
