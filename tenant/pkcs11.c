/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that never leave a token. p11-kit knows the modules and reads URIs; the rest is Cryptoki itself: find
 * the token, log in, find the one private key, sign. OpenSSL's engines would do the same and are on their way
 * out of OpenSSL.
 *
 * A URI has to fit one key: to sign with "some key that fits" would be to approve with it.
 *
 * Spec: PKCS #11 2.40; RFC 7512.
 */
#include "tenant/pkcs11.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "crypto/digest.h"

#define MODULES_MAX   64
#define SLOTS_MAX     64
#define PIN_MAX       256
#define SIGNATURE_MAX 1024
#define POINT_MAX     160
#define NUMBER_MAX    1024

struct pkcs11_key {
        CK_FUNCTION_LIST **list; /* of p11_kit_modules_load(), or NULL */
        CK_FUNCTION_LIST *one;   /* of p11_kit_module_load(), or NULL */
        CK_FUNCTION_LIST *module;
        CK_SESSION_HANDLE session;
        CK_OBJECT_HANDLE private;
        CK_KEY_TYPE type;
        struct secret pin;
        bool each_time; /* the PIN is wanted for every signature */
};

static int token_said(struct err *err, CK_RV rv, const char *what)
{
        return err_set(err, ERR_CRYPTO, (int64_t)rv, "PKCS #11: %s: %s", what, p11_kit_strerror(rv));
}

void pkcs11_close(struct pkcs11_key *key)
{
        if (!key)
                return;
        if (key->session)
                (void)key->module->C_CloseSession(key->session); /* nothing to do about it */
        if (key->one) {
                (void)p11_kit_module_finalize(key->one);
                p11_kit_module_release(key->one);
        }
        if (key->list)
                p11_kit_modules_finalize_and_release(key->list);
        secret_free(&key->pin);
        free(key);
}

/* ---- modules and tokens ---- */

static int load_modules(struct pkcs11_key *key, P11KitUri *uri, struct err *err)
{
        const char *path = p11_kit_uri_get_module_path(uri);
        CK_RV rv;

        if (!path) {
                key->list = p11_kit_modules_load_and_initialize(0);
                if (!key->list)
                        return err_set(err, ERR_CONFIG, 0, "PKCS #11: no module could be loaded: %s",
                                       p11_kit_message());
                return 0;
        }
        key->one = p11_kit_module_load(path, 0);
        if (!key->one)
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: module '%s' could not be loaded", path);
        rv = p11_kit_module_initialize(key->one);
        if (rv != CKR_OK) {
                p11_kit_module_release(TAKE(key->one));
                return token_said(err, rv, path);
        }
        return 0;
}

static bool slot_fits(CK_FUNCTION_LIST *module, CK_SLOT_ID slot, P11KitUri *uri)
{
        CK_TOKEN_INFO token;
        CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri);

        if (wanted != (CK_SLOT_ID)-1 && wanted != slot)
                return false;
        return module->C_GetTokenInfo(slot, &token) == CKR_OK &&
               p11_kit_uri_match_token_info(uri, &token) == 1;
}

struct found {
        CK_FUNCTION_LIST *module;
        CK_SLOT_ID slot;
        size_t n;
};

static void find_in(CK_FUNCTION_LIST *module, P11KitUri *uri, struct found *found)
{
        CK_SLOT_ID slots[SLOTS_MAX];
        CK_ULONG n = SLOTS_MAX;

        if (module->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
                return;
        for (CK_ULONG i = 0; i < n; i++) {
                if (!slot_fits(module, slots[i], uri))
                        continue;
                found->module = module;
                found->slot = slots[i];
                found->n++;
        }
}

static int find_token(struct pkcs11_key *key, P11KitUri *uri, CK_SLOT_ID *ret, struct err *err)
{
        struct found found = {.n = 0};

        if (key->one)
                find_in(key->one, uri, &found);
        for (size_t i = 0; key->list && i < MODULES_MAX && key->list[i]; i++)
                find_in(key->list[i], uri, &found);
        if (found.n != 1)
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: %s",
                               found.n ? "several tokens fit: say which, with token= or serial="
                                       : "no token fits: is it there, and is its module known to p11-kit "
                                         "(module-path=)?");
        key->module = found.module;
        *ret = found.slot;
        return 0;
}

/* ---- PIN ---- */

static int set_pin(struct pkcs11_key *key, struct view pin, struct err *err)
{
        if (pin.len == 0 || pin.len > PIN_MAX)
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: a PIN of %zu bytes", pin.len);
        if (secret_alloc(&key->pin, pin.len) < 0)
                return err_nomem(err);
        memcpy(key->pin.p, pin.p, pin.len);
        return 0;
}

static int read_pin(struct pkcs11_key *key, P11KitUri *uri, struct err *err)
{
        const char *source = p11_kit_uri_get_pin_source(uri), *value = p11_kit_uri_get_pin_value(uri);
        struct buf text = {0};
        int r;

        if (value)
                return set_pin(key, view_str(value), err);
        if (!source)
                return 0;
        if (strncmp(source, "file:", 5) == 0)
                source += 5;
        r = file_read(source, PIN_MAX, &text, err);
        while (r >= 0 && text.len && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
                text.len--;
        if (r >= 0)
                r = set_pin(key, VIEW_BUF(&text), err);
        if (text.p)
                mem_wipe(text.p, text.cap);
        buf_free(&text);
        return r;
}

static int log_in(struct pkcs11_key *key, CK_SLOT_ID slot, struct err *err)
{
        CK_RV rv = key->module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &key->session);

        if (rv != CKR_OK) {
                key->session = 0;
                return token_said(err, rv, "open a session");
        }
        if (!key->pin.len)
                return 0;
        rv = key->module->C_Login(key->session, CKU_USER, key->pin.p, key->pin.len);
        return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? 0 : token_said(err, rv, "log in");
}

/* ---- objects ---- */

/* Up to two objects of CLASS with the URI's label and id (or ID alone). Return: how many. */
static CK_ULONG find_objects(struct pkcs11_key *key, CK_OBJECT_CLASS class, CK_ATTRIBUTE *more,
                             CK_ULONG n_more, CK_OBJECT_HANDLE ret[2])
{
        CK_ATTRIBUTE template[8] = {{CKA_CLASS, &class, sizeof(class)}};
        CK_ULONG n = 1, found = 0;

        for (CK_ULONG i = 0; i < n_more && n < ARRAY_LEN(template); i++)
                if (more[i].type != CKA_CLASS)
                        template[n++] = more[i];
        if (key->module->C_FindObjectsInit(key->session, template, n) != CKR_OK)
                return 0;
        if (key->module->C_FindObjects(key->session, ret, 2, &found) != CKR_OK)
                found = 0;
        (void)key->module->C_FindObjectsFinal(key->session); /* the search is over either way */
        return found;
}

static int find_key(struct pkcs11_key *key, P11KitUri *uri, struct err *err)
{
        CK_OBJECT_HANDLE found[2];
        CK_ULONG n_attributes = 0, n;
        CK_ATTRIBUTE *attributes = p11_kit_uri_get_attributes(uri, &n_attributes);
        CK_BBOOL always = CK_FALSE;
        CK_ATTRIBUTE type = {CKA_KEY_TYPE, &key->type, sizeof(key->type)};
        CK_ATTRIBUTE each = {CKA_ALWAYS_AUTHENTICATE, &always, sizeof(always)};
        CK_RV rv;

        n = find_objects(key, CKO_PRIVATE_KEY, attributes, n_attributes, found);
        if (n != 1)
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: %s",
                               n ? "several private keys fit: say which, with object= or id="
                                 : "the token has no such private key, or shows it with a PIN only "
                                   "(pin-source=)");
        key->private = found[0];
        rv = key->module->C_GetAttributeValue(key->session, key->private, &type, 1);
        if (rv != CKR_OK || (key->type != CKK_EC && key->type != CKK_RSA))
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: the key is neither EC nor RSA");
        rv = key->module->C_GetAttributeValue(key->session, key->private, &each, 1);
        key->each_time = rv == CKR_OK && always == CK_TRUE;
        return 0;
}

static int open_uri(struct pkcs11_key *key, const char *text, P11KitUri *uri, struct err *err)
{
        CK_SLOT_ID slot = 0;
        int bad = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);

        if (bad != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri))
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: not a URI as RFC 7512 writes it: %s",
                               bad == P11_KIT_URI_OK ? "an attribute is unknown" : p11_kit_uri_message(bad));
        if (load_modules(key, uri, err) < 0 || find_token(key, uri, &slot, err) < 0 ||
            read_pin(key, uri, err) < 0 || log_in(key, slot, err) < 0 || find_key(key, uri, err) < 0)
                return -(int)err->kind;
        return 0;
}

int pkcs11_open(const char *uri, struct pkcs11_key **ret, struct err *err)
{
        AUTO(pkcs11_close_p) struct pkcs11_key *key = mem_zalloc(1, sizeof(*key));
        P11KitUri *parsed = p11_kit_uri_new();
        int r;

        if (!key || !parsed) {
                p11_kit_uri_free(parsed);
                return err_nomem(err);
        }
        r = open_uri(key, uri, parsed, err);
        p11_kit_uri_free(parsed);
        if (r >= 0)
                *ret = TAKE(key);
        return r;
}

/* ---- the public half ---- */

/* An attribute's bytes. Return: their number, 0 if it has none. */
static size_t attribute(struct pkcs11_key *key, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t *ret,
                        size_t size)
{
        CK_ATTRIBUTE a = {type, ret, size};

        if (key->module->C_GetAttributeValue(key->session, object, &a, 1) != CKR_OK || a.ulValueLen > size)
                return 0;
        return a.ulValueLen;
}

/* The public key object beside the private one: the same CKA_ID. */
static int public_object(struct pkcs11_key *key, CK_OBJECT_HANDLE *ret, struct err *err)
{
        uint8_t id[256];
        size_t n_id = attribute(key, key->private, CKA_ID, id, sizeof(id));
        CK_ATTRIBUTE by_id = {CKA_ID, id, n_id};
        CK_OBJECT_HANDLE found[2];

        if (!n_id || find_objects(key, CKO_PUBLIC_KEY, &by_id, 1, found) != 1)
                return err_set(err, ERR_CONFIG, 0,
                               "PKCS #11: the token has no public key with the private key's id");
        *ret = found[0];
        return 0;
}

/* CKA_EC_POINT: an OCTET STRING around 04 ‖ x ‖ y. */
static int ec_public(struct pkcs11_key *key, CK_OBJECT_HANDLE object, struct pubkey **ret, struct err *err)
{
        uint8_t point[POINT_MAX];
        struct cursor c = cursor_of(VIEW(point, attribute(key, object, CKA_EC_POINT, point, sizeof(point))));
        uint8_t tag, size, form;
        struct view x, y;

        if (!cursor_u8(&c, &tag) || !cursor_u8(&c, &size) || tag != 0x04 || size != c.left ||
            !cursor_u8(&c, &form) || form != 0x04 || !cursor_take(&c, c.left / 2, &x) ||
            !cursor_take(&c, c.left, &y) || x.len != y.len || (x.len != 32 && x.len != 48))
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: the key is not on P-256 or P-384");
        return pubkey_from_ec(x.len == 32 ? CURVE_P256 : CURVE_P384, x, y, ret, err);
}

static int rsa_public(struct pkcs11_key *key, CK_OBJECT_HANDLE object, struct pubkey **ret, struct err *err)
{
        uint8_t n[NUMBER_MAX], e[4];
        size_t n_len = attribute(key, object, CKA_MODULUS, n, sizeof(n));
        size_t e_len = attribute(key, object, CKA_PUBLIC_EXPONENT, e, sizeof(e));
        uint32_t exponent = 0;

        if (!n_len || !e_len)
                return err_set(err, ERR_CONFIG, 0, "PKCS #11: the token does not show the RSA key's numbers");
        for (size_t i = 0; i < e_len; i++)
                exponent = exponent << 8 | e[i];
        return pubkey_from_rsa(VIEW(n, n_len), exponent, ret, err);
}

int pkcs11_public(struct pkcs11_key *key, struct pubkey **ret, struct err *err)
{
        CK_OBJECT_HANDLE object;
        int r = public_object(key, &object, err);

        if (r < 0)
                return r;
        return key->type == CKK_EC ? ec_public(key, object, ret, err) : rsa_public(key, object, ret, err);
}

/* ---- signing ---- */

int pkcs11_sign(struct pkcs11_key *key, struct view message, struct buf *ret, struct err *err)
{
        CK_MECHANISM mechanism = {key->type == CKK_EC ? CKM_ECDSA : CKM_SHA256_RSA_PKCS, NULL, 0};
        uint8_t signature[SIGNATURE_MAX];
        CK_ULONG size = sizeof(signature);
        struct digest d;
        struct view signs = message;
        CK_RV rv;

        if (key->type == CKK_EC) { /* Cryptoki's ECDSA signs what was hashed before */
                if (digest_bytes(DIGEST_SHA256, message, &d, err) < 0)
                        return -(int)err->kind;
                signs = digest_view(&d);
        }
        rv = key->module->C_SignInit(key->session, &mechanism, key->private);
        if (rv == CKR_OK && key->each_time)
                rv = key->module->C_Login(key->session, CKU_CONTEXT_SPECIFIC, key->pin.p, key->pin.len);
        if (rv == CKR_OK)
                rv = key->module->C_Sign(key->session, (CK_BYTE_PTR)(uintptr_t)signs.p, signs.len, signature,
                                         &size);
        if (rv != CKR_OK)
                return token_said(err, rv, "sign");
        buf_put(ret, signature, size);
        return buf_ok(ret) ? 0 : err_nomem(err);
}
