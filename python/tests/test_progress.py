"""What a terminal shows of a call with ``progress=True``."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

#: A source that takes longer than the time for which no bar is shown, and one that fails after it.
SCRIPT = """
import sys, time
from bucket_client import BucketClient

def chunks():
    for _ in range(8):
        yield bytes(1 << 20)
        time.sleep(0.1)
    if sys.argv[3] == "fails":
        raise RuntimeError("the source broke")

result = BucketClient(sys.argv[1]).put(sys.argv[2], chunks(), progress=True)
print("stored", result.entry.size, file=sys.stderr)
"""


def in_a_terminal(*arguments: str) -> str:
    """Return what a script shows in a terminal of 100 columns, with line ends as ``\\n``."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    shown = b""
    with subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        while True:
            try:
                piece = os.read(screen, 1 << 16)
            except OSError:  # Linux reports the end of a terminal as EIO
                break
            if not piece:
                break
            shown += piece
        process.wait(60)
    os.close(screen)
    return shown.decode().replace("\r\n", "\n")


@pytest.fixture(autouse=True)
def _needs_tqdm() -> None:
    pytest.importorskip("tqdm")


def test_a_terminal_shows_a_bar_of_each_slow_phase_and_then_goes_on_below_it(url: str, ref: str) -> None:
    shown = in_a_terminal(url, ref, "ends")
    assert re.search(rf"\r{ref} hashing: [4-8]\.\d+M", shown), shown
    *_, last = shown.rstrip("\n").split("\n")
    assert last == f"stored {8 << 20}"


def test_a_call_that_fails_ends_its_bar_before_the_error_is_shown(url: str, ref: str) -> None:
    bar, traceback, error = in_a_terminal(url, ref, "fails").partition("Traceback")
    assert traceback, bar
    assert bar.endswith("\n"), bar
    assert "hashing" in bar
    assert "hashing: " not in error, error
    assert error.rstrip().endswith("RuntimeError: the source broke")


def test_a_stream_that_is_left_early_ends_its_bar(bucket: object, ref: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from bucket_client import BucketClient, TqdmProgress

    assert isinstance(bucket, BucketClient)
    monkeypatch.setattr(TqdmProgress, "_PATIENCE", -1)
    bucket.put(ref, bytes(4 << 20))
    with open(os.devnull, "w") as nowhere:
        bar = TqdmProgress("left", file=nowhere)
        with bucket.get(ref, progress=bar) as stream:
            stream.read(1 << 20)
            assert bar._bar is not None
        assert bar._bar is None


NOTEBOOK = """
from bucket_client import BucketClient
import time

def chunks():
    for _ in range(8):
        yield bytes(1 << 20)
        time.sleep(0.1)

stored = BucketClient({url!r}).put({ref!r}, chunks(), progress=True)
print("stored", stored.entry.size)
"""


def test_a_notebook_shows_a_bar_as_a_widget(url: str, ref: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("ipywidgets")
    cell = nbformat.v4.new_code_cell(NOTEBOOK.format(url=url, ref=ref))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    outputs = notebook.cells[0].outputs
    widgets = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert f"{ref} hashing" in widgets[0]["data"]["text/plain"], outputs
    printed = [output["text"] for output in outputs if output["output_type"] == "stream" and output["name"] == "stdout"]
    assert printed == [f"stored {8 << 20}\n"]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
