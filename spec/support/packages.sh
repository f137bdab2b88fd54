#!/usr/bin/env bash
# Installs what a target of the Makefile misses, and says what:
#
#   packages.sh demo|dashboard|test|bench|fuzz|lint|valgrind
#
# Debian and Ubuntu: by apt-get, as root or by sudo. Elsewhere it names what is missing, by
# Debian's names, and fails. Nothing is installed, and apt-get not called, when all is there.
#
# Servers of other people's that the tests walk come from npm, under the build folder. Where there is
# no npm (it is hundreds of packages), or it cannot bring one, their specs are pending.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=()
servers=() # of npm's, as NAME@VERSION
modules=${BUILD:-build}/npm

# need PACKAGE PROBE...: PACKAGE is missing when the probe fails.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

have() { command -v "$1"; }

file() { # one of these patterns matches a file
  local path
  for path in "$@"; do
    if [[ -e $path ]]; then return 0; fi
  done
  return 1
}

header() { # header PKG-CONFIG-NAME FILE...
  pkg-config --exists "$1" || file "${@:2}"
}

module() { # module INTERPRETER NAME
  "$1" -e "assert(package.loaders or package.searchers)
    local path = package.path .. ';' .. package.cpath
    assert(package.searchpath('$2', path))"
}

python_module() { # of Debian's Python, for which its packages are
  /usr/bin/python3 -c "import importlib.util, sys; sys.exit(not importlib.util.find_spec('$1'))"
}

serve() { # serve NAME@VERSION: a package of npm's
  grep -qsF "\"version\": \"${1##*@}\"" "$modules/node_modules/${1%@*}/package.json" || servers+=("$1")
}

compiler() { # with the sanitizers' libraries, which gcc names by full path when it has them
  have gcc && [[ $(gcc -print-file-name=libasan.so) == /* ]]
}

fuzzer() { # clang's library, by full path when it is there
  file "$(clang -print-file-name=)"/lib/linux/libclang_rt.fuzzer-*.a \
    "$(clang -print-runtime-dir)"/libclang_rt.fuzzer*.a
}

for_sandbox() { # and to build what walks it, for whichever Lua
  need gcc have gcc
  need libc6-dev file /usr/include/stdio.h /usr/include/*/stdio.h
  need pkg-config have pkg-config
  need libcurl4-openssl-dev header libcurl /usr/include/curl/curl.h /usr/include/*/curl/curl.h
  need nginx have nginx
  need libnginx-mod-http-lua file /usr/lib/nginx/modules/ngx_http_lua_module.so \
    /usr/lib*/nginx/modules/ngx_http_lua_module.so /usr/local/openresty/nginx/sbin/nginx
  need openssl have openssl
  need procps have ps
}

for_demo() {
  for_sandbox
  need lua5.4 have lua5.4
  need liblua5.4-dev header lua5.4 /usr/include/lua5.4/lua.h /usr/local/include/lua5.4/lua.h
  need lua-cjson module lua5.4 cjson
  need lua-argparse module lua5.4 argparse
}

for_dashboard() {
  for_sandbox
  # OpenResty's LuaJIT: nginx's Lua module depends on it, and it excludes the other one.
  need luajit2 have luajit
  need libluajit2-5.1-dev header luajit /usr/include/luajit-2.1/lua.h
  need lua-cjson module luajit cjson
}

for_test() {
  for_demo
  for_dashboard
  need gcc compiler
  need lua-busted module lua5.4 busted.runner
  need lua-socket module lua5.4 socket.core
  need tmux have tmux
  need python3 have python3
  if [[ $(uname -m) == x86_64 ]]; then # for what is written for another processor
    need gcc-aarch64-linux-gnu have aarch64-linux-gnu-gcc
    need libc6-dev-arm64-cross file /usr/aarch64-linux-gnu/include/stdio.h
    need qemu-user have qemu-aarch64
  fi
  need lua-luv module lua5.4 luv
  need lua-luv module luajit luv
  need lua-cqueues module lua5.4 cqueues
  need lua-cqueues module luajit cqueues
  need lua-filesystem module luajit lfs # busted inside Neovim
  need neovim have nvim
  need python3-djangorestframework python_module rest_framework # a server of other people's
}

for_servers() {
  serve json-server@0.17.4
  serve express@4.22.3 # which scimmy-routers stands on
  serve scimmy@1.3.5
  serve scimmy-routers@1.3.2
  serve dynalite@4.0.0
  serve stripe-stateful-mock@0.0.16
}

for_lint() {
  for_test
  need lua-check have luacheck
  need clang have clang
  need clang-format-14 have clang-format-14
  need clang-tidy-14 have clang-tidy-14
  need cppcheck have cppcheck
  need shellcheck have shellcheck
}

for_fuzz() {
  for_test
  need clang have clang
  need libclang-rt-dev fuzzer
}

for_valgrind() {
  for_test
  need valgrind have valgrind
}

for_bench() { # and whom we are compared with
  for_test
  need lua-socket module lua5.4 socket
  need lua-socket module luajit socket
  need lua-sec module lua5.4 ssl
  need lua-sec module luajit ssl
  need lua-curl module luajit curl
  need python3 file /usr/bin/python3
  need nodejs have node
  need valgrind have valgrind
  need wrk have wrk
}

case ${1-} in
  demo | dashboard | bench | fuzz | lint) "for_$1" ;;
  test | valgrind)
    "for_$1"
    for_servers
    ;;
  *)
    echo "usage: $0 demo|dashboard|test|bench|fuzz|lint|valgrind" >&2
    exit 2
    ;;
esac

install_servers() {
  local -a wanted=("${servers[@]}")
  if ((${#wanted[@]} == 0)) || ! have npm >/dev/null; then return 0; fi
  echo "installing: ${wanted[*]}"
  mkdir -p "$modules"
  timeout 180 npm install --silent --no-audit --no-fund --no-package-lock --fetch-retries=1 \
    --prefix "$modules" "${wanted[@]}" \
    >/dev/null 2>&1 </dev/null || echo "npm could not install ${wanted[*]}: what needs them is pending" >&2
}

if ((${#missing[@]} == 0)); then
  install_servers
  exit 0
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

as_root=()
if ((EUID != 0)); then as_root=(sudo); fi
if ! have apt-get >/dev/null || { ((EUID != 0)) && ! have sudo >/dev/null; }; then
  echo "missing, by Debian's names: ${missing[*]}" >&2
  echo "Install them and try again." >&2
  exit 1
fi

echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { # quietly, unless it fails
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    return 1
  }
}
apt update || true # a source out of reach need not be the one we install from
apt install -y --no-install-recommends "${missing[@]}"

# Debian starts the servers it installs. The sandbox runs an nginx of its own; this one nobody
# asked for. (RUNLEVEL above keeps System V's init from starting it.)
if [[ " ${missing[*]} " == *' nginx '* && -d /run/systemd/system ]]; then
  "${as_root[@]}" systemctl -q disable --now nginx
fi

install_servers
