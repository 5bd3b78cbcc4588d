"""The HTTPS side of the service itself: one TLS context that never changes, and inside it the one that is current.

A context is built and checked completely before it takes over, by the SNI callback, which is asked for every
handshake whether the client names a server or not; open connections live on. Calling ``load_cert_chain`` on the
live context instead would break it when certificate and key do not match.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.kit.clock import Clock
from lancert.kit.files import private_directory, read_limited, write_private
from lancert.kit.logs import Log
from lancert.protocol.certificate import NotAChain, facts_of, public_bytes, read_chain
from lancert.service.authority import EmbeddedAuthority
from lancert.service.issuance import described, intent_of, issuer_of, sign_intent
from lancert.service.policy import is_young
from lancert.service.serving import running
from lancert.service.settings import ServiceSettings
from lancert.service.signing_request import hash_of_key
from lancert.service.store.issuances import finish_intents, insert_intents
from lancert.service.store.writer import Store

_FILE: Final = "https.pem"
_LIMIT: Final = 65_536
_LOOK_EVERY: Final = timedelta(minutes=10)
_log = Log("service.https")


class LiveContext:
    """The TLS context of the server; ``use`` replaces the certificate for every handshake that follows."""

    def __init__(self, chain: Path, key: Path | None = None) -> None:
        self._current = _context(chain, key)
        self.outer = _context(chain, key)
        self.outer.sni_callback = self._choose

    def use(self, chain: Path, key: Path | None = None) -> None:
        """Take another certificate and key, from two files or one. Raises OSError, ssl.SSLError."""
        self._current = _context(chain, key)

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current


def _context(chain: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for file in (chain, key):
        if file is not None:
            file.open("rb").close()  # the library says that a file is missing, and not which one
    context.load_cert_chain(chain, key)
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCertificate:
    """The service's certificate from its own authority: one private file with key and chain."""

    folder: Path
    authority: EmbeddedAuthority
    names: tuple[str, ...]

    @property
    def file(self) -> Path:
        """Give the file."""
        return self.folder / _FILE

    def is_due(self, now: datetime) -> bool:
        """Say whether there is no certificate that is young, for these names and from this authority."""
        try:
            content = read_limited(self.file, _LIMIT)
            _, _, chain = content.partition(b"-----END PRIVATE KEY-----")
            leaf = read_chain(chain)[0]
            facts = facts_of(leaf)
        except (OSError, NotAChain):
            return True
        return (
            sorted(facts.names) != sorted(self.names)
            or leaf.issuer != self.authority.issuing.subject
            or not is_young(facts.not_before, facts.not_after, now)
        )

    async def renew(self, store: Store, now: datetime) -> None:
        """Have a new key certified, on the record like every other (S-93), and write the file. Raises OSError."""
        key = ec.generate_private_key(ec.SECP256R1())
        public_key = public_bytes(key.public_key())
        plan = self.authority.plan(names=self.names, public_key=public_key, now=now)
        intent = intent_of(plan, box=None, key_hash=hash_of_key(public_key), issuer=issuer_of(self.authority))
        await store.write(lambda connection: insert_intents(connection, [(intent, described(None))], now))
        certificate = sign_intent(self.authority, intent)
        await store.write(lambda connection: finish_intents(connection, {intent.serial: certificate}, now))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        private_directory(self.folder)
        write_private(self.file, private + self.authority.chain_pem(certificate).encode())


@contextlib.asynccontextmanager
async def live_certificate(
    settings: ServiceSettings, authority: EmbeddedAuthority, store: Store, clock: Clock, url: str
) -> AsyncIterator[LiveContext]:
    """Have a certificate for HTTPS, and keep it young while the service runs."""
    if settings.certificate is not None:
        live = LiveContext(settings.certificate, settings.key)
        keep = _keep_files(live, settings.certificate, settings.key)
    else:
        names = tuple(dict.fromkeys((settings.service_name, urlsplit(url).hostname or settings.service_name)))
        own = OwnCertificate(folder=settings.folder, authority=authority, names=names)
        if own.is_due(clock.now()):
            await own.renew(store, clock.now())
        live = LiveContext(own.file)
        keep = _keep_own(live, own, store, clock)
    async with running(keep):
        yield live


async def _keep_own(live: LiveContext, own: OwnCertificate, store: Store, clock: Clock) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY.total_seconds())
        try:
            if own.is_due(clock.now()):
                await own.renew(store, clock.now())
                live.use(own.file)
                _log.info("the service has a new certificate")
        except Exception:
            _log.exception("the service could not renew its own certificate")


async def _keep_files(live: LiveContext, chain: Path, key: Path | None) -> None:
    """Take a given certificate again when its file changed: another program renews it."""
    seen = _changed_at(chain)
    while True:
        await asyncio.sleep(_LOOK_EVERY.total_seconds())
        try:
            if (now := _changed_at(chain)) != seen:
                live.use(chain, key)
                seen = now
                _log.info("the service took the new certificate")
        except (OSError, ssl.SSLError):
            _log.exception("the new certificate cannot be used; the old one stays")


def _changed_at(file: Path) -> int:
    return file.stat().st_mtime_ns
