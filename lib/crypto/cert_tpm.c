/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maker, model and version of a TPM, from its EK certificate. The class is for people and policies: a
 * virtual TPM's state can be rolled back by whoever runs it, an emulator's keys can be read (SR-17).
 *
 * Spec: TCG EK Credential Profile 2.x §3.2.9; TCG TPM Vendor ID Registry 1.06.
 */
#include "crypto/cert_tpm.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "crypto/ossl.h"

static const struct {
        const char *maker, *class;
} classes[] = {
        {"id:00001014", "emulated"}, /* libtpms: IBM's number, not its characters */
        {"id:49424D00", "emulated"}, /* IBM */
        {"id:4D534654", "vtpm"},     /* MSFT: Hyper-V, Azure */
        {"id:474F4F47", "vtpm"},     /* GOOG */
        {"id:414D5A4E", "vtpm"},     /* AMZN */
        {"id:564D5700", "vtpm"},     /* VMW */
        {"id:564D5741", "vtpm"},     /* VMWA */
        {"id:58656E00", "vtpm"},     /* Xen */
        {"id:414D4400", "hardware"}, /* AMD */
        {"id:414E5400", "hardware"}, /* Ant Group */
        {"id:41544D4C", "hardware"}, /* Atmel */
        {"id:4252434D", "hardware"}, /* Broadcom */
        {"id:4353434F", "hardware"}, /* Cisco */
        {"id:464C5953", "hardware"}, /* Flyslice */
        {"id:48504500", "hardware"}, /* HPE */
        {"id:48504900", "hardware"}, /* HPI */
        {"id:48495349", "hardware"}, /* Huawei */
        {"id:49465800", "hardware"}, /* Infineon */
        {"id:494E5443", "hardware"}, /* Intel */
        {"id:4C454E00", "hardware"}, /* Lenovo */
        {"id:4E534D20", "hardware"}, /* National Semiconductor */
        {"id:4E545A00", "hardware"}, /* Nationz */
        {"id:4E544300", "hardware"}, /* Nuvoton */
        {"id:51434F4D", "hardware"}, /* Qualcomm */
        {"id:534D534E", "hardware"}, /* Samsung */
        {"id:53454345", "hardware"}, /* SecEdge */
        {"id:534E5300", "hardware"}, /* Sinosun */
        {"id:534D5343", "hardware"}, /* SMSC */
        {"id:53544D20", "hardware"}, /* ST Microelectronics */
        {"id:54584E00", "hardware"}, /* Texas Instruments */
        {"id:57454300", "hardware"}, /* Winbond */
};

static void take(const X509_NAME_ENTRY *entry, struct cert_tpm *ret)
{
        const ASN1_STRING *s = X509_NAME_ENTRY_get_data(entry);
        const uint8_t *p = ASN1_STRING_get0_data(s);
        size_t len = (size_t)ASN1_STRING_length(s);
        const struct {
                const char *oid;
                char *text;
        } wanted[] = {
                {"2.23.133.2.1", ret->maker}, {"2.23.133.2.2", ret->model}, {"2.23.133.2.3", ret->version}};
        char oid[32];

        if (len >= CERT_TPM_TEXT_BYTES ||
            OBJ_obj2txt(oid, sizeof(oid), X509_NAME_ENTRY_get_object(entry), 1) <= 0)
                return;
        for (size_t i = 0; i < len; i++)
                if (p[i] < ' ' || p[i] > '~')
                        return;
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
                if (strcmp(wanted[i].oid, oid) == 0) {
                        memcpy(wanted[i].text, p, len);
                        wanted[i].text[len] = '\0';
                }
}

void cert_tpm_read(const struct cert *cert, struct cert_tpm *ret)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(cert_x509(cert), NID_subject_alt_name, NULL, NULL);

        memset(ret, 0, sizeof(*ret));
        for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

                for (int j = 0; name->type == GEN_DIRNAME && j < X509_NAME_entry_count(name->d.directoryName);
                     j++)
                        take(X509_NAME_get_entry(name->d.directoryName, j), ret);
        }
        GENERAL_NAMES_free(names);
}

const char *cert_tpm_class(const struct cert_tpm *tpm)
{
        for (size_t i = 0; i < ARRAY_LEN(classes); i++)
                if (strcasecmp(classes[i].maker, tpm->maker) == 0)
                        return classes[i].class;
        return "unknown";
}
