#!/usr/bin/env bash
# Checks what no formatter here does: that every text file keeps to .editorconfig, and that the
# rockspec lists exactly the modules of the tree.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8 # columns are characters, not bytes
bad=0

complain() { # complain WHAT: prefixes the lines of the input, if there are any
  local line
  while IFS= read -r line; do
    echo "$line: $1" >&2
    bad=1
  done
}

tab=$'\t'
files=()
while IFS= read -r file; do files+=("$file"); done < <(
  find . -path ./.git -prune -o -path ./build -prune -o -type f -size +0 -print |
    sed 's,^\./,,' | sort | xargs -d '\n' grep -IlE '^' --
)
code=()
for file in "${files[@]}"; do
  if [[ $file != *.md && $file != *.json ]]; then code+=("$file"); fi
  if [[ -n $(tail -c 1 -- "$file") ]]; then complain 'no newline at the end' <<<"$file"; fi
done

find_lines() { # find_lines REGEX FILE...: as FILE:LINE
  { grep -HnE "$@" || true; } | cut -d: -f1,2
}

complain 'white space at the end of the line' < <(find_lines '[[:space:]]+$' "${files[@]}")
complain 'more than 120 columns' < <(find_lines '^.{121,}$' "${code[@]}")
for file in "${code[@]}"; do
  if [[ $file == Makefile ]]; then continue; fi
  complain 'a tab' < <(find_lines "$tab" "$file")
done

# The lines of the rockspec's table of modules, from the tree.
expected() {
  find lua -name '*.lua' ! -name '*.d.lua' | sort | while IFS= read -r path; do
    name=${path#lua/}
    name=${name%.lua}
    name=${name%/init}
    echo "[\"${name//\//.}\"] = \"$path\","
  done
  find csrc -name '*.c' | sort | sed 's/.*/"&",/'
}
listed() { grep -oE '(\["[^"]+"\] = "[^"]+"|^ *"csrc/[^"]+"),' rollcall-scm-1.rockspec | sed 's/^ *//'; }
if ! diff <(listed | sort) <(expected | sort) >&2; then
  echo 'rollcall-scm-1.rockspec: its modules (<) are not those of the tree (>)' >&2
  bad=1
fi

exit "$bad"
