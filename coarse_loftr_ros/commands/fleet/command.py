"""``coarse-loftr fleet``: many recordings, on this machine or on a Ray cluster."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coarse_loftr_ros.fleet.folder import FleetFolder
    from coarse_loftr_ros.fleet.manifest import Manifest

__all__ = ["add_parser", "run"]

_FLEET = "pip install 'coarse_loftr_ros[fleet]'"


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "fleet",
        help="many recordings at once, on this machine or a Ray cluster, with one report",
        description="Match and follow every recording under every setting, and write for each its "
        "matches and status (Parquet), path (TUM, KITTI) and errors, and for all of them "
        "OUT/index.html. 'fleet compare OUT_A OUT_B' says what became better or worse; "
        "'fleet --resume OUT' goes on after an interruption. The exit status is 1 where a "
        "recording failed or cannot be used.",
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCES",
        help="recordings, folders with recordings somewhere in them, globs, or .txt and .list "
        "files with one source per line; local, or at an address that fsspec knows "
        "(s3://bucket/folder); or the word compare and two folders of results",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="folder of the results")
    parser.add_argument(
        "--resume", type=Path, metavar="OUT", help="do what is missing there, with its settings"
    )
    parser.add_argument(
        "--retry",
        action="store_true",
        help="with --resume: try again also what failed, or could not be used (a recording that "
        "was mended since, or needs more --memory-gb)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace what is in OUT; with --resume go on although versions have changed",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        action="append",
        default=[],
        metavar="YAML",
        help="what is done with each recording, as lines of 'name: value'; may be repeated to "
        "compare settings (default: the defaults of replay and odometry)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="recordings at a time; 0 for one in this process, without Ray (default: as many as "
        "there are CPUs for)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="Ray cluster that this machine is a part of: auto, or HOST:PORT of its head "
        "(default: one that is started for the time being)",
    )
    parser.add_argument(
        "--gpus-per-worker",
        type=float,
        default=0.0,
        metavar="X",
        help="GPUs of each worker, also a part of one (default: %(default)s)",
    )
    parser.add_argument(
        "--memory-gb",
        type=float,
        metavar="GB",
        help="memory of each worker; a recording that needs more is given up (default: no limit)",
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="folder for copies of remote recordings (default: that of the system)",
    )
    parser.add_argument(
        "--no-matches", action="store_true", help="do not write every match (matches.parquet)"
    )
    parser.add_argument(
        "--bag", action="store_true", help="also write what the matcher node would publish, as MCAP"
    )
    parser.add_argument(
        "--json", action="store_true", help="progress and results as lines of JSON on stdout"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Run, go on, or compare."""
    from importlib.util import find_spec

    if args.sources[:1] == ["compare"]:
        from coarse_loftr_ros.commands.fleet.comparison import run_comparison

        return run_comparison(args)
    for module in ("pyarrow", "fsspec", "plotly"):
        if find_spec(module) is None:
            raise UserError(f"{module} is not installed: {_FLEET}")
    _check(args)
    from coarse_loftr_ros.fleet.folder import FleetFolder
    from coarse_loftr_ros.fleet.ray_workers import check_ray
    from coarse_loftr_ros.fleet.running import prepare
    from coarse_loftr_ros.fleet.settings import FleetError

    folder = FleetFolder((args.resume or args.output).absolute())
    if args.workers != 0:
        with as_user_error(FleetError):
            check_ray(args.ray)
    with as_user_error(FleetError):
        manifest = _resumed(args, folder) if args.resume else _wanted(args)
        with folder.held():
            if not args.resume:
                prepare(folder, manifest, force=args.force)
            failed = _work(args, folder, manifest)
            _report(args, folder, manifest)
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if bool(args.sources) == bool(args.resume) or (args.output is None) == (args.resume is None):
        raise UserError("give SOURCES and -o OUT, or --resume OUT alone")
    if args.resume and (args.settings or args.bag or args.no_matches):
        raise UserError("--resume goes on with the settings and outputs of OUT: give none")
    if args.retry and not args.resume:
        raise UserError("--retry goes with --resume")
    if args.workers is not None and not 0 <= args.workers <= 100_000:
        raise UserError(f"--workers is {args.workers}; it must be 0 to 100000")
    if args.workers == 0 and args.ray:
        raise UserError("--workers 0 runs without Ray, and --ray with it")
    if not 0 <= args.gpus_per_worker <= 64:
        raise UserError(f"--gpus-per-worker is {args.gpus_per_worker}; it must be 0 to 64")
    if args.memory_gb is not None and not 0.1 <= args.memory_gb <= 1e5:
        raise UserError(f"--memory-gb is {args.memory_gb}; it must be 0.1 to 100000")


def _wanted(args: argparse.Namespace) -> Manifest:
    """A new fleet.

    Raises:
        FleetError: when its settings or sources cannot be used.
    """
    from coarse_loftr_ros.fleet.manifest import Manifest
    from coarse_loftr_ros.fleet.pipelines import check_matching
    from coarse_loftr_ros.fleet.settings import Settings, read_settings
    from coarse_loftr_ros.fleet.sources import find_recordings

    settings = [read_settings(path) for path in args.settings] or [Settings()]
    for each in settings:
        check_matching(each, here=args.ray is None)
    recordings = find_recordings([_absolute(source) for source in args.sources])
    return Manifest.of(recordings, settings, not args.no_matches, args.bag)


def _resumed(args: argparse.Namespace, folder: FleetFolder) -> Manifest:
    """The fleet of a folder.

    Raises:
        FleetError: when there is none, or it was made with other versions.
    """
    from dataclasses import replace

    from coarse_loftr_ros.fleet.manifest import Manifest, read_manifest
    from coarse_loftr_ros.fleet.settings import FleetError

    there = read_manifest(folder)
    here = Manifest.of(there.recordings, there.settings, there.matches, there.bag)
    differs = there.difference(here)
    if differs and not args.force:
        raise FleetError(
            f"{folder.root} was begun with other versions: {differs}; --force goes on all the same"
        )
    return replace(there, environment=here.environment)


def _work(args: argparse.Namespace, folder: FleetFolder, manifest: Manifest) -> int:
    """Do what is missing; how many tasks have failed, or are of unusable recordings."""
    from coarse_loftr_ros.commands.fleet.progress import JsonLines, Lines
    from coarse_loftr_ros.fleet.running import Resources, run_fleet

    resources = Resources(
        args.workers,
        args.ray,
        args.gpus_per_worker,
        None if args.memory_gb is None else round(args.memory_gb * 1e9),
        args.scratch,
    )
    show = (JsonLines if args.json else Lines)(folder.root)
    with closing(show), _ray_log(args, folder):
        for progress, task, outcome in run_fleet(
            folder, manifest, resources, retry=args.retry, say=_say
        ):
            show.show(progress, task, outcome)
        show.end(progress)
    return progress.failed + progress.unusable


@contextmanager
def _ray_log(args: argparse.Namespace, folder: FleetFolder) -> Iterator[None]:
    """Ray prints what its nodes say: that goes to a file, or lines of JSON were not alone."""
    if args.workers == 0:
        yield
        return
    with as_user_error(OSError):
        log = (folder.root / "ray.log").open("a", encoding="utf-8")
    with log, redirect_stdout(log):
        yield


def _report(args: argparse.Namespace, folder: FleetFolder, manifest: Manifest) -> None:
    from coarse_loftr_ros.fleet.report.page import write_report
    from coarse_loftr_ros.fleet.settings import FleetError

    try:
        write_report(folder, manifest)
    except OSError as error:
        raise FleetError(
            f"{folder.report} cannot be written: {error.strerror}; "
            f"'coarse-loftr fleet --resume {folder.root}' writes it"
        ) from error
    if not args.json:
        print(f"written: {folder.report}")


def _absolute(source: str) -> str:
    return source if "://" in source else os.path.abspath(source)  # noqa: PTH100 - links keep their names


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
