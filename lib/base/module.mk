# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/base/libbase.la
lib_base_libbase_la_SOURCES = \
	lib/base/base64.c \
	lib/base/base64.h \
	lib/base/bytes.c \
	lib/base/bytes.h \
	lib/base/clock.c \
	lib/base/clock.h \
	lib/base/closure.c \
	lib/base/closure.h \
	lib/base/conf.c \
	lib/base/conf.h \
	lib/base/conf_get.c \
	lib/base/conf_private.h \
	lib/base/conf_value.c \
	lib/base/elf_file.c \
	lib/base/elf_file.h \
	lib/base/err.c \
	lib/base/err.h \
	lib/base/fault.h \
	lib/base/file.c \
	lib/base/file.h \
	lib/base/hex.c \
	lib/base/hex.h \
	lib/base/json.c \
	lib/base/json.h \
	lib/base/json_out.c \
	lib/base/json_out.h \
	lib/base/ld_cache.c \
	lib/base/ld_cache.h \
	lib/base/log.c \
	lib/base/log.h \
	lib/base/macro.h \
	lib/base/map.c \
	lib/base/map.h \
	lib/base/mem.c \
	lib/base/mem.h \
	lib/base/sip.c \
	lib/base/sip.h \
	lib/base/program.c lib/base/program.h \
	lib/base/str.c \
	lib/base/str.h \
	lib/base/uuid.c \
	lib/base/uuid.h \
	lib/base/yaml.c \
	lib/base/yaml.h \
	lib/base/yaml_node.c
lib_base_libbase_la_LIBADD = $(JANSSON_LIBS) $(YAML_LIBS) $(SYSTEMD_LIBS)
