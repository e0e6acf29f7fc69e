# SPDX-License-Identifier: Apache-2.0
"""An attester as Keylime's push agents are: it signs challenges as they are, shows no certificate, and offers and sends its logs as they do,
the kernel's list as text and the boot log in base64."""
import time

import peer


class KeylimePeer(peer.Peer):
    lines, bios = None, None  # of the kernel's list; the boot log
    lines_max = None  # that it sends at once, whatever it is asked for

    @classmethod
    def enrolled(cls, lab, name, policy, tpm=None):
        """On a TPM of its own, or TPM's; the host is added under POLICY."""
        keys = peer.Tpm((tpm or lab.tpm(name)).tcti, f"{lab.dir}/peer-{name}")
        p = cls(name, keys, lab.registrar_url, lab.verifier_url, lab.ca, keys.dir)
        p.verifier = peer.Connection(lab.verifier_url, lab.ca)
        p.enrol()
        lab.avow("host", "add", name, "--tofu", "--policy", policy, "--peer", "keylime")
        return p

    def qualifying(self, purpose, challenge, host=None):
        return challenge[:16]

    def capabilities(self):
        doc = super().capabilities()
        del doc["meta"]
        supported = doc["data"]["attributes"]["evidence_supported"]
        supported[1:] = []
        if self.bios is not None:
            supported.append({"evidence_class": "log", "evidence_type": "uefi_log", "capabilities": {
                "evidence_version": "2.1", "entry_count": 1, "supports_partial_access": False, "appendable": False,
                "formats": ["application/octet-stream"]}})
        if self.lines is not None:
            supported.append({"evidence_class": "log", "evidence_type": "ima_log", "capabilities": {
                "entry_count": len(self.lines), "supports_partial_access": True, "appendable": True, "formats": ["text/plain"]}})
        return doc

    def quote_data(self):
        qualifying = self.qualifying("heartbeat", peer.base64.b64decode(self.asked("tpm_quote")["challenge"]))
        message, signature, pcrs = self.tpm.quote(qualifying, self.quote_pcrs())
        return {"subject_data": peer.b64(pcrs), "message": peer.b64(message), "signature": peer.b64(signature)}

    def ima_data(self):
        asked = self.asked("ima_log")
        assert asked["format"] == "text/plain", asked
        lines = self.lines[asked["starting_offset"]:][:asked["entry_count"]][:self.lines_max]
        return {"entries": "".join(lines), "entry_count": len(lines)}

    def evidence(self):
        makers = {"tpm_quote": ("certification", self.quote_data), "ima_log": ("log", self.ima_data),
                  "uefi_log": ("log", lambda: {"entries": peer.b64(self.bios)})}
        return {"data": {"type": "attestation", "attributes": {"evidence_collected": [
            {"evidence_class": makers[e["evidence_type"]][0], "evidence_type": e["evidence_type"], "data": makers[e["evidence_type"]][1]()}
            for e in self.next["evidence_requested"]]}}}

    def patch(self, body):
        path = f"/v3.0/agents/{self.name}/attestations/{self.next['index']}"
        return self.verifier.request("PATCH", path, body, peer.JSON_API, self.headers())[:2]

    def round(self):
        """Offers, sends what is asked for. Returns (what was asked for, seconds to the next round)."""
        status, doc = self.offer()
        assert status == 201, (status, doc)
        asked = [e["evidence_type"] for e in self.next["evidence_requested"]]
        status, doc = self.patch(self.evidence())
        assert status == 202, (status, doc)
        return asked, doc["meta"]["seconds_to_next_attestation"]

    def rounds(self):
        """Rounds for as long as the next is wanted at once. Returns what was asked for in each."""
        all_asked = []
        for _ in range(20):
            asked, wait = self.round()
            all_asked.append(asked)
            if wait:
                return all_asked
            time.sleep(0.3)
        raise AssertionError(f"it asks and asks: {all_asked}")
