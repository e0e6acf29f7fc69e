# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += docs/architecture.md docs/launching.md docs/operations.md docs/policies.md docs/protocol.md docs/receipts.md docs/threat-model.md docs/registrar-api.md docs/revocations.md docs/verifier-api.md
openapidir = $(datadir)/avow
dist_openapi_DATA = docs/openapi-registrar.yaml docs/openapi-verifier.yaml
# They are also in the servers, which answer with them: a C string each.
verifier/openapi.c registrar/openapi.c: %/openapi.c: docs/openapi-%.yaml docs/module.mk
	$(AM_V_GEN)$(MKDIR_P) $(@D) && { echo '/* SPDX-License-Identifier: Apache-2.0 */'; \
		echo '/* clang-format off: made from docs/openapi-$*.yaml */'; \
		echo '#include "$*/$*.h"'; echo; echo 'const char $*_openapi[] ='; \
		sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $(srcdir)/docs/openapi-$*.yaml; echo ';'; } >$@.new && mv $@.new $@
CLEANFILES += verifier/openapi.c registrar/openapi.c
dist_man_MANS += \
	docs/man/avow.1 \
	docs/man/avow-agent.8 \
	docs/man/avow-agent.yaml.5 \
	docs/man/avow-evidence.3 \
	docs/man/avow-evidence.5 \
	docs/man/avow-modules.5 \
	docs/man/avow-policy.5 \
	docs/man/avow-run.1 \
	docs/man/avow-registrar.8 \
	docs/man/avow-registrar.yaml.5 \
	docs/man/avow-verifier.8 \
	docs/man/avow-verifier.yaml.5 \
	docs/man/avow.yaml.5
