"""From correspondences to poses: stereo, mono and planar odometry, free of ROS."""
