/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to a TPM.
 *
 * A TPM without a resource manager has room for three transient objects and three loaded sessions, and
 * remembers them when the program that made them dies: the next one would find TPM_RC_OBJECT_MEMORY. So where
 * nothing stands between us and the TPM, what is still loaded when we open is flushed; a TCTI of that kind
 * has one user at a time. Through a resource manager we see only our own objects, and nothing needs to be
 * done.
 *
 * Spec: TPM 2.0 Part 2, 6.6 (response codes); Part 3, TPM2_GetCapability; PTP 4.4 (minimum of 3 objects).
 */
#include "tpm/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "base/mem.h"
#include "base/str.h"
#include "tpm/private.h"

/* Part 2, 7.2; the stack's own constants shift a 1 into the sign bit. */
#define FIRST_TRANSIENT      0x80000000u
#define FIRST_LOADED_SESSION 0x02000000u

const char *tpm_rc_text(uint32_t rc, char *ret, size_t size)
{
        (void)snprintf(ret, size, "%s (0x%x)", Tss2_RC_Decode(rc), rc);
        return ret;
}

int tpm_err(struct err *err, TSS2_RC rc, const char *fmt, ...)
{
        char text[160], what[512];
        va_list ap;

        va_start(ap, fmt);
        if (vsnprintf(what, sizeof(what), fmt, ap) < 0)
                what[0] = '\0';
        va_end(ap);
        return err_set(err, ERR_TPM, rc, "%s: %s", what, tpm_rc_text(rc, text, sizeof(text)));
}

/* The code without its layer, if a TPM said it (through a resource manager or not); else 0. */
static TSS2_RC rc_of_tpm(TSS2_RC rc)
{
        TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

        if (layer == 0 || layer == TSS2_RESMGR_TPM_RC_LAYER)
                return rc & 0xffff;
        return 0;
}

bool tpm_wait_again(struct tpm_wait *wait, TSS2_RC rc)
{
        TSS2_RC code = rc_of_tpm(rc);
        struct timespec pause;

        if (code != TPM2_RC_RETRY && code != TPM2_RC_YIELDED && code != TPM2_RC_TESTING)
                return false;
        if (wait->waited_ms >= TPM_PATIENCE_MS)
                return false;
        wait->step_ms = wait->step_ms ? wait->step_ms * 2 : 10;
        if (wait->step_ms > 1000)
                wait->step_ms = 1000;
        pause = (struct timespec){.tv_sec = wait->step_ms / 1000, .tv_nsec = wait->step_ms % 1000 * 1000000L};
        (void)nanosleep(&pause, NULL); /* woken early by a signal: asked early */
        wait->waited_ms += wait->step_ms;
        return true;
}

bool tpm_err_is_lost(const struct err *err)
{
        return err->kind == ERR_TPM && ((TSS2_RC)err->code & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER;
}

bool tpm_err_is_stale(const struct err *err)
{
        TSS2_RC code = err->kind == ERR_TPM ? rc_of_tpm((TSS2_RC)err->code) : 0;

        if (code >= TPM2_RC_REFERENCE_H0 && code <= TPM2_RC_REFERENCE_S6)
                return true;
        if (code == TPM2_RC_INITIALIZE || code == TPM2_RC_CONTEXT_GAP || code == TPM2_RC_AUTH_CONTEXT)
                return true;
        if (!(code & TPM2_RC_FMT1) || (code & TPM2_RC_P))
                return false;
        /* About a handle or a session: its number now means nothing, or is somebody else's. */
        code &= TPM2_RC_FMT1 | 0x3f;
        return code == TPM2_RC_HANDLE || code == TPM2_RC_VALUE || code == TPM2_RC_AUTH_FAIL ||
               code == TPM2_RC_BAD_AUTH || code == TPM2_RC_AUTH_TYPE || code == TPM2_RC_TYPE;
}

bool tpm_has_manager(const char *tcti)
{
        static const char *const direct[] = {"swtpm", "mssim", "libtpms", "pcap", "cmd"};

        for (size_t i = 0; i < ARRAY_LEN(direct); i++)
                if (str_starts(tcti, direct[i]))
                        return false;
        if (str_starts(tcti, "device:"))
                return strstr(tcti, "tpmrm") != NULL;
        return true; /* tabrmd, "", "device": it may be; then nothing of others may be touched */
}

void tpm_flush(struct tpm *tpm, ESYS_TR *handle)
{
        if (*handle == ESYS_TR_NONE)
                return;
        if (Esys_FlushContext(tpm->esys, *handle) != TSS2_RC_SUCCESS)
                (void)Esys_TR_Close(tpm->esys, handle); /* the TPM forgot it first */
        *handle = ESYS_TR_NONE;
}

static void flush_range(struct tpm *tpm, TPM2_HANDLE first)
{
        AUTO(tpm_esys_free_p)
        TPMS_CAPABILITY_DATA *data = NULL;
        TPMI_YES_NO more;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                                        first, TPM2_MAX_CAP_HANDLES, &more, &data));
        if (rc != TSS2_RC_SUCCESS)
                return; /* what follows will say what is wrong with this TPM */
        for (UINT32 i = 0; i < data->data.handles.count; i++) {
                ESYS_TR handle = ESYS_TR_NONE;

                TPM_CALL(rc, Esys_TR_FromTPMPublic(tpm->esys, data->data.handles.handle[i], ESYS_TR_NONE,
                                                   ESYS_TR_NONE, ESYS_TR_NONE, &handle));
                if (rc == TSS2_RC_SUCCESS)
                        tpm_flush(tpm, &handle);
        }
}

static int answer(struct tpm *tpm, const char *tcti, struct err *err)
{
        struct tpm_counters clock;
        int r = tpm_clock_read(tpm, &clock, err);

        if (r < 0 && rc_of_tpm((TSS2_RC)err->code) == TPM2_RC_INITIALIZE && !tpm_has_manager(tcti)) {
                TSS2_RC rc = Esys_Startup(tpm->esys, TPM2_SU_CLEAR);

                if (rc != TSS2_RC_SUCCESS && rc != TPM2_RC_INITIALIZE)
                        return tpm_err(err, rc, "TPM2_Startup");
                err_clear(err);
                r = tpm_clock_read(tpm, &clock, err);
        }
        return r;
}

int tpm_open(const char *tcti, struct tpm **ret, struct err *err)
{
        AUTO(tpm_free_p)
        struct tpm *tpm = mem_zalloc(1, sizeof(*tpm));
        TSS2_RC rc;
        int r;

        if (!tpm)
                return err_nomem(err);
        rc = Tss2_TctiLdr_Initialize(*tcti ? tcti : NULL, &tpm->tcti);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc,
                               "no TPM behind %s: is there one, is tpm.tcti right, may this user open it, or "
                               "has another program got it",
                               SHOW(tcti));
        rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM stack on %s", SHOW(tcti));
        r = answer(tpm, tcti, err);
        if (r < 0)
                return err_wrap(err, "the TPM behind %s does not answer as a TPM 2.0", SHOW(tcti));
        if (!tpm_has_manager(tcti)) {
                flush_range(tpm, FIRST_TRANSIENT);
                flush_range(tpm, FIRST_LOADED_SESSION);
        }
        *ret = TAKE(tpm);
        return 0;
}

void tpm_free(struct tpm *tpm)
{
        if (!tpm)
                return;
        Esys_Finalize(&tpm->esys);
        Tss2_TctiLdr_Finalize(&tpm->tcti);
        free(tpm);
}

int tpm_clock_read(struct tpm *tpm, struct tpm_counters *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPMS_TIME_INFO *info = NULL;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_ReadClock(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &info));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_ReadClock");
        *ret = (struct tpm_counters){.time_ms = info->time,
                                     .clock_ms = info->clockInfo.clock,
                                     .reset = info->clockInfo.resetCount,
                                     .restart = info->clockInfo.restartCount,
                                     .safe = info->clockInfo.safe == TPM2_YES};
        return 0;
}
