# golive in a container: `golive up` when nothing else is asked for, as a user who is not root.
#
#   docker build -t golive .
#   docker run --rm -p 127.0.0.1:7100-7102:7100-7102 golive
#
# BASE is any Debian-like image with this Python. Wheels that lie in wheels/ are taken before the index;
# PIP_ARGS=--no-index takes those only (docs/containers.md).
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG PIP_ARGS=
WORKDIR /src
COPY requirements-run.lock wheel[s] /wheels/
RUN python3 -m venv /opt/golive \
 && /opt/golive/bin/python -m pip install -q --no-cache-dir --disable-pip-version-check ${PIP_ARGS} --find-links /wheels \
      --require-hashes -r /wheels/requirements-run.lock
COPY pyproject.toml README.md ./
COPY harness harness
COPY simulators simulators
COPY scenarios scenarios
COPY load load
COPY reference_impl reference_impl
COPY reports reports
RUN /opt/golive/bin/python -m pip install -q --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/golive/bin/python -m pip uninstall -q -y hatchling editables uv pip

FROM ${BASE}
# PostgreSQL wants a user with a name. The folder is where `golive run` writes its reports: mount one there.
RUN grep -q '^golive:' /etc/passwd || echo 'golive:x:10001:10001::/work:/bin/sh' >> /etc/passwd \
 && mkdir -p /work && chown 10001:10001 /work
COPY --from=build /opt/golive /opt/golive
ENV PATH=/opt/golive/bin:/usr/local/bin:/usr/bin:/bin HOME=/work PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /work
EXPOSE 7100 7101 7102
STOPSIGNAL SIGTERM
ENTRYPOINT ["golive"]
CMD ["up", "--published"]
