"""Every text that describes an artifact can be given, and comes back. The server's document says which there are."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bucket_client import BucketClient, Entry
from bucket_client.description import TEXT_LIMITS, Description, description_headers
from bucket_client.filesystem import BucketFileSystem


@pytest.fixture(scope="module")
def document(url: str) -> dict[str, Any]:
    """The OpenAPI document."""
    with urlopen(f"{url}/openapi.json", timeout=20) as response:
        return json.load(response)


@pytest.fixture(scope="module")
def members(document: dict[str, Any]) -> set[str]:
    """The names of the texts in a message: those of an uploader in the body that begins an upload."""
    schema = document["components"]["schemas"]["BeginUpload"]
    return set(schema["properties"]) - {"size", "mode"}


def _options(call: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(call).parameters)


def _stores(call: Callable[..., Any]) -> bool:
    try:
        return "uploaded_by" in _options(call)
    except (TypeError, ValueError):
        return False


def test_the_table_has_the_texts_of_the_contract(members: set[str]) -> None:
    assert {field.name for field in fields(Description)} == members
    assert set(TEXT_LIMITS) == members


def test_every_text_is_a_member_of_an_entry(members: set[str]) -> None:
    assert members <= {field.name for field in fields(Entry)}


def test_every_text_is_an_option_of_what_stores(members: set[str]) -> None:
    storing = [call for _, call in inspect.getmembers(BucketClient) if callable(call) and _stores(call)]
    assert BucketClient.put in storing
    assert BucketClient.push in storing
    # A folder's files and its manifest have media types of their own.
    for call in storing:
        assert members - {"content_type"} <= _options(call), call
    assert members <= _options(BucketClient.put)


def test_every_text_is_an_option_of_the_file_system(members: set[str]) -> None:
    assert members - {"content_type"} <= _options(BucketFileSystem.__init__)


def test_the_headers_are_those_of_a_store(document: dict[str, Any], members: set[str]) -> None:
    path = document["paths"]["/v1/buckets/{bucket_id}/artifacts/{artifact_id}/versions/{version}"]
    known = {parameter["name"].lower() for parameter in path["put"]["parameters"] if parameter["in"] == "header"}
    headers = description_headers(Description(**dict.fromkeys(members, "text")))
    # The media type is that of the body, which OpenAPI does not list as a parameter.
    assert set(headers) - {"content-type"} <= known


def test_every_text_comes_back_in_the_entry(bucket: BucketClient, ref: str, members: set[str]) -> None:
    texts = {name: f"text/of-{name.replace('_', '-')}" for name in members}
    entry = bucket.put(ref, b"bytes", **texts).entry
    assert {name: getattr(entry, name) for name in members} == texts


def test_every_text_comes_back_from_ensure(bucket: BucketClient, ref: str, members: set[str]) -> None:
    texts = {name: f"text/of-{name.replace('_', '-')}" for name in members}
    bucket.ensure(ref, b"bytes", **texts)
    assert {name: getattr(bucket.entry(ref), name) for name in members} == texts


def test_every_text_comes_back_from_a_folder(bucket: BucketClient, ref: str, members: set[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    texts = {name: f"text of {name}" for name in members - {"content_type"}}
    bucket.push(ref, tmp_path, **texts)
    assert {name: getattr(bucket.entry(ref), name) for name in texts} == texts


def test_every_text_comes_back_from_the_file_system(
    bucket: BucketClient, url: str, ref: str, members: set[str]
) -> None:
    texts = {name: f"text of {name}" for name in members - {"content_type"}}
    files = BucketFileSystem(url=url, skip_instance_cache=True, **texts)
    with files.open(f"bucket://{ref}", "wb") as file:
        file.write(b"bytes")
    assert {name: getattr(bucket.entry(ref), name) for name in texts} == texts
