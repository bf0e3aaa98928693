"""Forward proxies of the environment: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

Requests to this machine never go to a proxy.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import SplitResult, unquote, urlsplit

from .errors import BucketError, error

_THIS_MACHINE = re.compile(r"localhost|::1|127\..*")
_ADVICE = "Check HTTP_PROXY or HTTPS_PROXY, and add the host to NO_PROXY if it can be reached directly."


def proxy_for(url: SplitResult) -> SplitResult | None:
    """Return the proxy of a URL, ``None`` for a direct connection.

    Raises:
        NetworkError: ``unreachable``: the address of the proxy is invalid.
    """
    if _THIS_MACHINE.fullmatch(url.hostname or ""):
        return None
    # Imported here, because it is slow and not every program makes a request.
    import urllib.request

    known = urllib.request.getproxies()
    address = known.get(url.scheme) or known.get("all")
    if not address or urllib.request.proxy_bypass(url.netloc.rpartition("@")[2]):
        return None
    proxy = urlsplit(address if "://" in address else f"http://{address}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise error(
            "unreachable",
            f"the proxy for {url.scheme} URLs in the environment is not an http:// address",
            next="Correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, as in http://proxy.example:3128.",
            retryable=False,
        )
    return proxy


def proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    """Return the header with the credentials in a proxy's address."""
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def proxy_error(proxy: SplitResult, problem: OSError) -> BucketError:
    """Return the error of a proxy that cannot be reached, or opens no tunnel."""
    return error(
        "unreachable",
        f"the proxy {proxy.hostname}:{proxy.port or 80} does not connect: {problem.strerror or problem}",
        next=_ADVICE,
    )
