"""Certificates for tests: an authority that issues PEM files to servers and clients."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path

    def copy_over(self, other: "Certificate") -> None:
        """Overwrite the files of ``other``: a server that rereads them uses this certificate."""
        shutil.copy(self.cert, other.cert)
        shutil.copy(self.key, other.key)


class Authority:
    """Issues certificates; ``ca`` is its own certificate, for those who trust it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self._issued = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(self, *names: str, expired: bool = False) -> Certificate:
        """A certificate for these host names and addresses, valid until tomorrow or yesterday."""
        now = datetime.now(UTC)
        until = now + timedelta(days=-1 if expired else 1)
        issued = self._authority.issue_cert(
            *names, not_before=now - timedelta(days=9), not_after=until
        )
        self._issued += 1
        files = Certificate(
            self._folder / f"{self._issued}.pem", self._folder / f"{self._issued}.key"
        )
        for position, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(str(files.cert), append=position > 0)
        issued.private_key_pem.write_to_path(str(files.key))
        return files


@dataclass(frozen=True)
class ServerTls:
    """The TLS options of a server's second port; its first port stays plain."""

    ca: Path
    certificate: Certificate
    demands_client_certificate: bool
