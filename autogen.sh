#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes ./configure from configure.ac. Needs autoconf, automake, libtool, autoconf-archive, pkg-config.
set -eu
cd "$(dirname "$0")"
exec autoreconf --install --force
