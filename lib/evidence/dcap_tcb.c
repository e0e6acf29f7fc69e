/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which level a platform reaches, and what follows from it. Three statuses meet: the platform's (of the
 * level), the TDX module's (of its own levels), the quoting enclave's. A verifier that returns one of them
 * calls platforms UpToDate that are not; the worst of them counts, by Intel's table.
 *
 * Spec: see dcap_tcb.h.
 */
#include "evidence/dcap_tcb.h"

enum dcap_status dcap_converge(enum dcap_status status, enum dcap_status x)
{
        if (status == DCAP_STATUS_NONE)
                return DCAP_STATUS_NONE;
        if (x == DCAP_UP_TO_DATE)
                return status;
        if (x == DCAP_REVOKED)
                return DCAP_REVOKED;
        if (x != DCAP_OUT_OF_DATE)
                return DCAP_STATUS_NONE; /* modules and enclaves have no other status */
        switch (status) {
        case DCAP_UP_TO_DATE:
        case DCAP_SW_HARDENING:
                return DCAP_OUT_OF_DATE;
        case DCAP_CONFIGURATION:
        case DCAP_CONFIGURATION_AND_SW:
                return DCAP_OUT_OF_DATE_CONFIGURATION;
        case DCAP_TD_RELAUNCH:
                return DCAP_OUT_OF_DATE;
        case DCAP_TD_RELAUNCH_CONFIGURATION:
                return DCAP_OUT_OF_DATE_CONFIGURATION;
        default:
                return status;
        }
}

static bool reaches(const uint8_t *have, const uint8_t *want, size_t from, size_t n)
{
        for (size_t i = from; i < n; i++)
                if (have[i] < want[i])
                        return false;
        return true;
}

/* The first two TDX components are the module's, which has levels of its own from version 1 on. */
static void find_levels(const struct tcb_info *info, const struct pck *pck, const struct td_report *td,
                        struct dcap_tcb *ret)
{
        const uint8_t *svn = td ? td->tee_tcb_svn.p : NULL;

        for (size_t i = 0; i < info->n_levels; i++) {
                const struct tcb_level *level = &info->levels[i];

                if (!reaches(pck->components, level->sgx, 0, PCK_COMPONENTS) || pck->pcesvn < level->pcesvn)
                        continue;
                if (!ret->sgx_level)
                        ret->sgx_level = level;
                if (svn && !reaches(svn, level->tdx, svn[1] > 0 ? 2 : 0, 16))
                        continue;
                ret->level = level;
                break;
        }
        ret->sgx = ret->sgx_level ? ret->sgx_level->is.status : DCAP_STATUS_NONE;
        ret->platform = ret->level ? ret->level->is.status : DCAP_STATUS_NONE;
        ret->not_supported = ret->level ? NULL : "platform";
}

static const struct svn_level *svn_level(const struct svn_level *levels, size_t n, uint16_t svn)
{
        for (size_t i = 0; i < n; i++)
                if (levels[i].isv_svn <= svn)
                        return &levels[i];
        return NULL;
}

static const struct tdx_module *module_of(const struct tcb_info *info, uint8_t id)
{
        for (size_t i = 0; i < info->n_modules; i++)
                if (info->modules[i].id == id)
                        return &info->modules[i];
        return NULL;
}

static void judge_module(const struct tcb_info *info, const struct td_report *td, struct dcap_tcb *ret)
{
        uint8_t version = td->tee_tcb_svn.p[1], minor = td->tee_tcb_svn.p[0];
        const struct tdx_module *m = version ? module_of(info, version) : &info->module;

        if (!m || !m->there || !view_equal(td->mr_signer_seam, VIEW_ARRAY(m->mr_signer)) ||
            td->seam_attributes != 0 || (td->seam_attributes & m->attributes_mask) != m->attributes) {
                ret->module_mismatch = true;
                return;
        }
        if (!version)
                return;
        ret->module_level = svn_level(m->levels, m->n_levels, minor);
        if (ret->module_level)
                ret->module = ret->module_level->is.status;
        else if (!ret->not_supported)
                ret->not_supported = "TDX module";
}

static bool is_configuration(enum dcap_status s)
{
        return s == DCAP_CONFIGURATION || s == DCAP_CONFIGURATION_AND_SW ||
               s == DCAP_OUT_OF_DATE_CONFIGURATION;
}

static bool is_current(enum dcap_status s)
{
        return s == DCAP_UP_TO_DATE || s == DCAP_SW_HARDENING || s == DCAP_CONFIGURATION ||
               s == DCAP_CONFIGURATION_AND_SW;
}

/*
 * TDX 1.5: the module was updated under a running TD. TEE_TCB_SVN says what it was launched with,
 * TEE_TCB_SVN_2 what runs now. If all that is out of date is the module at launch, and what runs now is the
 * newest, a relaunch mends it.
 */
static bool relaunch_mends(const struct tcb_info *info, const struct td_report *td,
                           enum dcap_status converged, const struct dcap_tcb *t)
{
        const uint8_t *svn2 = td->tee_tcb_svn2.p;
        const struct tcb_level *newest = info->n_levels ? &info->levels[0] : NULL;
        const struct tdx_module *m;

        if (!newest || !is_current(t->sgx) || t->module != DCAP_OUT_OF_DATE ||
            (converged != DCAP_OUT_OF_DATE && converged != DCAP_OUT_OF_DATE_CONFIGURATION) ||
            !is_current(t->qe))
                return false;
        if (svn2[2] < newest->tdx[2])
                return false;
        if (svn2[1] == 0)
                return svn2[0] >= newest->tdx[0];
        m = module_of(info, svn2[1]);
        return m && m->n_levels && svn2[0] >= m->levels[0].isv_svn;
}

void dcap_tcb_judge(const struct tcb_info *info, const struct pck *pck, const struct td_report *td, bool td15,
                    const struct qe_identity *qe, uint16_t qe_svn, struct dcap_tcb *ret)
{
        enum dcap_status status;

        *ret = (struct dcap_tcb){0};
        find_levels(info, pck, td, ret);
        if (td)
                judge_module(info, td, ret);
        if (qe) {
                ret->qe_level = svn_level(qe->levels, qe->n_levels, qe_svn);
                ret->qe = ret->qe_level ? ret->qe_level->is.status : DCAP_STATUS_NONE;
                if (!ret->qe_level && !ret->not_supported)
                        ret->not_supported = "quoting enclave";
        }
        if (ret->not_supported || ret->module_mismatch)
                return;
        status = ret->platform;
        if (ret->module_level)
                status = dcap_converge(status, ret->module);
        if (td && td15 && relaunch_mends(info, td, status, ret)) {
                status = is_configuration(status) || is_configuration(ret->sgx)
                                 ? DCAP_TD_RELAUNCH_CONFIGURATION
                                 : DCAP_TD_RELAUNCH;
                ret->relaunched = true;
        }
        if (ret->qe_level)
                status = dcap_converge(status, ret->qe);
        ret->overall = status;
}
