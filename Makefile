# GNU make. `make help` lists the targets; `make V=1` shows the commands.

BUILD ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
CURL_CONFIG ?= curl-config
# For tests and checks, which set it: who builds it to use it may have another compiler, with other warnings.
WERROR ?=
ifndef V
Q := @
endif
MAKEFLAGS += --no-print-directory
, := ,

# The Luas: an interpreter's name is also its flavour's. LUAS are those to build and to test for,
# LUA the one for `make demo` and `make install`.

lua5.4_CFLAGS := $(shell $(PKG_CONFIG) --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4)
lua5.4_VERSION := 5.4
luajit_CFLAGS := $(shell $(PKG_CONFIG) --cflags luajit 2>/dev/null || echo -I/usr/include/luajit-2.1)
luajit_VERSION := 5.1
present = $(wildcard $(addsuffix /lua.h,$(patsubst -I%,%,$(filter -I%,$($(1)_CFLAGS)))))
LUAS ?= $(foreach lua,lua5.4 luajit,$(if $(call present,$(lua)),$(lua)))
LUA ?= $(or $(firstword $(LUAS)),lua5.4)
export BUILD
UNKNOWN = LUA is lua5.4 or luajit, not $(LUA)
no_headers = No headers of $(1) found: install them, as `make test` does, or say where lua.h is by \
  lua5.4_CFLAGS=-I/FOLDER or luajit_CFLAGS=-I/FOLDER

CURL_CFLAGS := $(shell $(PKG_CONFIG) --cflags libcurl 2>/dev/null || $(CURL_CONFIG) --cflags 2>/dev/null)
CURL_LIBS := $(or $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null || $(CURL_CONFIG) --libs 2>/dev/null),-lcurl)

SOURCES := $(wildcard csrc/*.c)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
# The headers of others are system headers, whose macros do not warn.
system = $(patsubst -I%,-isystem %,$(1))
OWN_CFLAGS := -std=c11 -fPIC -fvisibility=hidden $(WARNINGS) $(WERROR) $(call system,$(CURL_CFLAGS))
# What looks for leaks at the exit needs the module still loaded, for its globals and its symbols.
STAY := -O1 -g -fno-omit-frame-pointer -Wl,-z,nodelete
SANITIZE := $(STAY) -fsanitize=address,undefined -fno-sanitize-recover=undefined

PLAIN := $(LUAS:%=$(BUILD)/%/rollcall/core.so)
SANITIZED := $(LUAS:%=$(BUILD)/%-asan/rollcall/core.so)

.PHONY: all demo run-demo sandbox test run-test fuzz run-fuzz valgrind run-valgrind lint run-lint
.PHONY: dashboard run-dashboard
.PHONY: bench bench-check run-bench faults run-faults
.PHONY: neovim
.PHONY: lint-text lint-lua lint-c lint-builds install uninstall clean help
.DELETE_ON_ERROR:

all: $(PLAIN) ## build the module for Lua 5.4 and LuaJIT, whichever is there
ifeq ($(strip $(LUAS)),)
	$(error $(call no_headers,Lua 5.4 or LuaJIT))
endif

# $(call flavour,NAME,LUA,COMPILER,FLAGS): $(BUILD)/NAME/rollcall/core.so for LUA
define flavour
$(BUILD)/$(1)/rollcall/core.so: $(SOURCES:csrc/%.c=$(BUILD)/$(1)/obj/%.o)
	@mkdir -p $$(@D)
	@echo '  LD $$@'
	$$(Q)$(3) -shared $(4) $$(LDFLAGS) -o $$@ $$^ $$(CURL_LIBS)

$(BUILD)/$(1)/obj/%.o: csrc/%.c Makefile
	@mkdir -p $$(@D)
	@echo '  CC $$@'
	$$(Q)$(3) $$(CPPFLAGS) $$(OWN_CFLAGS) $$(call system,$$($(2)_CFLAGS)) $(4) -MMD -MP -c -o $$@ $$<

-include $(SOURCES:csrc/%.c=$(BUILD)/$(1)/obj/%.d)
endef

# The sanitizers are gcc's whatever CC is: their library must be preloaded into the interpreter.
$(foreach lua,$(LUAS),$(eval $(call flavour,$(lua),$(lua),$$(CC),$$(CFLAGS))))
$(foreach lua,$(LUAS),$(eval $(call flavour,$(lua)-asan,$(lua),gcc,$$(SANITIZE))))
$(foreach lua,$(LUAS),$(eval $(call flavour,$(lua)-valgrind,$(lua),$$(CC),$$(STAY))))

# For Luas that have none of the above.
$(BUILD)/%/rollcall/core.so:
	$(error $(if $($*_VERSION),$(call no_headers,$*),$(UNKNOWN)))

ALONE := $(BUILD)/asan/alone.so
$(ALONE): spec/support/alone.c
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)gcc $(OWN_CFLAGS) -shared -o $@ $<

# The sources that know no Lua.
PURE := json scan field pointer queue items items_outside items_error seen \
  delivery http http_request http_response http_wait
C_OBJECTS := $(patsubst csrc/%.c,$(BUILD)/c-asan/obj/%.o,$(wildcard $(PURE:%=csrc/%.c)))
$(eval $(call flavour,c-asan,c,gcc,$$(SANITIZE)))

# Programs with a Lua inside: spec/embed/NAME_test.c, linked with all sources, for each Lua.
lua5.4_LIBS := $(shell $(PKG_CONFIG) --libs lua5.4 2>/dev/null || echo -llua5.4)
luajit_LIBS := $(shell $(PKG_CONFIG) --libs luajit 2>/dev/null || echo -lluajit-5.1)
alloc_LDFLAGS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
EMBED := $(patsubst spec/embed/%.c,%,$(wildcard spec/embed/*_test.c))

# $(call embed,LUA)
define embed
$(BUILD)/$(1)-asan/%_test: spec/embed/%_test.c $(SOURCES:csrc/%.c=$(BUILD)/$(1)-asan/obj/%.o)
	@echo '  LD $$@'
	$$(Q)gcc $$(OWN_CFLAGS) -Icsrc $$(call system,$$($(1)_CFLAGS)) $$(SANITIZE) $$($$*_LDFLAGS) -MMD -MP -MF $$@.d \
	  -o $$@ $$^ $$(CURL_LIBS) $$($(1)_LIBS)

-include $(EMBED:%=$(BUILD)/$(1)-asan/%.d)
endef
$(foreach lua,$(LUAS),$(eval $(call embed,$(lua))))
EMBED_TESTS := $(foreach lua,$(LUAS),$(EMBED:%=$(BUILD)/$(lua)-asan/%))

# Fuzz targets: spec/fuzz/NAME.c. `make test` runs each over its seeds and a fixed number of mutations
# of them, by spec/fuzz/driver.c; `make fuzz` for TIME seconds each by clang's libFuzzer, which keeps
# what it finds new in $(BUILD)/fuzz/corpus.
FUZZERS := json items pointer delivery http
FUZZ ?= $(FUZZERS)
TIME ?= 60
http_WORDS := http
http_MUTATIONS := 4000
dictionary = spec/fuzz/$(or $($(1)_WORDS),json).dict
SEEDS := $(BUILD)/fuzz/seeds
FUZZ_FLAGS := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_TESTS := $(FUZZ:%=$(BUILD)/c-asan/fuzz_%)
$(eval $(call flavour,c-fuzz,c,clang,$$(FUZZ_FLAGS) -fsanitize=fuzzer-no-link$$(,)address$$(,)undefined))

$(SEEDS)/done: spec/fuzz/seeds.lua spec/support/documents.lua $(wildcard examples/sandbox/data/*.lua)
	@mkdir -p $(FUZZERS:%=$(SEEDS)/%)
	@$(LUA) spec/fuzz/seeds.lua $(SEEDS)
	@touch $@

$(FUZZ_TESTS): $(BUILD)/c-asan/fuzz_%: spec/fuzz/%.c spec/fuzz/driver.c spec/fuzz/fuzz.h $(C_OBJECTS) | $(SEEDS)/done
	@echo '  LD $@'
	$(Q)gcc $(OWN_CFLAGS) -Icsrc $(SANITIZE) -DSEEDS='"$(SEEDS)/$*"' -DWORDS='"$(call dictionary,$*)"' \
	  -DMUTATIONS=$(or $($*_MUTATIONS),20000) -o $@ $(filter-out %.h,$^) $(CURL_LIBS)

# The search for the end of a string (csrc/plain.h) is written for SSE2, for NEON and in plain C. Above it
# is as this machine has it; here the targets that need it run with it in plain C, and for NEON on an
# emulated aarch64, where a compiler and an emulator for it are installed.
SCANNED := json items
SCAN_SOURCES := spec/fuzz/driver.c $(patsubst %,csrc/%.c,$(filter-out http%,$(PURE)))
aarch64 := $(and $(shell command -v aarch64-linux-gnu-gcc),$(shell command -v qemu-aarch64))
VARIANT_TESTS := $(foreach variant,c-plain $(if $(aarch64),c-neon),$(SCANNED:%=$(BUILD)/$(variant)/fuzz_%))
VARIANT_FLAGS = -std=c11 $(WARNINGS) $(WERROR) -Icsrc -DSEEDS='"$(SEEDS)/$*"' -DWORDS='"$(call dictionary,$*)"' \
  -DMUTATIONS=4000

$(BUILD)/c-plain/fuzz_%: spec/fuzz/%.c $(SCAN_SOURCES) spec/fuzz/fuzz.h $(wildcard csrc/*.h) | $(SEEDS)/done
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)gcc $(VARIANT_FLAGS) -DRC_PLAIN_C $(SANITIZE) -o $@ $(filter %.c,$^)

$(BUILD)/c-neon/fuzz_%: spec/fuzz/%.c $(SCAN_SOURCES) spec/fuzz/fuzz.h $(wildcard csrc/*.h) | $(SEEDS)/done
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)aarch64-linux-gnu-gcc $(VARIANT_FLAGS) -O2 -static -o $@.aarch64 $(filter %.c,$^)
	@printf '#!/bin/sh\nexec qemu-aarch64 %s.aarch64\n' '$@' >$@ && chmod +x $@

$(BUILD)/fuzz/%: spec/fuzz/%.c spec/fuzz/fuzz.h $(PURE:%=$(BUILD)/c-fuzz/obj/%.o) | $(SEEDS)/done
	@echo '  LD $@'
	$(Q)clang $(OWN_CFLAGS) -Icsrc $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined -o $@ \
	  $(filter-out %.h,$^) $(CURL_LIBS)

# What follows runs make once more, after the packages are there: the variables above depend on them.
CPUS := $(shell nproc 2>/dev/null || echo 2)
STRICT := -j$(CPUS) WERROR='$(or $(WERROR),-Werror)'

demo: ## list the users of both providers, served by the sandbox, and review them
	@spec/support/packages.sh demo
	@$(MAKE) run-demo

# With real credentials in the environment the script talks to the real APIs.
run-demo: $(BUILD)/$(LUA)/rollcall/core.so
	@set -e; \
	if [ -z "$$TESOURO_CLIENT_ID$$DINTERO_CLIENT_ID" ]; then \
	  examples/sandbox/sandbox start $(BUILD)/sandbox-demo; \
	  trap 'examples/sandbox/sandbox stop $(BUILD)/sandbox-demo' EXIT; \
	  trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM; \
	  set -a; . $(abspath $(BUILD)/sandbox-demo/env); set +a; \
	fi; \
	export LUA_PATH='$(abspath lua)/?.lua;$(abspath lua)/?/init.lua;;' LUA_CPATH='$(abspath $(BUILD))/$(LUA)/?.so;;'; \
	$(LUA) examples/list_users.lua; \
	echo; \
	echo '$$ rollcall review'; \
	$(LUA) lua/rollcall/cli/rollcall review

sandbox: ## serve both APIs on loopback until interrupted
	@spec/support/packages.sh demo
	@examples/sandbox/sandbox run $(BUILD)/sandbox

dashboard: ## serve the sandbox's users and a page that counts them from nginx, on PORT (8080)
	@spec/support/packages.sh dashboard
	@$(MAKE) run-dashboard

PORT ?= 8080
run-dashboard: $(BUILD)/luajit/rollcall/core.so
	@set -e; \
	examples/sandbox/sandbox start $(BUILD)/sandbox-dashboard; \
	trap 'examples/sandbox/sandbox stop $(BUILD)/sandbox-dashboard' EXIT; \
	trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM; \
	set -a; . $(abspath $(BUILD)/sandbox-dashboard/env); set +a; \
	LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;' LUA_CPATH='$(abspath $(BUILD))/luajit/?.so;;' \
	  examples/nginx/serve $(BUILD)/dashboard $(PORT)

test: ## build and test everything; SPEC=spec/json_spec.lua and LUAS=luajit narrow it
	@spec/support/packages.sh test
	@$(MAKE) $(STRICT) run-test

PROGRAMS := $(if $(SPEC),,$(EMBED_TESTS) $(FUZZ_TESTS) $(VARIANT_TESTS))

# Hosts whose loop waits: the specs of what walks run once more inside. They have LuaJIT.
HOSTS := $(if $(filter luajit,$(LUAS)),nvim nginx)

run-test: $(PLAIN) $(SANITIZED) $(ALONE) $(PROGRAMS)
	@spec/run $(LUAS) $(LUAS:%=%-asan) $(if $(SPEC),,$(HOSTS)) $(PROGRAMS)

fuzz: ## fuzz the C core, TIME seconds (60) each target: `make fuzz TIME=600`, `make fuzz FUZZ=items`
	@spec/support/packages.sh fuzz
	@$(MAKE) $(STRICT) $(FUZZ:%=$(BUILD)/fuzz/%)
	@set -e; for name in $(FUZZ); do $(MAKE) run-fuzz FUZZ=$$name; done

run-fuzz:
	@mkdir -p $(BUILD)/fuzz/corpus/$(FUZZ)
	$(BUILD)/fuzz/$(FUZZ) -max_total_time=$(TIME) -timeout=20 -print_final_stats=1 -verbosity=0 \
	  -dict=$(call dictionary,$(FUZZ)) -artifact_prefix=$(BUILD)/fuzz/$(FUZZ)- \
	  $(BUILD)/fuzz/corpus/$(FUZZ) $(SEEDS)/$(FUZZ)

faults: ## walk both directories under FAULT_SEEDS scripts of faults each, and count what they met
	@spec/support/packages.sh test
	@$(MAKE) $(STRICT) run-faults

FAULT_SEEDS ?= 500
run-faults: $(PLAIN)
	@FAULT_SEEDS=$(FAULT_SEEDS) SPEC=spec/faults_spec.lua TIMEOUT=3600 spec/run $(LUAS)

bench: ## measure against cjson, bare libcurl and what else there is; BENCH=decode narrows it
	@spec/support/packages.sh bench
	@$(MAKE) $(STRICT) run-bench

bench-check: ## the same, then compare with the bars of spec/bench/bars.lua; no part of the tests
	@spec/support/packages.sh bench
	@$(MAKE) $(STRICT) run-bench CHECK=--check

BENCH_PROGRAMS := $(patsubst spec/bench/%.c,$(BUILD)/bench/%,$(wildcard spec/bench/*.c))

$(BENCH_PROGRAMS): $(BUILD)/bench/%: spec/bench/%.c
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(CC) $(OWN_CFLAGS) $(CFLAGS) -o $@ $< $(CURL_LIBS)

run-bench: $(PLAIN) $(BENCH_PROGRAMS)
	@LUAS='$(LUAS)' spec/bench/run $(CHECK)

valgrind: ## the specs on Lua 5.4 under valgrind
	@spec/support/packages.sh valgrind
	@$(MAKE) $(STRICT) run-valgrind

run-valgrind: $(PLAIN) $(BUILD)/lua5.4-valgrind/rollcall/core.so
	@spec/run lua5.4-valgrind

lint: ## luacheck, clang-format, clang-tidy, cppcheck, shellcheck, builds with gcc and with clang
	@spec/support/packages.sh lint
	@$(MAKE) run-lint

C_FILES = $(wildcard csrc/*.[ch] spec/*.[ch] spec/*/*.[ch])
SCRIPTS = $(shell grep -rIlE '^.!(/usr)?/bin/(env )?(ba)?sh$$' .ci spec examples)

WITHOUT_LUA = $(PURE:%=csrc/%.c) $(wildcard spec/fuzz/*.c spec/bench/*.c spec/support/*.c)
# $(call tidy,FILES,FLAGS)
tidy = printf '%s\n' $(1) | xargs -P $(CPUS) -I{} clang-tidy-14 --quiet {} -- \
  -std=c11 -Icsrc $(call system,$(CURL_CFLAGS) $(2))

run-lint: lint-text lint-lua lint-c lint-builds

lint-text:
	shellcheck --exclude=SC2015 $(SCRIPTS)
	spec/support/style.sh

lint-lua: $(BUILD)/$(LUA)/rollcall/core.so
	luacheck -q --no-color lua spec examples
	LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='$(BUILD)/$(LUA)/?.so;;' $(LUA) spec/support/types.lua

lint-c:
	clang-format-14 --dry-run -Werror $(C_FILES)
	cppcheck -q --std=c11 --library=lua --enable=warning,performance,portability --inline-suppr \
	  --error-exitcode=1 -j $(CPUS) $(filter %.c,$(C_FILES))
	$(call tidy,$(WITHOUT_LUA),)
	$(foreach lua,$(LUAS),$(call tidy,$(filter-out $(WITHOUT_LUA),$(filter %.c,$(C_FILES))),$($(lua)_CFLAGS)) &&) true

lint-builds:
	@$(MAKE) $(STRICT) all CC=gcc BUILD=$(BUILD)/gcc
	@$(MAKE) $(STRICT) all CC=clang BUILD=$(BUILD)/clang
	spec/support/symbols.sh $(foreach compiler,gcc clang,$(PLAIN:$(BUILD)/%=$(BUILD)/$(compiler)/%))

# Where modules go, Lua's and C's.
LUADIR = $(PREFIX)/share/lua/$($(LUA)_VERSION)
LIBDIR = $(PREFIX)/lib/lua/$($(LUA)_VERSION)
# For the shell, which keeps blanks in a path together: where things are found later; they go below $$root. What is
# removed there is never the sources.
PLACES = $(if $($(LUA)_VERSION),,$(error $(UNKNOWN)))set -e; \
  absolute() { case $$1 in /*) echo "$$1" ;; *) echo "$$PWD/$$1" ;; esac; }; \
  root='$(DESTDIR)' bin=$$(absolute '$(PREFIX)/bin') lua=$$(absolute '$(LUADIR)') lib=$$(absolute '$(LIBDIR)'); \
  if [ "$$root$$lua" -ef lua ] || [ "$$root$$lib" -ef lua ]; then \
    echo 'LUADIR or LIBDIR has the sources: name another folder' >&2; exit 1; \
  fi
FIRST_LINE := \#!/usr/bin/env $(LUA)

# The command finds its modules wherever they go, by the second line of the installed script. There is one, of
# whichever Lua was installed last. Modules that an older version had are removed.
install: $(BUILD)/$(LUA)/rollcall/core.so ## install for LUA (lua5.4 or luajit) under DESTDIR and PREFIX
	$(Q)$(PLACES); \
	rm -rf "$$root$$lua/rollcall"; \
	for file in $$(cd lua && find rollcall -name '*.lua'); do \
	  install -d -m755 "$$root$$lua/$${file%/*}"; \
	  install -m644 "lua/$$file" "$$root$$lua/$$file"; \
	done; \
	install -d -m755 "$$root$$lib/rollcall" "$$root$$bin"; \
	install -m755 $< "$$root$$lib/rollcall/core.so"; \
	{ echo '$(FIRST_LINE)'; \
	  echo "package.path = \"$$lua/?.lua;$$lua/?/init.lua;\" .. package.path" \
	    "package.cpath = \"$$lib/?.so;\" .. package.cpath"; \
	  tail -n +2 lua/rollcall/cli/rollcall; } >"$$root$$bin/rollcall"; \
	chmod 755 "$$root$$bin/rollcall"; \
	echo "installed for $(LUA): $$root$$bin/rollcall, modules in $$root$$lua and $$root$$lib"

neovim: $(BUILD)/luajit/rollcall/core.so ## what a plugin manager runs: puts the module where Neovim finds it
	install -m755 $< lua/rollcall/core.so
	@if command -v nvim >/dev/null; then \
	  nvim --headless -u NONE -i NONE -n -c 'helptags examples/neovim/doc' -c quit </dev/null; fi

uninstall: ## remove what `make install` installed for LUA
	$(Q)$(PLACES); \
	rm -rf "$$root$$lua/rollcall" "$$root$$lib/rollcall"; \
	script="$$root$$bin/rollcall"; \
	if [ "$$(head -n 1 "$$script" 2>/dev/null)" = '$(FIRST_LINE)' ]; then rm -f "$$script"; fi

clean: ## remove what was built, by LuaRocks and plugin managers too
	rm -rf $(BUILD) csrc/*.o rollcall lua/rollcall/core.so examples/neovim/doc/tags

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
