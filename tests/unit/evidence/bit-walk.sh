#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every single-bit change of two stored real bundles (without and with counters) that is covered by a signature, a digest or a replay is seen.
set -eu
vectors=${top_srcdir:?}/tests/vectors/bundle
walk=${top_builddir:?}/tests/unit/evidence/bit_walk
"$walk" "$vectors/small.avow-evidence" "$vectors/policy.yaml"
"$walk" "$vectors/counters.avow-evidence" "$vectors/policy.yaml" "$vectors/ak-ca.pem"
