# SPDX-License-Identifier: Apache-2.0
# The guests' scripts are in the tarball by Makefile.am's dist-hook; contrib/run-tests runs the tests.
check_PROGRAMS += tests/vm/guest_tool
