#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: what stands at the top of the repository is what docs/architecture.md says, and no build folder, which a careless
# `git add` takes in. Only where there is a repository to ask.
. "$(dirname "$0")/common.sh"

if [ ! -e .git ] || ! git ls-files >/dev/null 2>&1; then
	echo 'SKIP: not a clone' && exit 77
fi
top='agent|registrar|verifier|tenant|lib|policies|tests|contrib|docs|\.ci|build-aux|m4'
files='README\.md|CHANGELOG\.md|LICENSE|Makefile\.am|configure\.ac|autogen\.sh|\.clang-format|\.clang-tidy|\.gitignore'
findings=$(git ls-files | cut -d/ -f1 | sort -u | grep -vxE "$top|$files" |
	sed 's/.*/&:1: does not belong at the top of the tree: git rm -r --cached &/')
finish
