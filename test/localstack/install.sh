#!/bin/sh
# install.sh <directory>: LocalStack, this plugin and DynamoDB Local, by name from PyPI and Maven Central only.
# The plugin is built from a copy, because a build writes next to its sources.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
to=$(cd "$1" && pwd)
sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
cp -R "$here/pyproject.toml" "$here/localstack_process_executor" "$sources"

"${PYTHON:-python3}" -m venv "$to/venv"
"$to/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'localstack-core[runtime]==2026.3.0' "$sources" -c "$here/constraints.txt"
mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$to/dynamodb"
javac -cp "$to/dynamodb/*" -d "$to/dynamodb" "$here/LoopbackDynamoDB.java"
