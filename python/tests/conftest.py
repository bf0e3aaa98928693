"""One real server for all tests, a client for it, and proxies that break connections."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bucket_client import BucketClient, RetryPolicy, Timeouts
from proxy import Fault, FaultyProxy

#: The checkout, and its command line: the only things that tests know of the server.
CHECKOUT = Path(__file__).parents[2]
COMMAND = ["node", "--import", "tsx", "bin/bucket.ts"]
#: For what hangs, never for what is slow.
START_SECONDS = 60

#: Failures end soon, so that a test of a failure does. Nothing else is shortened.
QUICK = RetryPolicy(attempts=3, base=0.01, max_delay=0.1, patience=30)


class Server:
    """A server process of its own group."""

    def __init__(self, folder: Path, *options: str) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("BUCKET_")}
        self.folder = folder / "data"
        self._log = open(folder / "server.log", "wb")
        self.process = subprocess.Popen(
            # Tests leave requests behind that never end.
            [*COMMAND, "serve", "--port", "0", "--drain-limit", "1s", "--data-dir", str(folder / "data"), *options],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
            text=True,
        )
        timer = threading.Timer(START_SECONDS, self.stop)
        timer.start()
        line = self.process.stdout.readline() if self.process.stdout else ""
        timer.cancel()
        if " at http" not in line:
            self.stop()
            pytest.fail(f"the server did not start: {(folder / 'server.log').read_text()[-2000:]}")
        self.url = line.split(" at ")[1].strip()

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        self._log.close()


@pytest.fixture(scope="session")
def front_proxy() -> Iterator[FaultyProxy]:
    """The proxy that the server knows as its public address, so that presigned requests go through it, too."""
    proxy = FaultyProxy()
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, front_proxy: FaultyProxy) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"), "--public-url", front_proxy.origin)
    front_proxy.target = running.url
    yield running
    running.stop()


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """Root of the API: of a deployment that the caller names, for test_client_cases.py alone, else of a new server."""
    return os.environ.get("CLIENT_CASES_URL") or request.getfixturevalue("server").url


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not depend on the environment of the user."""
    for name in list(os.environ):
        if name.startswith(("BUCKET_", "AWS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def bucket(url: str) -> Iterator[BucketClient]:
    with BucketClient(url) as client:
        yield client


@pytest.fixture
def ref() -> str:
    """A ref that no other test uses."""
    return f"tests/a-{uuid.uuid4().hex[:12]}/v1"


@pytest.fixture
def proxied(server: Server, front_proxy: FaultyProxy) -> Iterator[Callable[..., tuple[BucketClient, FaultyProxy]]]:
    """Make a client whose connections go through the proxy, and meet the given faults."""
    assert front_proxy.target == server.url

    def make(*faults: Fault, **options: object) -> tuple[BucketClient, FaultyProxy]:
        front_proxy.reset(list(faults))
        settings: dict[str, object] = {"retry": QUICK, "timeouts": Timeouts(idle=20), **options}
        return BucketClient(front_proxy.url, **settings), front_proxy  # type: ignore[arg-type]

    yield make
    front_proxy.reset([])
