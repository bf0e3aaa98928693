"""Runs the cases that every client keeps (test/client-cases/README.md) with the Python client."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from bucket_client import BucketClient, BucketError, FolderManifest, ManifestError, RetryPolicy

REPOSITORY = Path(__file__).parents[2]
CASES = json.loads((REPOSITORY / "test/client-cases/cases.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_python_client_keeps_the_cases_of_every_client(case: dict[str, Any], url: str, tmp_path: Path) -> None:
    artifact = f"c-{uuid.uuid4()}"
    text = json.dumps(case["steps"]).replace("{artifact}", artifact).replace("{root}", url)
    for number, step in enumerate(json.loads(text)):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            outcome = run(step, url, artifact, folder)
        except BucketError as problem:
            outcome = {"code": problem.code, "members": problem.members}
        expected = step["fails"] if "fails" in step else step["gives"]
        assert_matches(outcome, expected)


def assert_matches(outcome: Any, expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        if name == "members":
            assert_matches(outcome[name], value)
        else:
            assert outcome.get(name) == value, (name, outcome)


def run(step: dict[str, Any], url: str, artifact: str, folder: Path) -> dict[str, Any]:
    bucket = BucketClient(step.get("url", url), retry=RetryPolicy(attempts=1 if "url" in step else 5))
    ref = step["ref_text"] if "ref_text" in step else f"client-cases/{artifact}/{step.get('ref', '')}"
    pinned = {"digest": step["digest"]} if "digest" in step else {}
    path, tree = folder / "file", folder / "tree"
    match step["do"]:
        case "put":
            texts = {name: step.get(name) for name in ("content_type", "uploaded_by", "provenance_source")}
            result = bucket.put(ref, source_of(step, path), **texts, **pinned)
            return {"created": result.created, "digest": result.entry.digest, "size": result.entry.size}
        case "get":
            return described(bucket.get(ref, **pinned).read())
        case "download":
            if "over" in step:
                path.write_bytes(bytes_of(step["over"]))
            bucket.download(ref, path, **pinned)
            return described(path.read_bytes())
        case "entry":
            return vars(bucket.entry(ref)) | {"digest": bucket.entry(ref).digest}
        case "list":
            return {"versions": [entry.ref.version for entry in bucket.list_versions(f"client-cases/{artifact}")]}
        case "upload":
            return vars(bucket.upload(ref, step["digest"]))
        case "abort":
            bucket.abort_upload(ref, step["digest"])
            return {}
        case "push":
            make_tree(tree, step["tree"])
            patterns = {name: step.get(name, ()) for name in ("include", "exclude")}
            pushed = bucket.push(ref, tree, digest_cache=False, **patterns)
            return {"created": pushed.created, "digest": pushed.ref.digest, "sent": len(pushed.sent)}
        case "pull":
            if "over_tree" in step:
                make_tree(tree, step["over_tree"])
            bucket.pull(ref, tree)
            return {"tree": read_tree(tree)}
        case "locked":
            path.write_text(step["lock"], newline="")
            return described(bucket.get(ref, locked=path).read())
    raise ValueError(step["do"])


def described(data: bytes) -> dict[str, Any]:
    return {"digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def bytes_of(value: dict[str, Any]) -> bytes:
    if "text" in value:
        return value["text"].encode()
    repeated = value["repeat"].encode()
    return (repeated * (value["size"] // len(repeated) + 1))[: value["size"]]


def source_of(step: dict[str, Any], path: Path) -> Any:
    data = bytes_of(step["bytes"])
    if step.get("as") == "path":
        path.write_bytes(data)
        return path
    return (data[at : at + 65536] for at in range(0, len(data), 65536)) if step.get("as") == "stream" else data


def make_tree(folder: Path, tree: dict[str, Any]) -> None:
    folder.mkdir()
    for name, entry in tree.items():
        path = folder / name
        (path if "folder" in entry else path.parent).mkdir(parents=True, exist_ok=True)
        if "link" in entry:
            path.symlink_to(entry["link"])
        elif "text" in entry:
            path.write_text(entry["text"], "utf-8", newline="")
        if entry.get("executable"):
            path.chmod(0o755)


def read_tree(folder: Path) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for at, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(at) / name
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                tree[relative] = {"link": str(path.readlink())}
            elif path.is_file():
                executable = {"executable": True} if path.stat().st_mode & 0o100 else {}
                tree[relative] = {"text": path.read_text("utf-8")} | executable
            elif not any(path.iterdir()):
                tree[relative] = {"folder": True}
    return tree


def manifests() -> list[tuple[str, str, bool]]:
    """Return the manifests of the cases, and whether each is valid."""
    found = []
    for case in CASES:
        if case["name"].startswith("manifest: "):
            put = next(step for step in case["steps"] if step.get("ref") == "m")
            code = case["steps"][-1].get("fails", {}).get("code")
            found.append((case["name"], put["bytes"]["text"].replace("{artifact}", "a"), code != "manifest_invalid"))
    return found


@pytest.mark.parametrize(("name", "text", "is_valid"), manifests())
def test_the_published_schema_accepts_what_the_client_accepts(name: str, text: str, is_valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((REPOSITORY / "docs/manifest.schema.json").read_text())
    try:
        document = json.loads(text)
    except ValueError:
        assert not is_valid
        return
    by_schema = jsonschema.Draft202012Validator(schema).is_valid(document)
    try:
        FolderManifest.from_bytes(text.encode())
        by_client = True
    except ManifestError:
        by_client = False
    assert by_client == is_valid
    # Rules about bytes, and about several entries, are beyond a schema: it may accept more, and never less.
    beyond = ("256 bytes", "4,097 bytes", "twice", "below", "surrogate", "symlink that leads outside")
    assert by_schema == is_valid or (by_schema and any(part in name for part in beyond))
