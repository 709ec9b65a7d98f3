"""Certificates for tests: an authority that issues them to servers and clients, as PEM files."""

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
        """Stand where the other one stood: a server that reads the files again shows this one."""
        shutil.copy(self.cert, other.cert)
        shutil.copy(self.key, other.key)


class Authority:
    """Issues certificates; ``ca`` is the file that whoever trusts it is given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self._issued = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(self, *names: str, expired: bool = False) -> Certificate:
        """A certificate for these host names and addresses; or one that ran out yesterday."""
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
    """How a server is to speak TLS, beside its plain port."""

    ca: Path
    certificate: Certificate
    demands_client_certificate: bool
