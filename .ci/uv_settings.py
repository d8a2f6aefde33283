"""Print pip's settings as shell assignments for uv, which does not read them: `eval "$(uv_settings.py PYTHON…)"`.

The first of these Pythons that has pip is asked. A setting that uv has from its own environment variable stays.
"""

import os
import shlex
import subprocess
import sys

#: pip's name of a setting, uv's environment variable, and what stands between several values there.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
}


def pip_settings(lines: list[str]) -> dict[str, list[str]]:
    """What `pip config list` says: `global.index-url='…'`; the environment outweighs files, `install` the global."""
    found: dict[str, tuple[int, list[str]]] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        weight = {"global": 0, "install": 1, ":env:": 2}.get(section)
        if equals and weight is not None and weight >= found.get(name, (0, []))[0]:
            found[name] = (weight, " ".join(shlex.split(value)).split())
    return {name: values for name, (_, values) in found.items()}


def assignments(settings: dict[str, list[str]], environment: dict[str, str]) -> list[str]:
    """Shell assignments for uv."""
    lines = [
        f"export {variable}={shlex.quote(separator.join(settings[name]))}"
        for name, (variable, separator) in SETTINGS.items()
        if settings.get(name) and variable not in environment
    ]
    if "extra-index-url" in settings and "UV_INDEX_STRATEGY" not in environment:
        # As pip does it: the version that the lock names, from whichever index has it. Its hash says that it is that.
        lines.append("export UV_INDEX_STRATEGY=unsafe-best-match")
    return lines


def main() -> None:
    """Ask the first Python that has pip."""
    for python in sys.argv[1:]:
        asked = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            print("\n".join(assignments(pip_settings(asked.stdout.splitlines()), dict(os.environ))))
            return


if __name__ == "__main__":
    main()
