"""Names of the message types that are published or recorded."""

__all__ = [
    "CAMERA_INFO",
    "COMPRESSED_IMAGE",
    "CORRESPONDENCES",
    "HOMOGRAPHY",
    "IMAGE",
    "ODOMETRY",
    "POSE_STAMPED",
    "RELATIVE_POSE",
    "TF",
]

CORRESPONDENCES = "coarse_loftr_msgs/msg/Correspondences"
HOMOGRAPHY = "coarse_loftr_msgs/msg/HomographyStamped"
RELATIVE_POSE = "coarse_loftr_msgs/msg/RelativePose"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POSE_STAMPED = "geometry_msgs/msg/PoseStamped"
ODOMETRY = "nav_msgs/msg/Odometry"
TF = "tf2_msgs/msg/TFMessage"
