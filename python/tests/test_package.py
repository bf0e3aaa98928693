"""What is installed works alone: the wheel in an empty environment, on every supported Python that is here."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]

USE = """
import sys
import bucket_client
from bucket_client import BucketClient
assert "site-packages" in bucket_client.__file__, bucket_client.__file__
bucket = BucketClient(sys.argv[1])
stored = bucket.put(sys.argv[2], b"from a wheel")
assert bucket.get(stored.ref).read() == b"from a wheel"
for name in ("fsspec", "botocore", "tqdm", "pandas"):
    assert name not in sys.modules, name
try:
    BucketClient(sys.argv[1], auth="iam")
except ImportError as problem:
    assert "bucket-client[aws]" in str(problem)
try:
    bucket.put(sys.argv[2], b"from a wheel", progress=True)
except ImportError as problem:
    assert "bucket-client[tqdm]" in str(problem)
print("used")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without build isolation nothing is fetched: the wheel builds offline.
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", str(folder), str(PACKAGE)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def pythons() -> list[str]:
    """Return the supported versions that this machine has, this one first."""
    names = [f"python3.{minor}" for minor in range(10, 16)]
    found = []
    for name in names:
        path = shutil.which(name)
        # A shim may exist without its Python.
        if path and subprocess.run([path, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            found.append(path)
    return [sys.executable, *found]


@pytest.mark.parametrize("python", pythons())
def test_the_wheel_works_in_an_empty_environment(wheel: Path, url: str, ref: str, tmp_path: Path, python: str) -> None:
    if python == sys.executable:
        venv.create(tmp_path / "venv", with_pip=True)
    else:
        subprocess.run([python, "-m", "venv", str(tmp_path / "venv")], check=True)
    own = tmp_path / "venv" / "bin" / "python"
    subprocess.run([own, "-m", "pip", "install", "-q", "--no-index", str(wheel)], check=True)
    run = subprocess.run([own, "-c", USE, url, ref], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout.strip() == "used"


def test_the_package_says_that_it_is_typed(wheel: Path) -> None:
    import zipfile

    names = zipfile.ZipFile(wheel).namelist()
    assert "bucket_client/py.typed" in names
    assert all(name.startswith(("bucket_client/", "bucket_client-")) for name in names)
