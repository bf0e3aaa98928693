"""Evaluation results as Parquet, written and read with pandas through ``bucket://`` paths.

Needs: pip install 'bucket-client[fsspec]' pandas pyarrow
Run: python evaluation_results.py
"""

from __future__ import annotations

import uuid

import pandas as pd

from bucket_client import BucketClient, content_version


def evaluate(model: str) -> pd.DataFrame:
    """Return a row for each example. A real evaluation stands here."""
    examples = range(1000)
    return pd.DataFrame(
        {"example": examples, "model": model, "correct": [(example * len(model)) % 7 != 0 for example in examples]}
    )


def main() -> None:
    artifact = f"demo/evaluations-{uuid.uuid4().hex[:8]}"
    for model in ("small", "large-model"):
        evaluate(model).to_parquet(f"bucket://{artifact}/{model}")

    # A second evaluation with the same results is a success; one with other results is refused.
    evaluate("small").to_parquet(f"bucket://{artifact}/small")
    try:
        evaluate("large-model").head(10).to_parquet(f"bucket://{artifact}/small")
    except FileExistsError:
        print("other results under the same name are refused")

    bucket = BucketClient()
    frames = [pd.read_parquet(f"bucket://{entry.ref}") for entry in bucket.list_versions(artifact)]
    accuracy = pd.concat(frames).groupby("model")["correct"].mean()
    print(accuracy.round(3).to_string())

    # A report is named by its content: the same report always has the same name.
    report = accuracy.to_csv().encode()
    stored = bucket.put(f"{artifact}-reports", report, content_type="text/csv")
    assert stored.ref.version == content_version(stored.entry.digest)
    print("report", stored.ref.version)


if __name__ == "__main__":
    main()
