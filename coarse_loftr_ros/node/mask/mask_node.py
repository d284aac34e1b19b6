"""The program ``mask_node``: the lifecycle node ``mask`` as a process.

Nothing is imported before signals are looked after: Ctrl-C may come while the rest is loaded.
"""

from __future__ import annotations

from coarse_loftr_ros.node.common.program import run_node

__all__ = ["main"]


def main(args: list[str] | None = None) -> int:
    """Run the node until a signal; the exit status is 1 when it cannot start or has died."""

    def load() -> type:
        from coarse_loftr_ros.node.mask.node import MaskNode

        return MaskNode

    return run_node(load, "mask", args)


if __name__ == "__main__":
    raise SystemExit(main())
