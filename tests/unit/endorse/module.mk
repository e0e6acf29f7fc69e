# SPDX-License-Identifier: Apache-2.0
TESTS += tests/unit/endorse/test_fetching.sh
EXTRA_DIST += tests/unit/endorse/test_fetching.sh tests/unit/endorse/fetching.py
