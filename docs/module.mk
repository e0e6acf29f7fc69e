# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += docs/registrar-api.md docs/verifier-api.md
