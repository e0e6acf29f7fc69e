# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += docs/architecture.md docs/operations.md docs/protocol.md docs/threat-model.md docs/registrar-api.md docs/verifier-api.md
dist_man_MANS += \
	docs/man/avow.1 \
	docs/man/avow-agent.8 \
	docs/man/avow-agent.yaml.5 \
	docs/man/avow-evidence.5 \
	docs/man/avow-policy.5 \
	docs/man/avow-registrar.8 \
	docs/man/avow-registrar.yaml.5 \
	docs/man/avow-verifier.8 \
	docs/man/avow-verifier.yaml.5 \
	docs/man/avow.yaml.5
