"""The bundle for support: what is in it, and that no secret is, wherever one was planted and however it is spelt."""

import io
import json
import stat
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from zipfile import ZipFile

import pytest
from tests.box.conftest import Authority
from tests.box.given import ENROLMENT, NAMES, NOW, a_box
from tests.peers.authority import TODAY
from tests.peers.canaries import found, of_key

from lancert.box import keys, tls
from lancert.box.bundle import Told, make_bundle
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.box.pin import new_pin
from lancert.box.proxies import Proxies
from lancert.box.store import CertificateStore
from lancert.kit.files import private_directory, write_private
from lancert.kit.logs import Log, write_logs
from lancert.kit.redaction import keep_out
from lancert.kit.secret import Secret
from lancert.protocol.credential import ConnectionToken, Credential, parse_contract, parse_database_uuid

CONTRACT, UUID = "Canary-contract/7391", "cafebabe-0000-4000-8000-00000badf00d"
PASSWORD = "s3cr3t-canary"
PROXY = Secret(f"http://shop:{PASSWORD}@192.168.1.3:3128")
HOLDS = Credential(contract=parse_contract(CONTRACT), database=parse_database_uuid(UUID))
TOKEN = ConnectionToken(
    server="https://iot.example.com",
    root_fingerprint=None,
    contract=parse_contract(CONTRACT),
    database=parse_database_uuid(UUID),
).write()
ALLOWED = "Canary-allowed-4711"


WRITTEN: dict[str, Callable[[bytes], str]] = {
    "plain": bytes.decode,
    "repr": repr,
    "JSON": lambda raw: json.dumps(raw.decode()),
    "URL": lambda raw: quote(raw.decode(), safe=""),
    "hex": bytes.hex,
    "base64": lambda raw: b64encode(raw).decode(),
    "base64 inside": lambda raw: b64encode(b"{" + raw + b"}").decode(),
}


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    """Begin without values that an agent named before."""
    keep_out([])


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Folder:
    """A box that holds every secret there is."""
    made = Folder(tmp_path / "box")
    made.connect(Server(url="https://iot.example.com"), [])
    made.change_credential(HOLDS)
    made.enrolled(ENROLMENT)
    keys.identity_key(made.identity)
    store = CertificateStore(made.certificates)
    key = store.pending_key()
    store.install(key, authority.chain(NAMES, key), renewal_start=TODAY, renewal_end=TODAY + timedelta(days=1))
    store.pending_key()
    tls.write_stop_gap(made.stop_gap, (), NOW)
    return made


@pytest.fixture
def canaries(folder: Folder) -> dict[str, bytes]:
    """Every secret of that box."""
    salted = json.loads(new_pin_file(folder))
    return {
        "contract": CONTRACT.encode(),
        "database UUID": UUID.encode(),
        "token": TOKEN.reveal().encode(),
        "proxy password": PASSWORD.encode(),
        "proxy authorization": b64encode(f"shop:{PASSWORD}".encode()),
        "salt of the PIN": bytes.fromhex(salted["salt"]),
        "hash of the PIN": bytes.fromhex(salted["hash"]),
        **of_key("identity", folder.identity),
        **of_key("certificate", folder.certificates / "generation-000001.pem"),
        **of_key("pending key", folder.certificates / "pending-key.pem"),
        **of_key("stop-gap", folder.stop_gap),
    }


def new_pin_file(folder: Folder) -> bytes:
    """Give the box a PIN."""
    new_pin(folder.pin)
    return folder.pin.read_bytes()


def _bundle(folder: Folder) -> dict[str, bytes]:
    facts = a_box(credential=HOLDS, name=ALLOWED, server=Server(url="https://iot.example.com"))
    finding = Finding(
        check="a-check", title="A check", verdict=Verdict.WRONG, sentence="It is wrong.", remedy=("Do it",)
    )
    told = Told(facts=facts, now=NOW, findings=[finding], proxies=Proxies(setting=PROXY))
    with ZipFile(io.BytesIO(make_bundle(folder, told))) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def test_the_bundle_holds_what_helps(folder: Folder) -> None:
    """Status, doctor, versions, settings, the files of the folder and the log with its older files."""
    private_directory(folder.log_file.parent)
    write_private(folder.log_file, b'{"event": "now"}\n')
    write_private(folder.log_file.with_name("box.log.1"), b'{"event": "before"}\n')
    write_private(folder.path / "box.toml", b"http_port = 8080\n")
    bundle = {name.removeprefix("lancert-box-logs/"): content for name, content in _bundle(folder).items()}

    assert set(bundle) == {
        *("README.txt", "status.json", "doctor.txt", "versions.json", "settings.json", "folder.json"),
        *("log/box.log", "log/box.log.1"),
    }
    assert b"wrong      a-check: It is wrong." in bundle["doctor.txt"]
    settings = json.loads(bundle["settings.json"])
    assert settings["credential"] == {"contract": "set", "database_uuid": "set"}
    assert settings["set"] == {"http_port": 8080}
    assert json.loads(bundle["status.json"])["name"] == ALLOWED
    assert json.loads(bundle["versions.json"])["libraries"]["cryptography"]
    assert (bundle["log/box.log"], bundle["log/box.log.1"]) == (b'{"event": "now"}\n', b'{"event": "before"}\n')


def test_files_are_listed_with_their_fingerprints(folder: Folder, authority: Authority) -> None:
    """Names, sizes, rights, and by the fingerprints whether two files belong together."""
    listed = {one["path"]: one for one in json.loads(_bundle(folder)["lancert-box-logs/folder.json"])}

    generation = listed["certificates/generation-000001.pem"]
    assert generation["mode"] == "-rw-------"
    assert generation["bytes"] == (folder.certificates / "generation-000001.pem").stat().st_size
    assert [len(one["sha256"]) for one in generation["certificates"]] == [64, 64]
    assert len({listed[f"{name}.pem"]["public_key_sha256"] for name in ("identity", "stop-gap")}) == 2
    assert "public_key_sha256" not in listed["connection.json"]


def test_the_bundle_is_private_when_unpacked(folder: Folder) -> None:
    """Whoever unpacks it makes files for themselves alone."""
    told = Told(facts=a_box(), now=NOW, findings=None)
    with ZipFile(io.BytesIO(make_bundle(folder, told))) as bundle:
        modes = {stat.S_IMODE(one.external_attr >> 16) for one in bundle.infolist()}
        said = bundle.read("lancert-box-logs/doctor.txt")

    assert modes == {0o600}
    assert b"did not come to an end" in said


def test_no_secret_is_collected(folder: Folder, canaries: dict[str, bytes]) -> None:
    """S-95: a box full of secrets gives a bundle without one; the same search finds what may be in it."""
    settings = (
        f'name = "{ALLOWED}"\nproxy = "{PROXY.reveal()}"\npasword = "{PASSWORD}"\n'
        f'[[deploy]]\nname = "x"\nreload = ["curl", "{PASSWORD}"]\n'
    )
    write_private(folder.path / "box.toml", settings.encode())
    write_private(folder.path / f"set-aside-{UUID}", TOKEN.reveal().encode())
    write_private(folder.path / "notes.txt", folder.identity.read_bytes() + CONTRACT.encode())
    bundle = _bundle(folder)

    assert found(canaries, bundle) == []
    assert json.loads(bundle["lancert-box-logs/settings.json"])["proxy"] == "192.168.1.3:3128"
    assert {one.rpartition(" in ")[2] for one in found({"allowed": ALLOWED.encode()}, bundle)} == {
        "lancert-box-logs/status.json",
        "lancert-box-logs/settings.json",
    }


def test_what_an_older_version_wrote_into_the_log_is_redacted(folder: Folder, canaries: dict[str, bytes]) -> None:
    """S-95, S-35: lines full of secrets, in every spelling, come out without."""
    private_directory(folder.log_file.parent)
    pem = [folder.identity.read_bytes(), folder.stop_gap.read_bytes()[:180]]
    account = f"shop:{PASSWORD}"
    details = [
        *(write(value) for write in WRITTEN.values() for value in (CONTRACT.encode(), UUID.encode(), *pem)),
        TOKEN.reveal(),
        f"by http://{account}@192.168.1.3 with Proxy-Authorization: Basic {b64encode(account.encode()).decode()}",
    ]
    lines = [json.dumps({"event": "old", "allowed": ALLOWED, "detail": detail}) for detail in details]
    write_private(folder.log_file, "".join(f"{line}\n" for line in lines).encode())
    bundle = {name: content for name, content in _bundle(folder).items() if "/log/" in name}

    assert found(canaries, bundle) == []
    assert bundle["lancert-box-logs/log/box.log"].count(ALLOWED.encode()) == len(lines)


def test_what_the_agent_logs_is_without_secrets(folder: Folder, canaries: dict[str, bytes]) -> None:
    """S-95: also a contract, which has no shape, in the middle of a sentence that somebody else wrote."""
    keep_out(half for half in (HOLDS.contract, HOLDS.database) if half)
    write_logs(to_file=folder.log_file, level="debug")
    log = Log("test")
    try:
        raise ValueError(f"no such contract {CONTRACT} {folder.identity.read_text()}")
    except ValueError as error:
        log.exception("the server said something", detail=str(error), answer={"text": [CONTRACT, ALLOWED]})
    write_logs()

    written = {"log": folder.log_file.read_bytes()}
    assert found(canaries, written) == []
    assert found({"allowed": ALLOWED.encode()}, written) == [
        *("allowed, plain, in log", "allowed, URL, in log", "allowed, form, in log"),
        *("allowed, JSON, in log", "allowed, JSON in JSON, in log", "allowed, repr, in log"),
    ]


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_the_search_sees_every_spelling(write: Callable[[bytes], str], canaries: dict[str, bytes]) -> None:
    """The tests above can fail: each canary is found by itself, however it was written."""
    for name, value in canaries.items():
        if value.isascii() or write in (bytes.hex, WRITTEN["base64"], WRITTEN["base64 inside"]):
            assert found({name: value}, {"place": b"before " + write(value).encode() + b" after"}), name


def test_a_bundle_can_be_made_of_a_folder_without_anything(tmp_path: Path) -> None:
    """The worst day is the one on which it is needed."""
    folder = Folder(tmp_path / "box")
    (folder.path / "identity.pem").write_bytes(b"\xff" * 3000)
    (folder.path / "large.pem").write_bytes(b"x" * 300_000)
    (folder.path / "gone.pem").symlink_to("nowhere")
    listed = json.loads(_bundle(folder)["lancert-box-logs/folder.json"])

    assert {"identity.pem", "large.pem", "gone.pem"} <= {one["path"] for one in listed}
