"""Settings of a client, from its caller or the environment. All are checked before anything is sent."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .api import Api
from .auth import ApiKeyAuth, Auth, BearerAuth, IamAuth, NoAuth, auth_from_environment, authorizer
from .timing import RetryPolicy, Timeouts
from .transport import Transport

DEFAULT_URL = "http://127.0.0.1:9470/v1"
_ROOT = "give the root of the API alone, as in https://artifacts.example/v1"


@dataclass(frozen=True)
class Settings:
    """Settings of one client. They can be pickled; connections cannot."""

    #: Root of the API, without a slash at its end.
    url: str
    auth: Auth
    api_key: str | None = field(repr=False)
    ca_file: str | None
    parallel: int
    retry: RetryPolicy
    timeouts: Timeouts

    def make_api(self) -> Api:
        """Return what speaks to the API. Nothing is sent yet.

        Raises:
            ValueError: a secret that no header can carry, IAM without a region, or a ``ca_file`` without certificates.
            ImportError: IAM without ``botocore``.
            OSError: ``ca_file`` cannot be read.
        """
        return Api(
            self.url,
            Transport(self.timeouts, self.ca_file),
            authorizer(self.auth, self.url, self.api_key),
            self.retry,
            authorizes=not isinstance(self.auth, NoAuth) or self.api_key is not None,
        )


def resolve_settings(
    url: str | None,
    auth: Auth | str | None,
    api_key: str | None,
    ca_file: str | os.PathLike[str] | None,
    parallel: int,
    retry: RetryPolicy | None,
    timeouts: Timeouts | None,
) -> Settings:
    """Return the settings of a client. :class:`BucketClient` describes them.

    Raises:
        ValueError: a wrong one, with what to give instead.
    """
    root = _checked_url(url or os.environ.get("BUCKET_URL") or DEFAULT_URL)
    who = auth_from_environment(auth, root) if auth is None or isinstance(auth, str) else auth
    kinds = (NoAuth, BearerAuth, ApiKeyAuth, IamAuth)
    _check("auth", who, kinds, "none, iam, bearer or api-key, or an object as BearerAuth(token)")
    key = api_key or os.environ.get("BUCKET_API_KEY") or None
    _check("api_key", key, (str, type(None)), "the key as a str")
    authorities = ca_file or os.environ.get("BUCKET_CA_FILE") or None
    _check("ca_file", authorities, (str, os.PathLike, type(None)), "the path of a PEM file")
    _check("parallel", parallel, int, "a number of connections")
    if parallel < 1 or isinstance(parallel, bool):
        raise ValueError(f"parallel is {parallel!r}; give a number of connections from 1 on")
    retry = RetryPolicy() if retry is None else retry
    _check("retry", retry, RetryPolicy, "a RetryPolicy, as RetryPolicy(attempts=3)")
    timeouts = Timeouts() if timeouts is None else timeouts
    _check("timeouts", timeouts, Timeouts, "Timeouts, as Timeouts(idle=60)")
    return Settings(root, who, key, None if authorities is None else os.fspath(authorities), parallel, retry, timeouts)


def _check(name: str, given: object, kind: type | tuple[type, ...], expected: str) -> None:
    if not isinstance(given, kind):
        raise ValueError(f"{name} is of the type {type(given).__name__}; give {expected}")


def _checked_url(given: str) -> str:
    _check("url", given, str, f"a str; {_ROOT}")
    url = given.strip()
    bad = re.search(r"[^!-~]", url)
    if bad:
        raise ValueError(f"the URL contains {bad[0]!r} at position {bad.start() + 1}; write it in visible ASCII")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"the URL has credentials, which belong to auth; {_ROOT}")
    # Shown without its query, which may be a secret.
    shown = repr(url.partition("?")[0])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"the URL {shown} is not one of http or https; {_ROOT}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"the URL {shown} has a port that is not from 0 to 65535; {_ROOT}") from None
    if parts.query or parts.fragment:
        raise ValueError(f"the URL has a query or a fragment; {_ROOT}")
    return url.rstrip("/")
