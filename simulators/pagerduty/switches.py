"""What the facts leave open, as switches with a default. Each is an option of `python -m simulators pagerduty`.

Facts: /work/shared/facts/aws_pagerduty.md, sections 3 and 4; the paragraph stands with each switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How this PagerDuty behaves where the real one's behaviour is uncertain, or depends on who sends."""

    signature: Literal["off", "on"] = "off"
    """Whether the signature of an SNS message is verified (3.6 to 3.8). ministack signs nothing ("FAKE"), moto leaves
    the Subject out: on is for senders that really sign."""
    cert_at: str = ""
    """Base URL where the path of a SigningCertURL is fetched instead of at AWS: an emulator or a local signer. The
    URL in the message must name AWS all the same (3.8)."""
    cert_ca: str = ""
    """File with the PEM of the CA that must have issued the signing certificate; empty: its chain is not checked
    (AWS's own validator does not check it either, 3.8)."""
    confirm: Literal["loopback", "anywhere", "never"] = "loopback"
    """Where a SubscribeURL may point to for us to visit it. PagerDuty confirms by itself (4.1)."""
    confirm_at: str = ""
    """Base URL where SubscribeURLs are visited instead of where they point to; for an emulator that does not know its
    own port. It is the user's word, so `confirm` does not limit it, unless it is `never`."""
    topics: str = ""
    """TopicArns that are listened to, separated by commas; empty: any (an allow-list is advised, 3.8)."""
    alert_key: Literal["arn", "name"] = "arn"
    """What makes two notifications one alert: AlarmArn (without one, and with `name`: account, region, name). Not
    specified by PagerDuty (4.6)."""
    title: Literal["subject", "alarm_name"] = "subject"
    """What an incident is called: the SNS Subject (so on x-ere), or the alarm's name (a choice of the service, 4.5)."""
    subject_must_match: bool = True
    """Whether the Subject must begin with `ALARM: ` or `OK: ` as NewStateValue says, else it is discarded (4.4)."""
    discard_status: Literal[202, 400] = 202
    """HTTP status when a notification is discarded. Unknown; 202 is the harder one: nobody is told (4.4)."""
    strict_keys: bool = False
    """Only keys of `PUT /_golive/keys/{key}` are taken; off: any of 32 letters and digits."""
    rate_per_min: int = 120
    """Calls per integration key within 60 s before it is 429; 0: no limit (4.10: about 120)."""
    max_body_bytes: int = 512 * 1024
    """Larger bodies are refused (4.9)."""
