"""Stereo odometry with a Luxonis OAK-D. NOT run on hardware.

``ros2 launch coarse_loftr_ros oak.launch.py`` starts driver, matcher and odometry.

Read in the sources of depthai_ros_driver 2.10.3 (Humble, Jazzy); version 3 was not looked at:

- With oak.yaml, ``left/image_raw`` and ``right/image_raw`` are the rectified images, whatever their
  names say, with ``camera_info`` beside them.
- P[3] of the right one is -fx times the baseline with ``i_reverse_stereo_socket_order`` only;
  without it the left one has it, and odometry refuses the pair.
- ``i_publish_synced_rect_pair`` reads from queues that are there with ``i_left_rect_synced`` and
  ``i_right_rect_synced`` false only (they are true by default). ``i_enable_sync`` needs none of
  that and gives both images one stamp.
- R of these ``camera_info`` is a rotation with ones in its diagonal, and so none: leave the
  matcher's ``rectify`` false.
- TF has the left camera as it is built; the rectified one is turned by about a degree.
"""

from launch import LaunchDescription

from coarse_loftr_ros.node.launching.camera import example, odometry_with_driver


def generate_launch_description() -> LaunchDescription:
    """Start the driver and both nodes."""
    return odometry_with_driver(
        "depthai_ros_driver",
        "camera.launch.py",
        {
            "params_file": example("oak.yaml"),
            "rectify_rgb": "false",
        },
        base_frame="oak-d-base-frame",
        left_image="/oak/left/image_raw",
        right_image="/oak/right/image_raw",
    )
