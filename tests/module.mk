# SPDX-License-Identifier: Apache-2.0
# tests/unit/<folder>/module.mk holds the unit tests of lib/<folder> (or of a program); they need cmocka.
TEST_LIBS = $(CMOCKA_LIBS)
if HAVE_CMOCKA
include tests/unit/base/module.mk
include tests/unit/crypto/module.mk
include tests/unit/tpm/module.mk
include tests/unit/evidence/module.mk
include tests/unit/policy/module.mk
include tests/unit/wire/module.mk
include tests/unit/http/module.mk
include tests/unit/store/module.mk
include tests/unit/agent/module.mk
include tests/unit/registrar/module.mk
include tests/unit/verifier/module.mk
include tests/unit/tenant/module.mk
endif
include tests/check/module.mk
include tests/fuzz/module.mk
include tests/bench/module.mk
