"""Every example and every block of docs/python.md runs as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
DOCUMENT = Path(__file__).parents[2] / "docs" / "python.md"

PRINTS = {
    "registry.py": ["latest is run-3", "latest is run-2", "better weights"],
    "checkpoints.py": [
        "interrupted after step-000300",
        "resumed at step 300",
        "finished with step-000500: slope 3.00, offset 1.00",
        "a run without interruption gives the same sha256:…",
    ],
    "evaluation_results.py": [
        "other results under the same name are refused",
        "model",
        "large-model    0.857",
        "small          0.857",
        "report sha256-…",
    ],
    "dataset_snapshot.py": [
        "pushed 21 files, sent 21",
        "pushed 21 files, sent 1",
        "pulled 2026-11-01 with 20 shards",
        "fetched again: 0 bytes",
        "refused: digest_differs",
    ],
}


def run(command: list[str], url: str, folder: Path) -> str:
    environment = {**os.environ, "BUCKET_URL": url, "XDG_CACHE_HOME": str(folder / ".cache")}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def assert_printed(printed: str, expected: list[str]) -> None:
    lines = printed.splitlines()
    assert len(lines) == len(expected), printed
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), line.rstrip()), (line, pattern)


def test_every_example_has_its_test() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_prints_what_it_should(name: str, url: str, tmp_path: Path) -> None:
    if name == "evaluation_results.py":
        pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
    assert_printed(run([sys.executable, str(EXAMPLES / name)], url, tmp_path), PRINTS[name])
