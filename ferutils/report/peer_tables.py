"""Networks that people install -> what they answer, cost and say of themselves: frames, and words.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import re

import pandas as pd
from IPython.display import Markdown

from ferutils.records.examination import Examination
from ferutils.records.keeping import HELD_OUT
from ferutils.records.peers import Peer, Peers
from ferutils.report import small_tables
from ferutils.report.small_tables import TEST
from ferutils.report.tables import percent, with_interval


def answers(found: Peers, examined: Examination) -> pd.DataFrame:
    """How often each network is right, what its file weighs, and its time on one thread.

    Columns: Network; Bytes; Milliseconds a face; PublicTest; PublicTest, new faces; PrivateTest;
    PrivateTest, new faces.
    """
    rows = []
    for name, peer in found.forms.items():
        row = {"Network": name, "Bytes": f"{peer.bytes:,}"}
        row["Milliseconds a face"] = f"{peer.milliseconds:.2f}"
        for split in HELD_OUT:
            for head, known in (("", ()), (", new faces", examined.near_in_training[split])):
                share = small_tables.accuracy(found, name, split, known)
                row[split + head] = with_interval(share)
        rows.append(row)
    return pd.DataFrame(rows)


def origins(found: Peers) -> Markdown:
    """What each package says of itself, with the place; of several networks in one, once."""
    packages = {peer.package: peer for peer in found.forms.values()}
    return Markdown("\n\n".join(map(_origin, packages.values())))


def _origin(peer: Peer) -> str:
    trained, chosen, prepared = map(_as_code, (peer.trained_on, peer.chosen_on_test, peer.prepared))
    return (
        f"**{peer.package} {peer.version}** ({peer.registry})\n"
        f": Licence: {_as_code(peer.licence)}. Trained on: {trained}. "
        f"Chosen on a test split: {chosen}. Accuracy claimed: {_claimed(peer)}. Input: {prepared}."
    )


def _as_code(text: str) -> str:
    """A text with its files of Python as code, which would be links to Paraguay otherwise."""
    return re.sub(r"[\w/]+\.py", r"`\g<0>`", text)


def _claimed(peer: Peer) -> str:
    if peer.claimed is None:
        return "none"
    return f"{percent(peer.claimed)} ({peer.claimed_in})"


def conclusion(found: Peers, examined: Examination) -> Markdown:
    """How good the best and the worst are, on all images of the test split and on new faces."""
    shares = {name: small_tables.accuracy(found, name, TEST) for name in found.forms}
    best, worst = (pick(shares, key=lambda name: shares[name].value) for pick in (max, min))
    new = small_tables.accuracy(found, best, TEST, examined.near_in_training[TEST])
    return Markdown(
        f"The best of them, **{best}**, is right for {percent(shares[best].value)} of {TEST} and "
        f"for {percent(new.value)} of the new faces there; the worst, {worst}, for "
        f"{percent(shares[worst].value)} of all."
    )
