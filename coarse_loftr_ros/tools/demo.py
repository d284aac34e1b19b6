from __future__ import annotations
def add_parser(subparsers):
    return subparsers.add_parser("demo")
def run(args): return 0
