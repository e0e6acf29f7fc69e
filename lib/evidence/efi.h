/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_EFI_H
#define AVOW_EVIDENCE_EFI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/* UEFI's structures in event logs: variables, lists of signatures, loaded images. Everything is borrowed. */

#define EFI_GUID_BYTES 16
#define EFI_GUID_CHARS 37 /* with the NUL */

/* "8be4df61-93ca-11d2-aa0d-00e098032b8c". */
void efi_guid_text(const uint8_t guid[EFI_GUID_BYTES], char ret[EFI_GUID_CHARS]);

struct efi_variable {
        uint8_t guid[EFI_GUID_BYTES];
        struct view name; /* UTF-16LE without its end */
        struct view data;
};
/* UEFI_VARIABLE_DATA. Return: 0; -ERR_FORMAT (also for bytes after it). Spec: PFP §10.2.6. */
int efi_variable_parse(struct view in, struct efi_variable *ret, struct err *err) MUST_USE;
/* Is it the variable NAME (ASCII)? */
bool efi_variable_is(const struct efi_variable *v, const char *name);

/* UTF-16LE as UTF-8; what is none becomes U+FFFD. Stops at a NUL. */
void efi_put_utf16(struct buf *out, struct view utf16);

/* One entry of an EFI_SIGNATURE_LIST. */
enum efi_signature_kind { EFI_SIG_OTHER, EFI_SIG_X509, EFI_SIG_SHA256, EFI_SIG_X509_SHA256 };
struct efi_signature {
        enum efi_signature_kind kind;
        uint8_t type[EFI_GUID_BYTES];
        uint8_t owner[EFI_GUID_BYTES];
        struct view data; /* a DER certificate, a digest … */
};
/* Walks the lists in IN (db, dbx, KEK, PK, MokList …). *POS starts at zero. Return: 1 with one; 0 at the end;
 * -ERR_FORMAT with the place. Spec: UEFI 2.10 §32.4.1. */
struct efi_signature_pos {
        size_t list, at; /* the current list, and its next signature; both in bytes */
};
int efi_signature_next(struct view in, struct efi_signature_pos *pos, struct efi_signature *ret,
                       struct err *err) MUST_USE;
/* The one EFI_SIGNATURE_DATA that EV_EFI_VARIABLE_AUTHORITY events hold: owner and data. */
int efi_signature_data(struct view in, struct efi_signature *ret, struct err *err) MUST_USE;

/* UEFI_IMAGE_LOAD_EVENT. Return: 0; -ERR_FORMAT. Spec: PFP §10.2.3. */
struct efi_image {
        uint64_t address, size, link_address;
        struct view device_path;
};
int efi_image_parse(struct view in, struct efi_image *ret, struct err *err) MUST_USE;
/* A device path: "PciRoot(0) Pci(2,0) HD(1,GUID) \EFI\debian\shimx64.efi"; nodes of other kinds by their
 * numbers. */
void efi_put_device_path(struct buf *out, struct view path);

#endif
