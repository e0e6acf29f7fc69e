# SPDX-License-Identifier: Apache-2.0
# Policies to start from, and their schema for editors.
policiesdir = $(datadir)/avow/policies
dist_policies_DATA = \
	policies/examples/boot-pcrs.yaml \
	policies/examples/confidential.yaml \
	policies/examples/ima-host.yaml \
	policies/examples/node-fleet.yaml \
	policies/examples/observe.yaml \
	policies/examples/one-runtime.yaml \
	policies/examples/secure-boot.yaml \
	policies/examples/systemd-host.yaml \
	policies/examples/uki.yaml \
	policies/examples/web.yaml \
	policies/modules/web-modules.yaml \
	policies/avow-modules.schema.json \
	policies/avow-policy.schema.json
