#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
seq 2000 | awk '{ print $1 * $1 }' | sort -rn | sed -n 1,5p | xargs -n 2 echo | sed 's/^/sum: /'
find /usr/share/common-licenses -type f -print0 | xargs -0 cat | tr -cs 'A-Za-z' '\n' | sort | uniq -c | sort -rn | sed -n 1,3p
(cd / && tar cf - usr/share/common-licenses | gzip | gunzip | tar tf - | wc -l)
