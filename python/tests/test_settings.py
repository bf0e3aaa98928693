"""Promises about settings: wrong ones are named, secrets are not shown, addresses find their API."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket_client import (
    ApiKeyAuth,
    BearerAuth,
    BucketClient,
    IamAuth,
    NotAuthorizedError,
    NotFoundError,
    RetryPolicy,
    Timeouts,
)
from stand_ins import answer, read_head, scripted

ZEROS = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"url": "http://host/v 1"}, "contains ' ' at position 14"),
        ({"url": "http://host\0/v1"}, r"contains '\\x00'"),
        ({"url": "http://bücket/v1"}, "contains 'ü'"),
        ({"url": "http://user:secret@host:99999/v1"}, "credentials, which belong to auth"),
        ({"parallel": 0}, "parallel is 0; give a number of connections from 1 on"),
        ({"parallel": True}, "parallel is True"),
        ({"api_key": 5}, "api_key is of the type int; give the key as a str"),
        ({"ca_file": 5}, "ca_file is of the type int"),
        ({"ca_file": __file__}, "holds no certificate in PEM form"),
        ({"auth": BearerAuth(5)}, "the token is of the type int; give a str"),  # type: ignore[arg-type]
        ({"auth": BearerAuth("")}, "the token is empty"),
        ({"auth": ApiKeyAuth(b"key")}, "the API key is of the type bytes"),  # type: ignore[arg-type]
        ({"auth": IamAuth(region="eu-central-1", session=5)}, "session is of the type int; give a session of botocore"),
        ({"auth": IamAuth(region=5)}, "the region is of the type int"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_setting_is_a_value_error_that_names_it(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        BucketClient(**settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["connect", "idle", "poll", "verification_idle"])
@pytest.mark.parametrize("wrong", [-1, 0, float("nan"), float("inf"), "5", None, True])
def test_a_wait_must_be_a_number_of_seconds_above_zero(name: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match=rf"Timeouts\({name}=.*\): give seconds above 0"):
        Timeouts(**{name: wrong})


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "5", None, True])
def test_a_retry_policy_makes_at_least_one_attempt(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"RetryPolicy\(attempts=.*\): give a whole number from 1 on"):
        RetryPolicy(attempts=wrong)
    with pytest.raises(ValueError, match=r"RetryPolicy\(base=-1\): give seconds from 0 on"):
        RetryPolicy(base=-1)


def test_secrets_are_not_shown_by_what_holds_them() -> None:
    client = BucketClient("http://host/v1", auth=BearerAuth("a-secret"), api_key="a-secret")
    for shown in (repr(client), repr(BearerAuth("a-secret")), repr(ApiKeyAuth("a-secret")), repr(client._settings)):
        assert "a-secret" not in shown


def test_iam_without_credentials_is_not_authorized_and_says_how_to_log_in(
    monkeypatch: pytest.MonkeyPatch, url: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NotAuthorizedError, match=r"no AWS credentials were found.*Log in") as caught:
        BucketClient(url, auth=IamAuth(region="eu-central-1")).entry("a/b/c")
    assert caught.value.code == "unauthorized"
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(NotAuthorizedError, match="missing"):
        BucketClient(url, auth=IamAuth(region="eu-central-1")).entry("a/b/c")


# Addresses


def test_an_address_without_v1_finds_the_api_below_it(url: str, ref: str) -> None:
    bucket = BucketClient(url.removesuffix("/v1"))
    assert bucket.put(ref, os.urandom(2 << 20)).created
    assert bucket.get(ref).read() == BucketClient(url).get(ref).read()
    assert [entry.ref.name for entry in BucketClient(url.removesuffix("/v1")).list_versions(ref[:-3])] == [ref]
    assert BucketClient(url.removesuffix("/v1")).limits().max_artifact_bytes > 0
    with pytest.raises(NotFoundError) as caught:
        BucketClient(url.removesuffix("/v1")).entry("tests/missing/v1")
    assert caught.value.code == "version_not_found"


def test_an_address_below_the_api_says_which_root_to_give(url: str) -> None:
    with pytest.raises(NotFoundError, match=r"root of a Bucket API, as in http://127\.0\.0\.1:9470/v1") as caught:
        BucketClient(f"{url}/buckets").entry("tests/a/v1")
    assert caught.value.code == "route_not_found"


def test_an_address_without_v1_finds_the_api_of_a_gateway_that_refuses_unknown_paths_with_403() -> None:
    heads: list[str] = []

    def answers(status: str, body: object) -> Callable[[socket.socket], None]:
        def script(sock: socket.socket) -> None:
            heads.append(read_head(sock).splitlines()[0])
            sock.sendall(answer(status, body, "Connection: close"))
            sock.close()

        return script

    refuses = answers("403 Forbidden", {"message": "Missing Authentication Token"})
    service = answers("200 OK", {"service": "bucket", "api_version": "v1", "limits": {}})
    missing = answers("404 Not Found", {"code": "version_not_found", "detail": "not stored", "status": 404})
    with scripted(refuses, service, missing, missing) as url:
        bucket = BucketClient(url.removesuffix("/v1"))
        assert not bucket.exists("a/b/c")
        assert not bucket.exists("a/b/c")
    path = "/buckets/a/artifacts/b/versions/c/entry"
    assert [head.split()[1] for head in heads] == [path, "/v1", f"/v1{path}", f"/v1{path}"]
    # A refusal that is not about the path stays what it is, after one more question.
    with scripted(refuses, refuses, refuses) as url, pytest.raises(NotAuthorizedError):
        BucketClient(url.removesuffix("/v1")).entry("a/b/c")
