"""A training loop that stores checkpoints, and a second process that resumes from the last one.

The loop is a linear regression in plain Python, so that it runs anywhere. With PyTorch, replace ``save`` and ``load``
by ``torch.save(state, file)`` and ``torch.load(file)``; the rest stays.

Run: python checkpoints.py
"""

from __future__ import annotations

import io
import json
import random
import uuid
from typing import Any

from bucket_client import ArtifactReference, BucketClient

STEPS_PER_CHECKPOINT = 100


def save(state: dict[str, Any]) -> bytes:
    return json.dumps(state).encode()


def load(file: Any) -> dict[str, Any]:
    return json.load(io.TextIOWrapper(file))


def train(bucket: BucketClient, run: str, steps: int, resume: ArtifactReference | None) -> ArtifactReference:
    """Train, store a checkpoint every 100 steps, and return the last one, pinned."""
    state: dict[str, Any] = {"step": 0, "slope": 0.0, "offset": 0.0}
    if resume is not None:
        with bucket.get(resume) as stream:
            state = load(stream)
        print("resumed at step", state["step"])
    last = resume
    while state["step"] < steps:
        # The same steps see the same data, so that a run that is repeated gives the same checkpoints.
        noise = random.Random(state["step"])
        x = noise.uniform(-1, 1)
        error = state["slope"] * x + state["offset"] - (3 * x + 1)
        state["slope"] -= 0.1 * error * x
        state["offset"] -= 0.1 * error
        state["step"] += 1
        if state["step"] % STEPS_PER_CHECKPOINT == 0:
            # A run that died after this store, and is repeated, stores the same bytes again: a success.
            last = bucket.put(f"{run}/step-{state['step']:06}", save(state), provenance_source=run).ref
    if last is None:
        raise ValueError(f"no checkpoint before step {steps}")
    return last


def main() -> None:
    bucket = BucketClient()
    run = f"demo/regression-{uuid.uuid4().hex[:8]}"
    interrupted = train(bucket, run, 300, None)
    print("interrupted after", interrupted.version)

    # The scheduler kept str(interrupted). Another process, on another host, continues from there.
    finished = train(bucket, run, 500, ArtifactReference.parse(str(interrupted)))
    with bucket.get(finished) as stream:
        state = load(stream)
    print(f"finished with {finished.version}: slope {state['slope']:.2f}, offset {state['offset']:.2f}")

    # Without the interruption the result is the same, byte for byte: every store finds its bytes stored already.
    assert train(bucket, run, 500, None) == finished
    print("a run without interruption gives the same", finished.digest)


if __name__ == "__main__":
    main()
