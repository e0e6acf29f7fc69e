# SPDX-License-Identifier: Apache-2.0
# tests/unit/<folder>/module.mk holds the unit tests of lib/<folder> (or of a program); they need cmocka.
# Each links $(TEST_LIBS): tests/support, cmocka, and the flags that send allocations through tests/support/oom.c.
TEST_LIBS = lib/base/libbase.la tests/support/libsupport.la lib/base/libbase.la $(CMOCKA_LIBS) $(OOM_FLAGS)
AM_CPPFLAGS += -I$(top_srcdir)/tests
if HAVE_CMOCKA
include tests/support/module.mk
include tests/unit/base/module.mk
include tests/unit/crypto/module.mk
include tests/unit/tpm/module.mk
include tests/unit/evidence/module.mk
include tests/unit/policy/module.mk
include tests/unit/wire/module.mk
include tests/unit/http/module.mk
include tests/unit/store/module.mk
include tests/unit/endorse/module.mk
include tests/unit/agent/module.mk
include tests/unit/registrar/module.mk
include tests/unit/verifier/module.mk
include tests/unit/tenant/module.mk
include tests/bench/module.mk
endif
include tests/check/module.mk
include tests/fuzz/module.mk
include tests/vm/module.mk
