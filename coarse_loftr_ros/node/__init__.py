"""The ROS 2 node: parameters, messages, worker and diagnostics around the pipeline."""
