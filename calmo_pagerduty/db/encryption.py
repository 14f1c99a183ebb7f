"""Encryption of secrets at rest: each secret has its own key, which a master key wraps.

Both layers use AES-256-GCM. The associated data names table, column, scope, row and version, so a
ciphertext that is copied to another row can't be decrypted there.
"""

import base64
import contextlib
import os
import re
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from calmo_pagerduty.db.audit_signatures import PURPOSE, AuditKeys, signature_prefix
from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import (
    audit,
    audit_segments,
    connections,
    key_checks,
    report_addresses,
    webhook_secrets,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError

#: All columns with sealed values.
SEALED_COLUMNS = (
    webhook_secrets.c.sealed,
    connections.c.token_sealed,
    audit_segments.c.sealed,
    report_addresses.c.sealed,
)

_FORMAT = 1
_ALTERED = "the sealed value was altered or belongs to another row"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_WRAPPED_BYTES = _NONCE_BYTES + _KEY_BYTES + 16
_KID = re.compile(r"[A-Za-z0-9._-]{1,32}")


class KeyProblem(ExplainedError):
    """The master key is missing, malformed, readable by others, or not the database's key."""


class CannotDecrypt(Exception):
    """A sealed value can't be decrypted: wrong key, wrong row, or altered bytes."""


@dataclass(frozen=True, slots=True)
class CellAddress:
    """The cell that a sealed value is bound to. It can't be decrypted for another cell."""

    table: str
    column: str
    scope: str
    row: str
    version: int = 0

    def associated_data(self) -> bytes:
        """Return the bytes that bind a ciphertext to its place, so that it can't be moved to another row."""
        parts = (str(_FORMAT), self.table, self.column, self.scope, self.row, str(self.version))
        return b"".join(struct.pack(">I", len(part.encode())) + part.encode() for part in parts)


def segment_cell(first_seq: int) -> CellAddress:
    """Return the cell of an audit segment's seal."""
    return CellAddress("audit_segments", "sealed", "", str(first_seq))


class Keyring:
    """Master keys by name. The first key seals; any key opens."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise KeyProblem("no encryption key is configured")
        for kid, key in keys.items():
            if not _KID.fullmatch(kid) or len(key) != _KEY_BYTES:
                raise KeyProblem("an encryption key is NAME:BASE64 of exactly 32 bytes")
        self._keys = dict(keys)
        self._primary = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    def derive(self, purpose: str) -> Mapping[str, bytes]:
        """Return a key for another purpose by each master key's name, the primary first.

        Source: RFC 5869 (HKDF) with SHA-256.
        """
        return {
            kid: HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose.encode()).derive(key)
            for kid, key in self._keys.items()
        }

    def seal(self, plaintext: bytes, cell: CellAddress) -> bytes:
        """Encrypt for a cell. Layout: format, length of kid, kid, wrapped key, nonce, ciphertext."""
        bound = cell.associated_data()
        data_key = AESGCM.generate_key(bit_length=256)
        wrapped = _encrypt(self._keys[self._primary], data_key, bound)
        return sealed_prefix(self._primary) + wrapped + _encrypt(data_key, plaintext, bound)

    def open(self, sealed: bytes, cell: CellAddress) -> bytes:
        """Decrypt a value that was sealed for this cell. Raises CannotDecrypt."""
        bound = cell.associated_data()
        data_key, text = self._unwrap(sealed, bound)
        try:
            return _decrypt(data_key, text, bound)
        except (ValueError, InvalidTag) as error:
            raise CannotDecrypt(_ALTERED) from error

    def _unwrap(self, sealed: bytes, bound: bytes) -> tuple[bytes, bytes]:
        """Return the value's own key and its ciphertext. Raises CannotDecrypt."""
        try:
            version, kid_bytes = sealed[0], sealed[1]
            kid = sealed[2 : 2 + kid_bytes].decode("ascii")
            rest = sealed[2 + kid_bytes :]
            if version != _FORMAT or kid not in self._keys:
                raise CannotDecrypt(f"sealed with a key that is not configured here: {kid!r}")
            return _decrypt(self._keys[kid], rest[:_WRAPPED_BYTES], bound), rest[_WRAPPED_BYTES:]
        except (IndexError, ValueError, InvalidTag) as error:
            raise CannotDecrypt(_ALTERED) from error

    @property
    def audit_keys(self) -> AuditKeys:
        """The keys that sign rows of the audit."""
        return AuditKeys(self.derive(PURPOSE))

    @property
    def primary(self) -> str:
        """The name of the key that seals."""
        return self._primary

    def rewrap(self, sealed: bytes, cell: CellAddress) -> bytes:
        """Wrap the value's own key with the primary master key. The ciphertext stays unchanged.

        Raises CannotDecrypt.
        """
        bound = cell.associated_data()
        data_key, text = self._unwrap(sealed, bound)
        return sealed_prefix(self._primary) + _encrypt(self._keys[self._primary], data_key, bound) + text

    def check(self, tx: Transaction) -> None:
        """Check at start that these keys can open the database's values. Raises KeyProblem."""
        for kid, key in self._keys.items():
            cell = CellAddress("key_checks", "sealed", "", kid)
            proof = Keyring({kid: key}).seal(b"calmo", cell)
            # Several processes may start at once.
            tx.execute(insert_or_ignore(tx, key_checks), {"kid": kid, "sealed": proof})
            stored = sa.select(key_checks.c.sealed).where(key_checks.c.kid == kid)
            try:
                self.open(tx.execute(stored).scalar_one(), cell)
            except CannotDecrypt as error:
                raise KeyProblem(
                    f"the encryption key {kid!r} is not the one that this database was sealed with"
                ) from error
        self._check_that_none_is_missing(tx)

    def _check_that_none_is_missing(self, tx: Transaction) -> None:
        elsewhere = sa.select(key_checks.c.kid).where(key_checks.c.kid.not_in(self._keys))
        for kid in tx.execute(elsewhere).scalars().all():
            start = sealed_prefix(kid)
            if tx.execute(sa.select(sa.literal(1)).where(signed_with(kid)).limit(1)).first():
                raise KeyProblem(f"the encryption key {kid!r} is missing, which the audit is signed with")
            for sealed in SEALED_COLUMNS:
                sealed_by_it = sa.func.substr(sealed, 1, len(start)) == start
                if tx.execute(sa.select(sa.literal(1)).where(sealed_by_it).limit(1)).first():
                    raise KeyProblem(f"the encryption key {kid!r} is missing, which secrets are sealed with")


def parse_keys(text: str) -> Keyring:
    """Parse `NAME:BASE64` items, separated by commas or line breaks; the first seals. Raises KeyProblem."""
    keys: dict[str, bytes] = {}
    for item in filter(None, (part.strip() for part in re.split(r"[,\n]", text))):
        kid, _, encoded = item.partition(":")
        try:
            keys[kid] = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise KeyProblem("an encryption key is NAME:BASE64 of exactly 32 bytes") from error
    return Keyring(keys)


def load_or_create_keys(path: Path) -> Keyring:
    """Read the key file, or create it, readable by its owner only. Raises KeyProblem."""
    try:
        if not path.exists():
            _create_key_file(path)
        if path.stat().st_mode & 0o077:
            raise KeyProblem(f"{path} can be read by others: chmod 600 {path}")
        return parse_keys(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise KeyProblem(f"the key file {path} is not text") from error
    except OSError as error:
        raise KeyProblem(f"cannot use the key file {path}: {error.strerror}") from error


def _create_key_file(path: Path) -> None:
    """Create the file atomically, so that processes that start at once agree on one key."""
    text = "k1:" + base64.b64encode(AESGCM.generate_key(bit_length=256)).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    # The draft has a unique name, so a draft that a crash left behind disturbs nobody.
    descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the file's directory entry durable: without the key file, sealed values are lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sealing_key_name(sealed: bytes) -> str:
    """Return the name of the master key that wraps the value's own key."""
    return sealed[2 : 2 + sealed[1]].decode("ascii")


def signed_with(kid: str) -> sa.ColumnElement[bool]:
    """Return the condition that a row of the audit is signed with this master key."""
    start = signature_prefix(kid)
    return sa.func.substr(audit.c.signature, 1, len(start)) == start


def sealed_prefix(kid: str) -> bytes:
    """Return the prefix of all values that a key has sealed: format, length of its name, its name."""
    return bytes((_FORMAT, len(kid))) + kid.encode("ascii")


def _encrypt(key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound)


def _decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
