"""Services of an active matcher: what they answer, and which image they are about."""

from __future__ import annotations

import gc
import sys
import threading
import time

from active_matcher import ActiveMatcher, with_parameters

from coarse_loftr_ros.node.common.conversion import stamp_ns


def seconds(stamp: int) -> str:
    return f"{stamp // 10**9}.{stamp % 10**9:09d} s"


def test_set_keyframe_fails_with_the_reason_when_there_is_no_image(matcher):
    assert matcher.call("set_keyframe") == (False, "no image has been received yet")
    matcher.send()
    second = matcher.send()
    matcher.matched(second)
    assert matcher.call("reset") == (True, "the next image is the new reference")
    assert matcher.call("set_keyframe") == (
        False,
        "no image has been matched since the start or the last reset",
    )


def test_set_keyframe_fails_when_the_newest_image_cannot_be_used(matcher):
    first = matcher.send()
    matcher.matched(matcher.send())
    matcher.send("garbage")
    matcher.received(3)
    success, message = matcher.call("set_keyframe")
    assert not success
    assert message.startswith("the newest image was not used: image encoding 'garbage'")
    assert matcher.matched(matcher.send()) == first


def test_set_keyframe_takes_the_newest_image_received_though_others_wait(matcher):
    """A queue of images behind one that takes long: the answer is about the last of them."""
    matcher.send()
    matcher.device.free.clear()
    stamps = [matcher.send() for _ in range(6)]
    matcher.received(7)
    asked = matcher.call_async("set_keyframe")
    matcher.until(lambda: matcher.activity._commands._open)
    later = matcher.send()
    matcher.received(8)
    assert not asked.done()
    matcher.device.free.set()
    success, message = matcher.response(asked)
    assert success
    assert f"the newest image, of {seconds(stamps[-1])}, is the reference" in message
    assert matcher.matched(later) == stamps[-1]


def test_reset_comes_between_the_images_that_have_come_and_those_to_come(matcher):
    first = matcher.send()
    matcher.device.free.clear()
    before = [matcher.send() for _ in range(3)]
    matcher.received(4)
    asked = matcher.call_async("reset")
    matcher.until(lambda: matcher.activity._commands._open)
    after = [matcher.send() for _ in range(2)]
    matcher.device.free.set()
    assert matcher.response(asked)[0]
    assert matcher.matched(after[-1]) == after[0]
    results = [stamp_ns(message.header.stamp) for message in matcher.results]
    assert results == [*before, after[-1]]
    assert stamp_ns(matcher.results[0].reference_header.stamp) == first


@with_parameters(freshness="latest")
def test_when_only_the_newest_image_counts_a_newer_one_may_become_the_keyframe(matcher):
    matcher.send()
    matcher.until(lambda: matcher.activity._statistics.snapshot().counts["first references"])
    matcher.matched(matcher.send())
    matcher.until(lambda: matcher.activity._worker.busy_s == 0)
    matcher.device.free.clear()
    matcher.send()
    matcher.received(3)
    matcher.until(lambda: matcher.activity._worker.busy_s > 0)
    matcher.send()
    matcher.received(4)
    asked = matcher.call_async("set_keyframe")
    matcher.until(lambda: matcher.activity._commands._open)
    newest = matcher.send()
    matcher.received(5)
    matcher.device.free.set()
    success, message = matcher.response(asked)
    assert success and seconds(newest) in message


def free_once_it_stops(matcher):
    """Let the image in work end as soon as the worker is asked to stop, however late that is."""
    worker = matcher.activity._worker

    def free():
        while not worker._stopping:
            time.sleep(0.01)
        matcher.device.free.set()

    threading.Thread(target=free, daemon=True).start()


def test_the_node_goes_on_while_an_answer_waits_and_answers_when_it_is_deactivated(matcher):
    matcher.device.free.clear()
    matcher.send()
    matcher.received(1)
    asked = [matcher.call_async("set_keyframe"), matcher.call_async("reset")]
    matcher.until(lambda: matcher.activity._commands._open == 2)
    matcher.send()
    matcher.received(2)  # images are received meanwhile
    free_once_it_stops(matcher)
    commands = matcher.activity._commands
    matcher.deactivate()
    for future in asked:
        assert matcher.response(future) == (False, "nothing was done: the node is not active")
    matcher.until(lambda: not commands._services)


def test_what_is_asked_while_the_node_is_deactivated_is_answered_and_leaves_nothing(matcher):
    matcher.device.free.clear()
    matcher.send()
    matcher.received(1)
    first = matcher.call_async("reset")
    commands = matcher.activity._commands
    matcher.until(lambda: commands._open)
    late = [matcher.call_async("set_keyframe"), matcher.call_async("reset")]
    free_once_it_stops(matcher)
    matcher.deactivate()  # with the services still open, for the one that waits
    for future in (first, *late):
        assert matcher.response(future) == (False, "nothing was done: the node is not active")
    matcher.until(lambda: not commands._services)


def test_an_answer_that_waits_when_the_process_ends_is_given_up_without_a_word(
    pipeline, monkeypatch
):
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    matcher = ActiveMatcher(pipeline)
    matcher.device.free.clear()
    matcher.send()
    matcher.received(1)
    matcher.call_async("reset")
    commands = matcher.activity._commands
    matcher.until(lambda: commands._open)
    matcher.close()
    del matcher
    gc.collect()
    assert [str(complaint.exc_value) for complaint in complaints] == []


def test_a_command_that_waits_too_long_is_taken_back(matcher):
    matcher.activity._commands._timeout_s = 0.2
    matcher.device.free.clear()
    first = matcher.send()
    matcher.received(1)
    assert matcher.call("reset") == (False, "nothing was done: the node was busy for 0.2 s")
    matcher.device.free.set()
    assert matcher.matched(matcher.send()) == first


def test_a_keyframe_on_a_device_that_fails_is_refused_and_the_node_lives(matcher):
    first = matcher.send()
    matcher.matched(matcher.send())
    matcher.device.fails = True
    matcher.send()
    matcher.received(3)
    success, message = matcher.call("set_keyframe")
    assert not success
    assert "the GPU failed to encode an image: it is gone" in message
    matcher.device.fails = False
    assert matcher.matched(matcher.send()) == first
