#!/bin/sh
# Pins every package by hash, for Python 3.11 and newer, without naming any index: what the product
# runs on and what tests run on (pyproject.toml), and what two proofs keep to themselves. Pins that
# are there and still fit stay; to move them, delete the file before.
set -eu
cd "$(dirname "$0")/../.."
command -v uv >/dev/null || {
  echo "make lock needs uv on PATH; install it (pip install uv, in an environment of its own)" >&2
  exit 1
}
pin() {
  uv pip compile "$@" --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
}
pin pyproject.toml -o deploy/requirements/run.txt
pin pyproject.toml --extra dev -o deploy/requirements/dev.txt
pin tests/bench/requirements.in -o tests/bench/requirements.txt
pin tests/compiler/core_suite/requirements.in --no-deps -o tests/compiler/core_suite/requirements.txt
