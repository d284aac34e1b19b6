"""Stereo odometry with an Intel RealSense D400: the two infrared cameras. NOT run on hardware.

``ros2 launch coarse_loftr_ros realsense.launch.py`` starts driver, matcher and odometry.

Read in the sources of realsense2_camera 4.55.1 and 4.56.1:

- Infrared images of a depth sensor are rectified: ``image_rect_raw``, with ``camera_info`` beside
  them, no distortion, R the identity.
- P[3] of infra2 is -fx times the baseline, where infra1 and infra2 both run. (Its P[7], of a
  vertical offset, need not be 0; nothing here uses it.)
- ``depth_module.emitter_enabled`` is a parameter of the node and no argument of rs_launch.py, so it
  is in realsense.yaml. While the driver runs:
  ``ros2 param set /camera/camera depth_module.emitter_enabled 0``.
"""

from launch import LaunchDescription

from coarse_loftr_ros.node.launching.camera import example, odometry_with_driver


def generate_launch_description() -> LaunchDescription:
    """Start the driver and both nodes."""
    return odometry_with_driver(
        "realsense2_camera",
        "rs_launch.py",
        {
            "config_file": example("realsense.yaml"),
            "enable_color": "false",
            "enable_depth": "false",
            "enable_infra1": "true",
            "enable_infra2": "true",
        },
        base_frame="camera_link",
        left_image="/camera/camera/infra1/image_rect_raw",
        right_image="/camera/camera/infra2/image_rect_raw",
    )
