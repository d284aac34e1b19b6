"""Programs that signals end: real processes, signalled while they do this or that."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import atexit, ctypes, os, signal, sys, threading, time
from coarse_loftr_ros.process import stopping
stopping.GRACE_S = {grace}

def body():
    {body}
    return 7

signals = stopping.StopSignals(lambda number: 128 + number, stopping.interrupt)
code = signals.run(body)
print("status", code, flush=True)
{after}
sys.exit(code)
"""
READY = 'print("ready", flush=True)'
INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.fixture
def run(tmp_path):
    """Runs a body of statements, sends signals once it says that it is ready; (status, output)."""

    def start(body: str, *numbers: int, after: str = "", grace: float = 20.0, gap: float = 0.15):
        program = PROGRAM.format(body=body.replace("\n", "\n    "), after=after, grace=grace)
        (tmp_path / "program.py").write_text(program)
        process = subprocess.Popen(
            [sys.executable, "-m", "program"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            lines = []
            while "ready\n" not in lines:
                lines.append(process.stdout.readline())
                assert lines[-1], lines
            for number in numbers:
                process.send_signal(number)
                time.sleep(gap)
            rest = process.stdout.read()  # not communicate, which would miss what readline has read
            process.wait(20)
        finally:
            process.kill()
        return process.returncode, "".join(lines) + rest

    return start


@pytest.mark.parametrize(("number", "status"), [(INT, 130), (TERM, 143)])
def test_a_signal_interrupts_the_program_and_is_its_status(run, number, status):
    code, output = run(f"{READY}\ntime.sleep(60)", number)
    assert (code, output) == (status, f"ready\nstatus {status}\n")


def test_further_signals_do_not_disturb_what_is_closed(run):
    body = f"try:\n    {READY}; time.sleep(60)\nfinally:\n    time.sleep(0.5); print('closed')"
    code, output = run(body, INT, INT, TERM)
    assert (code, output) == (130, "ready\nclosed\nstatus 130\n")


def test_native_code_that_does_not_return_is_ended_after_the_grace(run):
    stuck = "threading.Timer(0.3, print, ['ready'], {'flush': True}).start()\n"
    stuck += "libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)\n"
    stuck += "libc.pthread_mutex_lock(lock); libc.pthread_mutex_lock(lock)"
    begin = time.monotonic()
    code, output = run(stuck, INT, grace=0.5)
    assert (code, output) == (130, "ready\n")
    assert time.monotonic() - begin < 10


def test_a_program_that_swallows_the_interruption_is_ended_after_the_grace(run):
    body = f"while True:\n    try: {READY}; time.sleep(60)\n    except BaseException: pass"
    assert run(body, TERM, grace=0.5) == (143, "ready\nready\n")


def test_a_worker_that_never_ends_does_not_hold_the_process(run):
    body = f"threading.Thread(target=time.sleep, args=(60,)).start()\n{READY}\ntime.sleep(60)"
    assert run(body, INT, grace=0.5) == (130, "ready\nstatus 130\n")


def test_a_signal_in_code_that_was_compiled_from_text_is_no_other_one(run):
    """As in the methods that dataclasses write: Python would die of SIGINT after all."""
    body = f"exec({READY!r} + '; time.sleep(60)')"
    assert run(body, INT) == (130, "ready\nstatus 130\n")


def test_what_cannot_raise_prints_no_traceback(run):
    class_ = "class Slow:\n    def __del__(self): print('ready', flush=True); time.sleep(1)"
    code, output = run(f"{class_}\nSlow()\ntime.sleep(60)", INT, grace=2.0)
    assert (code, "Traceback" in output) == (130, False), output


def test_errors_that_follow_from_a_signal_are_not_shown(run):
    body = f"try:\n    {READY}; time.sleep(60)\nfinally:\n    raise ImportError('half a module')"
    assert run(body, INT) == (130, "ready\nstatus 130\n")


def test_a_signal_while_python_ends_changes_nothing(run):
    assert run("pass", INT, INT, after=f"atexit.register(time.sleep, 0.5); {READY}")[0] == 7


def test_without_a_signal_errors_stay_what_they_are(run):
    code, output = run(f"{READY}\nraise ValueError('a defect')")
    assert code == 1
    assert "Traceback" in output and "ValueError: a defect" in output


def test_a_forked_child_has_signals_of_its_own(run):
    body = "child = os.fork()\n"
    body += "if not child: signal.pause()\n"
    body += "time.sleep(0.2); os.kill(child, signal.SIGTERM)\n"
    body += f"_, how = os.waitpid(child, 0)\n{READY}\ntime.sleep(1)\n"
    body += "return os.waitstatus_to_exitcode(how)"
    code, output = run(body, grace=0.3)
    assert output == "ready\nstatus -15\n", "the child died of it, the parent lived on"
    assert code == 256 - 15
