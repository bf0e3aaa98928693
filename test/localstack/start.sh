#!/bin/sh
# start.sh <directory of install.sh> [port]: LocalStack in the foreground, on loopback only. SIGTERM ends it.
# FILESYSTEM_ROOT says where it keeps code and objects while it runs; nothing of them is read by a later start.
set -eu
to=$(cd "$1" && pwd)
port=${2:-4566}
export LAMBDA_RUNTIME_EXECUTOR=process DYNAMODB_LOCAL_DIR="$to/dynamodb"
export GATEWAY_LISTEN="127.0.0.1:$port" LOCALSTACK_HOST="127.0.0.1:$port" SQS_ENDPOINT_STRATEGY=path
export S3_SKIP_SIGNATURE_VALIDATION=0 DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0
export OVERRIDE_IN_DOCKER=0 FILESYSTEM_ROOT="${FILESYSTEM_ROOT:-$to/root}" LS_LOG="${LS_LOG:-warning}"
export XDG_CACHE_HOME="$to/cache"
exec "$to/venv/bin/python" -m localstack.runtime.main
