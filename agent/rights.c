/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the network half may do: speak to the network, write into one folder. state.dir is closed to its user,
 * so it stands in its folder already when it becomes that user, and names files there without a path.
 */
#include "agent/rights.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define USER "avow-agent"

static int make_folder(const char *path, const struct passwd *user, struct err *err)
{
        int r = file_mkdirs(path, 0700, err);

        if (r < 0)
                return r;
        if (user && lchown(path, user->pw_uid, user->pw_gid) < 0)
                return err_errno(err, errno, "chown %s", SHOW(path));
        if (chdir(path) < 0)
                return err_errno(err, errno, "chdir %s", SHOW(path));
        return 0;
}

static int become_user(const struct passwd *user, struct err *err)
{
        if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
            setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
                return err_errno(err, errno, "become user " USER);
        if (setresuid(0, 0, 0) == 0)
                return err_set(err, ERR_BUG, 0, "could become root again");
        return 0;
}

int rights_drop(const struct agent_config *config, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/net", config->state_dir);
        const struct passwd *user = geteuid() == 0 ? getpwnam(USER) : NULL;
        int r;

        if (!path)
                return err_nomem(err);
        r = make_folder(path, user, err);
        if (r >= 0 && user)
                r = become_user(user, err);
        if (r < 0)
                return r;
        if (geteuid() == 0)
                log_warning("there is no user " USER ": the network half runs as root");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return err_errno(err, errno, "no_new_privs");
        return 0;
}
