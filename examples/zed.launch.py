"""Stereo odometry with a Stereolabs ZED. NOT run on hardware.

``ros2 launch coarse_loftr_ros zed.launch.py camera_model:=zed2i`` starts driver, matcher and
odometry; ``camera_model`` is the driver's, which has no default.

Read in the sources of zed_wrapper 5.4.1 (before 5.1 the topics had other names):

- ``left/gray/rect/image`` and ``right/gray/rect/image`` are published with
  ``video.publish_left_right`` and ``video.publish_gray``, both false by default: zed.yaml.
- ``camera_info`` is beside each, rectified, with P[3] of the right one -fx times the baseline.
- The driver would send ``odom`` to its camera on /tf as well: ``publish_tf`` is false.
"""

from launch import LaunchDescription

from coarse_loftr_ros.node.launching.camera import example, odometry_with_driver


def generate_launch_description() -> LaunchDescription:
    """Start the driver and both nodes."""
    return odometry_with_driver(
        "zed_wrapper",
        "zed_camera.launch.py",
        {
            "ros_params_override_path": example("zed.yaml"),
            "publish_tf": "false",
            "publish_map_tf": "false",
        },
        base_frame="zed_camera_link",
        left_image="/zed/zed_node/left/gray/rect/image",
        right_image="/zed/zed_node/right/gray/rect/image",
    )
