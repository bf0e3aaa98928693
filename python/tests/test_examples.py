"""Every example and every block of docs/python.md runs as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Server

EXAMPLES = Path(__file__).parents[1] / "examples"
REPOSITORY = Path(__file__).parents[2]

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


BLOCKS_PRINT = [
    "True demo/python/v1@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 5",
    "sha256-2cf24dba5fb0",
    "identical",
    "5 b'hello'",
    "copy.bin 7000",
    "0",
    "text/plain me True",
    "['buffer', 'file', 'iterator', 'path', 'v1']",
    "False True",
    "2 True",
    "16 0",
    "14",
    "step,loss",
    "['demo/python-data/2026-11/train/0.csv', 'demo/python-data/2026-11/train/1.csv']",
    "sha256:",
    "['hashing', 'uploading', 'verifying', 'committed']",
    "version_exists 5",
    "Choose a new version for these bytes: a stored version never changes.",
]


@pytest.mark.parametrize(("document", "prints"), [("docs/python.md", BLOCKS_PRINT), ("README.md", ["0.25"])])
def test_the_blocks_of_a_page_run_as_printed(document: str, prints: list[str], tmp_path: Path) -> None:
    if document == "README.md":
        pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
    text = (REPOSITORY / document).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join(blocks), "utf-8")
    # A server of its own, because the pages name what they store.
    own = Server(tmp_path)
    try:
        assert_printed(run([sys.executable, "page.py"], own.url, tmp_path), prints)
    finally:
        own.stop()
