/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest of tests/vm does and busybox cannot: start another kernel without a reboot (kexec-tools would
 * bring the libraries of a hypervisor), and execute a file that is nowhere but in memory.
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int complain(const char *what)
{
        perror(what);
        return 1;
}

/* kexec KERNEL INITRD LINE: loads it; kexec: starts it. */
static int load_kernel(char **args)
{
        int kernel = open(args[0], O_RDONLY | O_CLOEXEC), initrd = open(args[1], O_RDONLY | O_CLOEXEC);

        if (kernel < 0 || initrd < 0)
                return complain("open");
        if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(args[2]) + 1, args[2], 0UL) < 0)
                return complain("kexec_file_load");
        return 0;
}

static int start_kernel(void)
{
        sync();
        (void)reboot(LINUX_REBOOT_CMD_KEXEC); /* comes back only if it cannot */
        return complain("reboot");
}

/* memfd FILE [ARGUMENT...] */
static int execute_from_memory(char **args)
{
        static char *environment[] = {NULL};
        int from = open(args[0], O_RDONLY | O_CLOEXEC), to = memfd_create("runtime", 0);
        struct stat st;

        if (from < 0 || to < 0 || fstat(from, &st) < 0 ||
            sendfile(to, from, NULL, (size_t)st.st_size) != st.st_size)
                return complain(args[0]);
        (void)fexecve(to, args, environment); /* comes back only if it cannot */
        return complain("fexecve");
}

int main(int argc, char **argv)
{
        if (argc == 5 && strcmp(argv[1], "kexec") == 0)
                return load_kernel(argv + 2);
        if (argc == 2 && strcmp(argv[1], "kexec") == 0)
                return start_kernel();
        if (argc >= 3 && strcmp(argv[1], "memfd") == 0)
                return execute_from_memory(argv + 2);
        (void)fputs("usage: guest_tool kexec [KERNEL INITRD LINE] | memfd FILE [ARGUMENT...]\n", stderr);
        return 2;
}
