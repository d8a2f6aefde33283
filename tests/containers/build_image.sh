#!/usr/bin/env bash
# The project's Dockerfile, built where no image registry is: on a base that is made of this machine's own Python, from
# wheels that pip has fetched outside. The image: golive-test/golive.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/containers/make_images.sh python
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
"${PYTHON:-python3}" -m pip download -q --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
  -d "$context/wheels" -r requirements-run.lock
git ls-files -co --exclude-standard -- Dockerfile .dockerignore pyproject.toml README.md requirements-run.lock \
  harness simulators scenarios load reference_impl reports | tar -c -T - | tar -x -C "$context"
DOCKER_BUILDKIT=0 docker build -q --build-arg BASE=golive-test/python --build-arg PIP_ARGS=--no-index \
  -t golive-test/golive "$context"
