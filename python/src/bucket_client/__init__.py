"""Bucket for Python: store bytes under an exact reference, and fetch them verified.

    from bucket_client import BucketClient

    bucket = BucketClient()                                  # BUCKET_URL, BUCKET_AUTH, …
    stored = bucket.put("demo/model/v1", "model.bin")
    bucket.download(stored.ref, "copy.bin")

The contract is docs/http-api.md; docs/python.md describes this package.
"""

from .auth import ApiKeyAuth, Auth, BearerAuth, IamAuth, NoAuth
from .client import BucketClient
from .download import Downloaded
from .errors import (
    BucketError,
    ConflictError,
    DigestError,
    InvalidRequestError,
    LockFileError,
    ManifestError,
    NetworkError,
    NotAuthorizedError,
    NotFoundError,
    SourceError,
    TargetError,
    TooLargeError,
    UnavailableError,
)
from .lock_file import LockFile
from .manifest import FileEntry, FolderEntry, FolderManifest, SymlinkEntry
from .model import Entry, Limits, ReceivedPart, Upload
from .open_source import SourceLike
from .progress import OnProgress, Progress, TqdmProgress
from .pull import PullResult
from .push import PushResult
from .put import PutResult
from .refs import ArtifactReference, content_version
from .stream import ArtifactStream
from .timing import RetryPolicy, Timeouts

__version__ = "0.1.0"

__all__ = [
    "BucketClient",
    "ArtifactReference",
    "ArtifactStream",
    "Downloaded",
    "Entry",
    "FileEntry",
    "FolderEntry",
    "FolderManifest",
    "SymlinkEntry",
    "Limits",
    "LockFile",
    "PullResult",
    "PushResult",
    "PutResult",
    "ReceivedPart",
    "SourceLike",
    "Upload",
    "content_version",
    "OnProgress",
    "Progress",
    "TqdmProgress",
    "ApiKeyAuth",
    "Auth",
    "BearerAuth",
    "IamAuth",
    "NoAuth",
    "RetryPolicy",
    "Timeouts",
    "BucketError",
    "ConflictError",
    "DigestError",
    "InvalidRequestError",
    "LockFileError",
    "ManifestError",
    "NetworkError",
    "NotAuthorizedError",
    "NotFoundError",
    "SourceError",
    "TargetError",
    "TooLargeError",
    "UnavailableError",
]
