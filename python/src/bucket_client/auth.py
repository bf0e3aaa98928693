"""Credentials of requests.

Only requests to the API are authorized. Presigned requests and targets of redirects get nothing of this: stores
refuse such headers, and other hosts must not learn them.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from .errors import BucketError, error
from .refs import EMPTY_DIGEST, digest_hex

_EXECUTE_API = re.compile(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$")
_SENDABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


_MARK_KEY = secrets.token_bytes(16)


def secret_mark(secret: object) -> str:
    """Return a placeholder to show instead of a secret. Within one process, different secrets get different ones.

    fsspec compares clients by their ``repr``.
    """
    return f"<secret {hashlib.blake2b(str(secret).encode(), key=_MARK_KEY, digest_size=6).hexdigest()}>"


@dataclass(frozen=True)
class NoAuth:
    """Sends nothing."""


@dataclass(frozen=True)
class BearerAuth:
    """Sends ``Authorization: Bearer …``."""

    token: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"BearerAuth({secret_mark(self.token)})"


@dataclass(frozen=True)
class ApiKeyAuth:
    """Sends ``X-Api-Key`` and nothing else."""

    key: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"ApiKeyAuth({secret_mark(self.key)})"


@dataclass(frozen=True)
class IamAuth:
    """Signs with AWS signature version 4. Needs ``botocore`` (``pip install bucket-client[aws]``).

    Attributes:
        region: read from the host of an ``execute-api`` address if ``None``; else ``AWS_REGION``.
        session: a ``botocore`` or ``boto3`` session; the usual chain of AWS tools if ``None``.
    """

    region: str | None = None
    session: Any = None


Auth: TypeAlias = NoAuth | BearerAuth | ApiKeyAuth | IamAuth

#: Takes method, URL, headers and the SHA-256 of the body (hex), and returns all headers to send.
Authorize: TypeAlias = Callable[[str, str, Mapping[str, str], str | None], dict[str, str]]


def auth_from_environment(kind: str | None, url: str) -> Auth:
    """Return the credentials that the environment names. The default is IAM for an ``execute-api`` URL, else none.

    Args:
        kind: ``none``, ``iam``, ``bearer`` or ``api-key``; ``BUCKET_AUTH`` if ``None``.
        url: root of the API.

    Raises:
        ValueError: an unknown kind, or one whose secret is not set.
    """
    kind = kind or os.environ.get("BUCKET_AUTH") or ("iam" if region_of(url) else "none")
    if kind == "none":
        return NoAuth()
    if kind == "iam":
        return IamAuth()
    if kind == "bearer":
        return BearerAuth(_secret("BUCKET_TOKEN", kind))
    if kind == "api-key":
        return ApiKeyAuth(_secret("BUCKET_API_KEY", kind))
    raise ValueError(f"unknown auth {kind!r}; use none, iam, bearer or api-key")


def _secret(name: str, kind: str) -> str:
    secret = os.environ.get(name)
    if not secret:
        raise ValueError(f"auth {kind!r} needs {name} in the environment")
    return secret


def region_of(url: str) -> str | None:
    """Return the region that an ``execute-api`` address names."""
    match = _EXECUTE_API.search(urlsplit(url).hostname or "")
    return match[1] if match else None


def authorizer(auth: Auth, url: str, api_key: str | None) -> Authorize:
    """Return a function that adds the credentials to a request.

    Args:
        auth: who calls.
        url: root of the API.
        api_key: a key of a gateway's usage plan, sent as ``X-Api-Key`` in addition to ``auth``. A signature covers it.

    Raises:
        ValueError: a secret that no header can carry, or IAM without a region.
        ImportError: IAM without ``botocore``.
    """
    added: dict[str, str] = {} if api_key is None else {"x-api-key": _sendable("the API key", api_key)}
    if isinstance(auth, ApiKeyAuth):
        added = {"x-api-key": _sendable("the API key", auth.key)}
    elif isinstance(auth, BearerAuth):
        added["authorization"] = f"Bearer {_sendable('the token', auth.token)}"
    elif isinstance(auth, IamAuth):
        sign = _signer(auth, url)
        return lambda method, url, headers, sha256: sign(method, url, {**headers, **added}, sha256)
    return lambda _method, _url, headers, _sha256: {**headers, **added}


def _sendable(what: str, secret: object) -> str:
    if not isinstance(secret, str):
        raise ValueError(f"{what} is of the type {type(secret).__name__}; give a str")
    if not _SENDABLE.fullmatch(secret):
        raise ValueError(f"{what} is empty or has a character that no header can carry, such as a line end")
    return secret


def _signer(auth: IamAuth, url: str) -> Authorize:
    """Sign for ``execute-api``. The digest of the body is known already, so the body is not read again.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    try:
        aws: Any = import_module("botocore.session")
        signing: Any = import_module("botocore.auth")
        requests: Any = import_module("botocore.awsrequest")
        failures: Any = import_module("botocore.exceptions")
    except ImportError as problem:
        raise ImportError("IAM needs botocore: pip install 'bucket-client[aws]'") from problem
    given = None if auth.region is None else _sendable("the region", auth.region)
    region = given or region_of(url) or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise ValueError(f"IAM needs a region: {urlsplit(url).hostname} names none, so set region or AWS_REGION")
    session: Any = auth.session or aws.get_session()
    if not hasattr(session, "get_credentials"):
        raise ValueError(f"session is of the type {type(session).__name__}; give a session of botocore or boto3")

    def sign(method: str, url: str, headers: Mapping[str, str], sha256: str | None) -> dict[str, str]:
        try:
            credentials: Any = session.get_credentials()
            frozen: Any = None if credentials is None else credentials.get_frozen_credentials()
        except failures.BotoCoreError as problem:
            raise _no_credentials(f"the AWS credentials cannot be read: {problem}") from problem
        if frozen is None:
            raise _no_credentials("no AWS credentials were found to sign the request with")
        request: Any = requests.AWSRequest(
            method=method,
            url=url,
            headers={**headers, "X-Amz-Content-SHA256": sha256 or digest_hex(EMPTY_DIGEST)},
        )
        signing.SigV4Auth(frozen, "execute-api", region).add_auth(request)
        return {str(name): str(text) for name, text in request.headers.items()}

    return sign


def _no_credentials(detail: str) -> BucketError:
    """Return the same refusal as a gateway, without a request."""
    return error(
        "unauthorized",
        f"{detail}; nothing was sent",
        next="Log in as for other AWS tools (AWS_PROFILE, AWS_ACCESS_KEY_ID, …), or give IamAuth(session=…).",
    )
