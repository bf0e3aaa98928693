"""TLS: a private authority is trusted when it is named, and a large store passes with early refusals seen."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bucket_client import BucketClient, NetworkError, RetryPolicy
from proxy import FaultyProxy

Proxied = Callable[..., tuple[BucketClient, FaultyProxy]]


@pytest.fixture
def tls(tmp_path: Path, front_proxy: FaultyProxy) -> Iterator[tuple[str, Path]]:
    """Serve the local server over TLS. Gives the URL and the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    target = int(front_proxy.origin.rsplit(":", 1)[1])

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                # The server knows itself by its own address alone.
                sink.sendall(data.replace(f"127.0.0.1:{port}".encode(), f"127.0.0.1:{target}".encode()))
        except OSError:
            pass
        finally:
            source.close()
            sink.close()

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                secure = context.wrap_socket(plain, server_side=True)
            except OSError:
                continue
            upstream = socket.create_connection(("127.0.0.1", target))
            threading.Thread(target=pump, args=(secure, upstream), daemon=True).start()
            threading.Thread(target=pump, args=(upstream, secure), daemon=True).start()

    port = listener.getsockname()[1]
    threading.Thread(target=serve, daemon=True).start()
    yield f"https://127.0.0.1:{port}/v1", certificate
    listener.close()


@pytest.mark.usefixtures("server")
def test_a_private_authority_is_trusted_when_it_is_named(
    tls: tuple[str, Path], ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, certificate = tls
    with pytest.raises(NetworkError, match="BUCKET_CA_FILE") as caught:
        BucketClient(url).exists(ref)
    assert caught.value.code == "unreachable"
    monkeypatch.setenv("BUCKET_CA_FILE", str(certificate))
    bucket = BucketClient(url)
    data = b"over TLS " * 300_000
    assert bucket.put(ref, data).created
    assert bucket.get(ref).read() == data


@pytest.mark.usefixtures("server")
def test_tls_to_a_port_without_it_is_said_to_be_that(front_proxy: FaultyProxy, ref: str) -> None:
    url = front_proxy.url.replace("http://", "https://")
    with pytest.raises(NetworkError, match="does not speak TLS"):
        BucketClient(url, retry=RetryPolicy(attempts=1)).exists(ref)
