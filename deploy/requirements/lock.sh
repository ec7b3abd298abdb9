#!/bin/sh
# Pins run.txt and dev.txt from pyproject.toml: every package by hash, for Python 3.11 and newer,
# without naming any index.
set -eu
cd "$(dirname "$0")/../.."
for kind in run dev; do
  extra=""
  [ "$kind" = dev ] && extra="--extra dev"
  # shellcheck disable=SC2086
  uv pip compile pyproject.toml $extra --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
    -o "deploy/requirements/$kind.txt"
done
