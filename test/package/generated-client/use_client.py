"""Uses the client that openapi-python-client generated from the OpenAPI document, against a running server."""

import hashlib
import json
import sys
from io import BytesIO

from generated import Client
from generated.api.artifacts import entry, fetch, list_versions, store
from generated.api.uploads import begin_upload
from generated.models import BeginUpload, Entry, Problem
from generated.types import File

origin = sys.argv[1]
data = bytes(range(256)) * 40
digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
ref = ("generated", "client", "v1")

with Client(base_url=origin) as client:

    def put(payload):
        file = File(payload=BytesIO(payload))
        return store.sync(*ref, client=client, body=file, x_artifact_digest=digest, x_uploaded_by="generator")

    stored = put(data)
    assert isinstance(stored, Entry), stored
    again = put(data)
    assert isinstance(again, Problem) and again.code == "version_exists", again

    fetched = fetch.sync(*ref, client=client)
    assert isinstance(fetched, File), fetched

    page = list_versions.sync(*ref[:2], client=client)
    assert [type(item) for item in page.versions] == [Entry], page
    assert page.versions == [entry.sync(*ref, client=client)], page

    upload = begin_upload.sync(
        "generated", "client", "v2", digest, client=client, body=BeginUpload(size=len(data))
    )
    assert upload.request.method == "PUT", upload

    print(
        json.dumps(
            {
                "digest": stored.digest,
                "uploaded_by": stored.uploaded_by,
                "bytes_equal": fetched.payload.getvalue() == data,
            }
        )
    )
