#!/usr/bin/env bash
# symbols.sh MODULE...: checks that a built module defines no symbol for others but luaopen_*.
set -euo pipefail
bad=0
for module in "$@"; do
  while read -r _ _ symbol; do
    if [[ $symbol != luaopen_* ]]; then
      echo "$module: $symbol is visible" >&2
      bad=1
    fi
  done < <(nm -D --defined-only "$module")
done
exit "$bad"
