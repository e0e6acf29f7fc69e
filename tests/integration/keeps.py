# SPDX-License-Identifier: Apache-2.0
"""Workloads of a confidential-computing runtime, played: a CA that issues certificates as Enarx's Steward does, keeps that sign what
they loaded, in the Trust Monitor's form and in ours."""
import base64
import datetime
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}
CURVES = {"sha256": ec.SECP256R1(), "sha384": ec.SECP384R1()}
KVM = x509.ObjectIdentifier("1.3.6.1.4.1.58270.1.1")
CLIENT = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def hours(n):
    return datetime.timedelta(hours=n)


class Steward:
    def __init__(self, name="steward", curve=None):
        self.key = ec.generate_private_key(curve or ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = (self.builder(self.name, self.key.public_key())
                     .add_extension(x509.BasicConstraints(True, 0), critical=True)
                     .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
                     .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
                     .sign(self.key, hashes.SHA256()))

    def builder(self, subject, key, begin=None, end=None):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(begin or now() - hours(1)).not_valid_after(end or now() + hours(28 * 24)))

    def issue(self, key, uses=CLIENT, kvm=False, begin=None, end=None):
        b = self.builder(x509.Name([]), key, begin, end)
        b = b.add_extension(x509.SubjectAlternativeName([x509.DNSName("foo.bar.hub.profian.com")]), critical=True)
        if uses:
            b = b.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if kvm:
            b = b.add_extension(x509.UnrecognizedExtension(KVM, b""), critical=False)
        return b.sign(self.key, hashes.SHA256())

    def revoke(self, *certs, begin=None, end=None):
        b = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        b = b.last_update(begin or now() - hours(1)).next_update(end or now() + hours(24))
        for cert in certs:
            b = b.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(cert.serial_number)
                                          .revocation_date(now() - hours(1)).build())
        return b.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def pem(self):
        return self.cert.public_bytes(Encoding.PEM)


class Keep:
    """A key in a keep, and its certificate."""

    def __init__(self, steward, algorithm="sha256", **options):
        self.algorithm = algorithm
        self.key = ec.generate_private_key(CURVES[algorithm])
        self.cert = steward.issue(self.key.public_key(), **options)

    def der(self):
        return self.cert.public_bytes(Encoding.DER)

    def sign(self, digest):
        """Over the module's digest itself, as keeps do."""
        return self.key.sign(digest, ec.ECDSA(utils.Prehashed(HASHES[self.algorithm])))

    def body(self, digest):
        signature = self.sign(digest)
        return bytes([len(signature)]) + signature + self.der()

    def evidence(self, challenge, digest, algorithm="sha256", entity=None, technology="enarx"):
        """Our own form: {challenge, nonce, verifier_id} is what the verifier gave."""
        parts = [challenge["verifier_id"].encode(), challenge["challenge"].encode(), bytes.fromhex(challenge["nonce"]),
                 technology.encode(), (entity or "").encode(), algorithm.encode(), digest]
        message = b"avow-workload-v1\0" + b"".join(struct.pack(">H", len(p)) + p for p in parts)
        signature = self.key.sign(message, ec.ECDSA(HASHES[self.algorithm]))
        doc = {"schema": "avow.workload-evidence/1", "challenge": challenge["challenge"], "nonce": challenge["nonce"],
               "technology": technology, "algorithm": algorithm, "digest": digest.hex(),
               "chain": [base64.b64encode(self.der()).decode()], "signature": base64.b64encode(signature).decode()}
        return {**doc, "entity": entity} if entity else doc
