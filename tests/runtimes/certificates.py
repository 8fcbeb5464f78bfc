"""Certificates and keys for a SuperLink and its SuperNodes, for an hour."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


def write_certificates(folder: Path) -> None:
    """Write ``ca.crt``, and ``server.pem`` with ``server.key`` for this machine's loopback addresses."""
    authority, server = _key(), _key()
    ca = _certificate("authority", authority, authority, authority=True)
    certificate = _certificate("localhost", server, authority, authority=False)
    (folder / "ca.crt").write_bytes(ca.public_bytes(forms.Encoding.PEM))
    (folder / "server.pem").write_bytes(certificate.public_bytes(forms.Encoding.PEM))
    (folder / "server.key").write_bytes(_private(server, forms.PrivateFormat.PKCS8))


def write_node_key(path: Path) -> None:
    """Write a node's private key, and the public one beside it with the suffix ``.pub``."""
    key = _key()
    path.write_bytes(_private(key, forms.PrivateFormat.OpenSSH))
    public = key.public_key().public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)
    path.with_suffix(".pub").write_bytes(public)


def _key() -> Key:
    return ec.generate_private_key(ec.SECP384R1())


def _private(key: Key, form: forms.PrivateFormat) -> bytes:
    return key.private_bytes(forms.Encoding.PEM, form, forms.NoEncryption())


def _certificate(name: str, key: Key, signer: Key, *, authority: bool) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
