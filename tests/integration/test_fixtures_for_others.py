"""The fixtures that other people's projects get with golive, in a project of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"


def run(folder: Path, *words: str, as_installed: bool = False) -> subprocess.CompletedProcess[str]:
    """pytest in another project's folder.

    With `as_installed` as its developers would start it: pytest finds golive's plugin by itself, and with it all other
    plugins of this environment, which cost four seconds.
    """
    env = dict(os.environ) if as_installed else {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    named = ("-p", "no:locust") if as_installed else ("-p", "harness.pytest_fixtures")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *named, "-p", "no:cacheprovider", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=env,
    )


def write(folder: Path, text: str) -> None:
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_it.py").write_text(text, encoding="utf-8")


def test_the_example_project_is_green(tmp_path: Path) -> None:
    """Copied out of the repository, so that nothing of ours helps it; and its fakes are gone afterwards."""
    shutil.copytree(EXAMPLE, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    done = run(tmp_path / "shop", as_installed=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "8 passed" in done.stdout
    left = [one for one in psutil.Process().children(recursive=True) if "simulators" in " ".join(one.cmdline())]
    assert left == []


@pytest.mark.parametrize(
    ("broken", "by", "fails"),
    [
        ('hmac.compare_digest(parts.get("v1", ""), wanted)', "True", "test_a_forgery_is_refused"),
        ('if payment["id"] not in self._told:', "if True:", "test_a_sale_that_is_told_twice_is_counted_once"),
        ("for last in (False, False, True):", "for last in (True,):", "test_meta_in_trouble_loses_no_sale"),
        ('payment["amount"] / 100', 'payment["amount"]', "test_a_sale_reaches_meta"),
    ],
)
def test_a_broken_shop_is_caught(tmp_path: Path, broken: str, by: str, fails: str) -> None:
    """The fixtures can fail: each mistake turns the test that is about it red."""
    shutil.copytree(EXAMPLE, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    source = (tmp_path / "shop" / "shop.py").read_text(encoding="utf-8")
    assert broken in source
    (tmp_path / "shop" / "shop.py").write_text(source.replace(broken, by), encoding="utf-8")
    done = run(tmp_path / "shop")
    assert done.returncode == 1
    assert fails in done.stdout


def test_a_project_that_uses_nothing_pays_nothing(tmp_path: Path) -> None:
    """The plugin is loaded into every pytest run of the environment: it must bring nothing with it."""
    write(
        tmp_path,
        "import sys\n\ndef test_it():\n"
        "    heavy = ('requests', 'starlette', 'locust', 'flask', 'psycopg', 'reference_impl', 'simulators')\n"
        "    assert [name for name in heavy if name in sys.modules] == []\n",
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_fakes_need_neither_the_reference_nor_locust(tmp_path: Path) -> None:
    """The core install has none of them."""
    write(
        tmp_path,
        "import sys\n\ndef test_it(stripe_gateway, meta_capi):\n"
        "    assert stripe_gateway.webhook('http://127.0.0.1:1/').body and meta_capi.events == []\n"
        "    heavy = ('locust', 'flask', 'boto3', 'sqlalchemy', 'granian', 'reference_impl', 'load')\n"
        "    assert [name for name in heavy if name in sys.modules] == []\n",
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout


def test_mistakes_are_answered_with_the_nearest_name(tmp_path: Path) -> None:
    """Unknown events and tamperings, and other people's hosts."""
    write(
        tmp_path,
        "import pytest\n\ndef test_it(kiwify_gateway):\n"
        "    with pytest.raises(LookupError, match=\"Did you mean 'approved'\"):\n"
        "        kiwify_gateway.send('http://127.0.0.1:1/', 'aproved')\n"
        "    with pytest.raises(LookupError, match=\"Did you mean 'one_byte'\"):\n"
        "        kiwify_gateway.send('http://127.0.0.1:1/', tamper='one_bite')\n"
        "    with pytest.raises(ValueError, match='this machine only'):\n"
        "        kiwify_gateway.send('https://shop.example.com/hook')\n",
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_test_has_its_own_pixel_and_secret(tmp_path: Path) -> None:
    """What one test sends, no other test sees."""
    write(
        tmp_path,
        "SEEN = []\n\ndef one(meta, gateway):\n"
        "    SEEN.append((meta.pixel_id, meta.token, gateway.secret, gateway.order().buyer.email))\n\n"
        "def test_a(meta_capi, hotmart_gateway): one(meta_capi, hotmart_gateway)\n"
        "def test_b(meta_capi, hotmart_gateway): one(meta_capi, hotmart_gateway)\n"
        "def test_c(): assert all(mine != other for mine, other in zip(*SEEN))\n",
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_page_reaches_the_tests_own_service(tmp_path: Path) -> None:
    """Events API v2: one incident for two triggers of one key, resolved at the end; another test sees none of it."""
    write(
        tmp_path,
        "import requests\n\ndef tell(pagerduty, action):\n"
        "    payload = {'summary': 'the queue is full', 'source': 'here', 'severity': 'critical'}\n"
        "    body = {'routing_key': pagerduty.routing_key, 'event_action': action, 'dedup_key': 'q'}\n"
        "    body['payload'] = payload\n"
        "    return requests.post(pagerduty.url + '/v2/enqueue', json=body, timeout=5).status_code\n\n"
        "def test_it(pagerduty):\n"
        "    assert [tell(pagerduty, 'trigger') for _ in range(2)] == [202, 202]\n"
        "    (incident,) = pagerduty.wait_for_incidents()\n"
        "    assert (incident['state'], incident['triggers']) == ('triggered', 2)\n"
        "    assert tell(pagerduty, 'resolve') == 202\n"
        "    assert pagerduty.wait_for_incidents()[0]['state'] == 'resolved'\n\n"
        "def test_another(pagerduty):\n"
        "    assert pagerduty.wait_for_incidents(within_s=0.1) == []\n",
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
