"""Promises about the wire: early refusals, waits that end, redirects, credentials, processes."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bucket_client import (
    ApiKeyAuth,
    BearerAuth,
    BucketClient,
    BucketError,
    ConflictError,
    IamAuth,
    NetworkError,
    NotAuthorizedError,
    RetryPolicy,
    Timeouts,
    UnavailableError,
)
from bucket_client.proxies import proxy_for
from conftest import QUICK
from stand_ins import RedirectingFront, answer, is_signed, read_head, scripted

MIB = 1 << 20
DIGEST = "sha256:" + "a" * 64
ENTRY = {
    "bucket_id": "b",
    "artifact_id": "a",
    "version": "v",
    "digest": DIGEST,
    "size": 1,
    "content_type": "application/octet-stream",
    "uploaded_by": None,
    "provenance_source": None,
    "created_at": "2026-11-23T04:00:00.000Z",
}
CONFLICT = {
    "status": 409,
    "code": "version_exists",
    "detail": "b/a/v is stored already",
    "next": "Choose a new version.",
    "retryable": False,
    "conflict": "different",
    "stored": ENTRY,
}
NOT_FOUND = {"status": 404, "code": "version_not_found", "detail": "not stored", "retryable": False}
BODY = os.urandom(3 * MIB)


def absent(sock: socket.socket) -> None:
    """Say that nothing is stored, which a client asks before it sends a large body."""
    read_head(sock)
    sock.sendall(answer("404 Not Found", NOT_FOUND, "Connection: close"))
    sock.close()


def conflict(*headers: str) -> bytes:
    return answer("409 Conflict", CONFLICT, *headers)


def refuse_before_the_body(sock: socket.socket) -> None:
    assert "Expect: 100-continue" in read_head(sock)
    sock.sendall(conflict())
    # Not one byte of the body follows.
    sock.settimeout(1)
    with contextlib.suppress(TimeoutError):
        assert sock.recv(1) == b""


def refuse_within_the_body(sock: socket.socket) -> None:
    read_head(sock)
    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    sock.recv(100_000)
    sock.sendall(conflict())
    time.sleep(5)  # reads nothing more, and does not close


def refuse_and_close(sock: socket.socket) -> None:
    read_head(sock)
    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    sock.recv(100_000)
    sock.sendall(conflict())
    sock.close()  # unread bytes turn this into a reset


def refuse_together_with_continue(sock: socket.socket) -> None:
    read_head(sock)
    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + conflict())


@pytest.mark.parametrize(
    "script",
    [refuse_before_the_body, refuse_within_the_body, refuse_and_close, refuse_together_with_continue],
)
def test_an_early_refusal_is_the_refusal_and_not_a_broken_pipe(script: Callable[[socket.socket], None]) -> None:
    with scripted(absent, script) as url, pytest.raises(ConflictError) as caught:
        BucketClient(url, retry=QUICK).put("b/a/v", BODY)
    assert caught.value.code == "version_exists"
    assert caught.value.next == "Choose a new version."


def test_a_server_that_ignores_expect_gets_the_body_all_the_same() -> None:
    got: list[int] = []

    def silent(sock: socket.socket) -> None:
        read_head(sock)
        size = 0
        while size < len(BODY):
            size += len(sock.recv(1 << 20))
        got.append(size)
        sock.sendall(conflict())

    with scripted(absent, silent) as url, pytest.raises(ConflictError):
        BucketClient(url, retry=QUICK, timeouts=Timeouts(continue_=0.1)).put("b/a/v", BODY)
    assert got == [len(BODY)]


def test_a_server_that_refuses_expect_is_asked_without_it() -> None:
    heads: list[str] = []

    def no_expect(sock: socket.socket) -> None:
        heads.append(read_head(sock))
        sock.sendall(answer("417 Expectation Failed", {}))

    def plain(sock: socket.socket) -> None:
        heads.append(read_head(sock))
        sock.sendall(conflict())

    with scripted(absent, no_expect, plain) as url, pytest.raises(ConflictError):
        BucketClient(url, retry=QUICK).put("b/a/v", BODY)
    assert ["Expect" in head for head in heads] == [True, False]


def test_every_wait_for_a_silent_server_ends() -> None:
    def silent(sock: socket.socket) -> None:
        read_head(sock)
        time.sleep(5)

    def half(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer("200 OK", ENTRY)[:-10])
        time.sleep(5)

    quick = {"retry": RetryPolicy(attempts=1), "timeouts": Timeouts(idle=0.3)}
    for script in (silent, half):
        with scripted(script) as url, pytest.raises(NetworkError) as caught:
            BucketClient(url, **quick).entry("b/a/v")  # type: ignore[arg-type]
        assert caught.value.code == "stalled"


def test_a_trickle_is_refused_instead_of_taking_days() -> None:
    def trickle(sock: socket.socket) -> None:
        read_head(sock)
        for byte in answer("200 OK", ENTRY):
            sock.sendall(bytes([byte]))
            time.sleep(0.02)

    with scripted(trickle) as url, pytest.raises(NetworkError) as caught:
        BucketClient(url, retry=RetryPolicy(attempts=1), timeouts=Timeouts(idle=0.5)).entry("b/a/v")
    assert "bytes a second" in caught.value.detail


def test_retry_after_is_honoured_and_its_limit_too() -> None:
    busy = {"status": 503, "code": "unavailable", "detail": "busy", "retryable": True, "next": "Wait."}

    def asks_to_wait(seconds: str) -> Callable[[socket.socket], None]:
        def script(sock: socket.socket) -> None:
            read_head(sock)
            sock.sendall(answer("503 Service Unavailable", busy, f"Retry-After: {seconds}", "Connection: close"))
            sock.close()

        return script

    def serves(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer("200 OK", ENTRY))

    began = time.monotonic()
    with scripted(asks_to_wait("1"), serves) as url:
        assert BucketClient(url, retry=QUICK).entry("b/a/v").size == 1
    assert time.monotonic() - began >= 1
    with scripted(asks_to_wait("3600")) as url, pytest.raises(UnavailableError) as caught:
        BucketClient(url, retry=QUICK).entry("b/a/v")
    assert caught.value.retry_after == 3600


def test_only_failures_that_may_pass_are_retried() -> None:
    asked: list[str] = []

    def refuses(sock: socket.socket) -> None:
        asked.append(read_head(sock))
        sock.sendall(answer("404 Not Found", NOT_FOUND))

    with scripted(refuses, refuses) as url, pytest.raises(BucketError):
        BucketClient(url).entry("b/a/v")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("response", "part"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "HTTP"),
        (answer("200 OK", []), "JSON object"),
        (answer("200 OK", {**ENTRY, "version": "other"}), "about b/a/other"),
        (answer("200 OK", {**ENTRY, "size": -1}), "size"),
        (answer("302 Found", {}, "Location: https://login.example/?token=secret"), "https://login.example/"),
        (answer("418 I'm a teapot", {"message": "short and stout"}), "short and stout"),
    ],
)
def test_a_response_that_is_not_buckets_is_said_to_be_that(response: bytes, part: str) -> None:
    def script(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(response)
        sock.close()

    with scripted(script) as url, pytest.raises(NetworkError) as caught:
        BucketClient(url).entry("b/a/v")
    assert caught.value.code == "unexpected_response"
    assert part in caught.value.detail
    assert "secret" not in str(caught.value)


def test_a_gateway_that_speaks_its_own_language_is_understood() -> None:
    def script(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer("403 Forbidden", {"message": "Forbidden"}))

    with scripted(script) as url, pytest.raises(NotAuthorizedError) as caught:
        BucketClient(url).entry("b/a/v")
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize(
    ("minutes", "said"), [(-30, "is 30 minutes ahead of"), (15, "is 15 minutes behind"), (1, None)]
)
def test_a_refusal_of_credentials_tells_that_this_machines_clock_is_wrong(minutes: int, said: str | None) -> None:
    date = formatdate(time.time() + minutes * 60, usegmt=True)

    def script(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer("403 Forbidden", {"message": "Signature expired"}, f"Date: {date}"))

    with scripted(script) as url, pytest.raises(NotAuthorizedError, match="Signature expired") as caught:
        BucketClient(url).entry("b/a/v")
    assert ("clock" in caught.value.next) == (said is not None)
    assert said is None or said in caught.value.next


# Redirects and credentials


@pytest.fixture
def front(url: str) -> Iterator[RedirectingFront]:
    running = RedirectingFront(url, lambda *_: True)
    yield running
    running.close()


def by_header(name: str, value: str) -> Callable[..., bool]:
    return lambda _method, _path, headers, _body: headers.get(name) == value


def by_signature(method: str, path: str, headers: dict[str, str], body: bytes) -> bool:
    return is_signed(method, path, headers, body, secret="a-secret", region="eu-central-1")


def test_a_redirect_is_followed_and_many_ranges_need_one(
    front: RedirectingFront, bucket: BucketClient, ref: str, tmp_path: Path
) -> None:
    data = os.urandom(MIB) * 70
    bucket.put(ref, data)
    client = BucketClient(front.url)
    assert client.get(ref).read() == data
    before = len(front.api_requests)
    client.download(ref, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data
    assert len(front.store_requests) > 8
    assert len(front.api_requests) - before <= 2


def test_an_address_that_expires_is_asked_for_again(
    front: RedirectingFront, bucket: BucketClient, ref: str, tmp_path: Path
) -> None:
    data = os.urandom(MIB) * 70
    bucket.put(ref, data)
    front.uses = 2
    BucketClient(front.url, retry=RetryPolicy(base=0.01, max_delay=0.02)).download(ref, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data


@pytest.mark.parametrize(
    ("auth", "authorize"),
    [
        (BearerAuth("a-token"), by_header("authorization", "Bearer a-token")),
        (ApiKeyAuth("a-key"), by_header("x-api-key", "a-key")),
        (IamAuth(region="eu-central-1"), by_signature),
    ],
)
def test_credentials_reach_the_api_and_never_the_store(
    front: RedirectingFront,
    ref: str,
    auth: BearerAuth | ApiKeyAuth | IamAuth,
    authorize: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    front._authorize = authorize
    client = BucketClient(front.url, auth=auth)
    special = ref.replace("/v1", "/v1+b:c")
    assert client.put(special, b"signed", content_type="text/plain").created
    assert client.get(special).read() == b"signed"
    assert [entry.ref.version for entry in client.list_versions(ref.rsplit("/", 1)[0], page=1)] == ["v1+b:c"]
    assert front.refused == []
    assert "a-token" not in repr(client)
    with pytest.raises(NotAuthorizedError):
        BucketClient(front.url).entry(special)


def test_settings_come_from_the_environment_by_the_names_of_the_command_line(
    front: RedirectingFront, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    front._authorize = by_header("authorization", "Bearer from-env")
    monkeypatch.setenv("BUCKET_URL", front.url)
    monkeypatch.setenv("BUCKET_AUTH", "bearer")
    with pytest.raises(ValueError, match="BUCKET_TOKEN"):
        BucketClient()
    monkeypatch.setenv("BUCKET_TOKEN", "from-env")
    assert BucketClient().put(ref, b"x").created
    for wrong in ("ftp://host/v1", "http://user:secret@host/v1", "http://host/v1?x=1", "host"):
        with pytest.raises(ValueError, match="root of the API") as caught:
            BucketClient(wrong)
        assert "secret" not in str(caught.value)
    for setting in ({"url": 5}, {"auth": 5}, {"retry": 5}, {"timeouts": 0}, {"parallel": "4"}):
        with pytest.raises(ValueError, match=f"^{next(iter(setting))} is of the type .*; give "):
            BucketClient(**setting)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"no-authorities\.pem"):
        BucketClient("https://host/v1", ca_file="no-authorities.pem")
    with pytest.raises(ValueError, match="port that is not from 0 to 65535"):
        BucketClient("http://host:99999/v1")
    with pytest.raises(ValueError, match="unknown auth"):
        BucketClient(auth="basic")
    with pytest.raises(ValueError, match="line end"):
        BucketClient(auth=BearerAuth("token\n"))


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used_except_for_this_machine(
    url: str, ref: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    heads: list[str] = []

    def forward(sock: socket.socket) -> None:
        heads.append(read_head(sock))
        sock.sendall(answer("404 Not Found", NOT_FOUND))

    with scripted(forward) as proxy:
        monkeypatch.setenv(name, proxy.removesuffix("/v1").replace("//", "//user:pass@"))
        assert not BucketClient("http://bucket.example/v1").exists(ref)
        assert heads[0].startswith(f"GET http://bucket.example/v1/buckets/{ref.split('/')[0]}/")
        assert "Proxy-Authorization: Basic dXNlcjpwYXNz" in heads[0]
        assert not BucketClient(url).exists(ref)
        assert len(heads) == 1


def test_a_host_of_no_proxy_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "bucket.example")
    for address, is_exempt in (("http://bucket.example/v1", True), ("http://other.example/v1", False)):
        assert (proxy_for(urlsplit(address)) is None) == is_exempt


def test_a_proxy_that_fails_is_named_with_what_to_check(monkeypatch: pytest.MonkeyPatch, ref: str) -> None:
    def refuses(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", "http://user:secret@127.0.0.1:1")
        with pytest.raises(NetworkError, match=r"the proxy 127\.0\.0\.1:1 does not connect.*NO_PROXY") as caught:
            BucketClient(f"{scheme}://bucket.example/v1", retry=QUICK).exists(ref)
        assert "secret" not in str(caught.value)
    with scripted(refuses) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.removesuffix("/v1"))
        with pytest.raises(NetworkError, match="does not connect: Tunnel connection failed: 407"):
            BucketClient("https://bucket.example/v1", retry=RetryPolicy(attempts=1)).exists(ref)
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(NetworkError, match="is not an http:// address"):
        BucketClient("http://bucket.example/v1").exists(ref)
