"""Recordings of ROS 2 (rosbag2 as MCAP or sqlite3) read and written without ROS."""
