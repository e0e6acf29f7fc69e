/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping what received copies of secrets (SR-25): by the service manager, which also keeps it stopped. */
#include "agent/unit_stop.h"

#include <systemd/sd-bus.h>

#include "base/str.h"

#define ANSWER_US (5u * 1000 * 1000)

int unit_stop(const char *unit, struct err *err)
{
        sd_bus_error why = SD_BUS_ERROR_NULL;
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus), ret = 0;

        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, ANSWER_US);
        if (r >= 0)
                r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                       "org.freedesktop.systemd1.Manager", "StopUnit", &why, NULL, "ss", unit,
                                       "replace");
        if (r < 0 && !sd_bus_error_has_name(&why, "org.freedesktop.systemd1.NoSuchUnit"))
                ret = err_errno(err, -r, "stopping unit %s%s%s", SHOW(unit), why.message ? ": " : "",
                                why.message ? why.message : "");
        sd_bus_error_free(&why);
        (void)sd_bus_flush_close_unref(bus);
        return ret;
}
