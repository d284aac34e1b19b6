"""What the nodes publish and recordings hold, as messages of rclpy or of a library without ROS."""
