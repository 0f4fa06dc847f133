"""Charts drawn by two threads of one server at once: neither waits for the other for ever."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import contextlib, gc, os, sys, threading, time
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
import django
django.setup()
from corridor.web import chart_render

if sys.argv[1] == "unguarded":
    chart_render.ONE_AT_A_TIME = contextlib.nullcontext()
rows = [{"day": f"2026-01-{1 + number % 28:02d}", "cases": number} for number in range(400)]
encoding = {"x": {"field": "day", "type": "temporal"}, "y": {"field": "cases", "type": "quantitative"}}
spec = {"data": {"values": rows}, "mark": "line", "encoding": encoding}
look = {"theme": "light", "language": "en"}
drawn = chart_render.to_vega(spec, width="half", **look)
chart_render.to_svg(drawn, **look)
is_inside = threading.Event()
compile = chart_render.vl_convert.vegalite_to_vega

def interrupted(*given, **named):
    # While the library makes Python's objects, garbage is collected, and another thread gets its turn.
    def yield_once(phase, about):
        gc.callbacks.remove(yield_once)
        is_inside.set()
        time.sleep(0.5)
    gc.collect()
    gc.set_threshold(100)
    gc.callbacks.append(yield_once)
    return compile(*given, **named)

def second():
    is_inside.wait()
    assert chart_render.to_svg(drawn, **look).startswith("<svg")

chart_render.vl_convert.vegalite_to_vega = interrupted
threads = [threading.Thread(target=chart_render.to_vega, args=(spec,), kwargs={"width": "half", **look})]
threads.append(threading.Thread(target=second))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("drawn")
"""


def _draw(how: str, *, seconds: float) -> str:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=seconds, check=True
    )
    return run.stdout.strip()


def test_a_second_thread_draws_while_the_first_is_in_the_library() -> None:
    assert _draw("guarded", seconds=120) == "drawn"


def test_without_the_lock_both_would_wait_for_each_other_for_ever() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        _draw("unguarded", seconds=12)
