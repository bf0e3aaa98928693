"""What the measurements need around the Python client: a server of their own, and the floors that stand next to it."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
NODE = ["node", "--import", "tsx"]
MIB = 1 << 20


@dataclass(frozen=True)
class Place:
    """Where one run measures."""

    #: Root of the API.
    url: str
    #: Of the run's own, on the disk that is measured.
    folder: Path
    rounds: int
    #: Bytes of a large artifact.
    size: int


@contextlib.contextmanager
def measured_place(description: str) -> Iterator[Place]:
    """Start a server over a new folder, which is removed at the end, as the command line says."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folder", help="on the disk to measure; the system's folder for temporary files if left out")
    parser.add_argument("--rounds", type=int, default=3, help="each takes up to 6 GiB of the disk")
    parser.add_argument("--mib", type=int, default=1024, help="size of a large artifact")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        command = [*NODE, "bin/bucket.ts", "serve", "--port", "0", "--data-dir", str(folder / "data")]
        with open(folder / "server.log", "wb") as log:
            server = subprocess.Popen(
                command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        try:
            line = server.stdout.readline() if server.stdout else ""
            if " at http" not in line:
                raise RuntimeError(f"the server did not start: {(folder / 'server.log').read_text()[-2000:]}")
            yield Place(line.split(" at ")[1].strip(), folder, given.rounds, given.mib * MIB)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def random_file(path: Path, size: int) -> str:
    """Write a file of random bytes, a MiB that repeats, and return its digest."""
    block = os.urandom(MIB)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(block)
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def timed(action: Callable[[], object]) -> float:
    """Return the seconds of an action."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def command_seconds(*command: object) -> float:
    """Return the seconds of a command, its start included."""
    parts = [str(part) for part in command]
    return timed(lambda: subprocess.run(parts, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def typescript_seconds(*arguments: object) -> float:
    """Return the seconds of a call of the TypeScript client, without the start of Node."""
    driver = Path(__file__).with_name("typescript_client.mjs")
    command = [*NODE, str(driver), *(str(argument) for argument in arguments)]
    return float(subprocess.check_output(command, cwd=CHECKOUT, text=True))


class Table:
    """Seconds by row and column. Rounds of all rows take turns, so that a slow minute of the machine meets each."""

    def __init__(self) -> None:
        self._seconds: dict[str, dict[str, list[float]]] = {}

    def add(self, row: str, column: str, seconds: float) -> None:
        self._seconds.setdefault(row, {}).setdefault(column, []).append(seconds)

    def print(self, units: dict[str, Callable[[float], str]]) -> None:
        """Print the medians as a table of Markdown; ``units`` tells how each column shows seconds."""
        print(f"| | {' | '.join(units)} |\n|---|{'---|' * len(units)}")
        for row, cells in self._seconds.items():
            shown = [show(statistics.median(cells[name])) if name in cells else "" for name, show in units.items()]
            print(f"| {row} | {' | '.join(shown)} |")
