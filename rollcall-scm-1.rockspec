rockspec_format = "3.0"
package = "rollcall"
version = "scm-1"

source = {
  url = "git+https://github.com/rollcall-lua/rollcall.git",
}

description = {
  summary = "Every user of every account, as one lazy Lua iterator",
  detailed = [[
    Lists the users of Dintero accounts and Tesouro organizations, and of any API described by a
    table: paging, tokens, retries and rate limits in a thin Lua layer over a C core that turns
    bytes from libcurl into users as they arrive.
  ]],
  homepage = "https://github.com/rollcall-lua/rollcall",
  license = "MIT",
}

supported_platforms = { "unix" }

dependencies = {
  "lua >= 5.1, < 5.5, ~= 5.2, ~= 5.3", -- 5.4, or LuaJIT 2.1, which LuaRocks calls 5.1
  "lua-cjson",
  "argparse", -- for the command
}

test_dependencies = {
  "busted",
}

test = {
  type = "command",
  command = "make test",
}

-- Only the library is looked for: Debian keeps curl's headers where the compiler finds them and
-- LuaRocks does not.
external_dependencies = {
  CURL = { library = "curl" },
}

build = {
  type = "builtin",
  install = {
    bin = { rollcall = "lua/rollcall/cli/rollcall" },
  },
  modules = {
    ["rollcall"] = "lua/rollcall/init.lua",
    ["rollcall.auth"] = "lua/rollcall/auth.lua",
    ["rollcall.auth.basic"] = "lua/rollcall/auth/basic.lua",
    ["rollcall.auth.client_credentials"] = "lua/rollcall/auth/client_credentials.lua",
    ["rollcall.auth.function"] = "lua/rollcall/auth/function.lua",
    ["rollcall.auth.header"] = "lua/rollcall/auth/header.lua",
    ["rollcall.auth.secret"] = "lua/rollcall/auth/secret.lua",
    ["rollcall.base64"] = "lua/rollcall/base64.lua",
    ["rollcall.calendar"] = "lua/rollcall/calendar.lua",
    ["rollcall.checkpoint"] = "lua/rollcall/checkpoint.lua",
    ["rollcall.cli.check"] = "lua/rollcall/cli/check.lua",
    ["rollcall.cli.completion"] = "lua/rollcall/cli/completion.lua",
    ["rollcall.cli.config"] = "lua/rollcall/cli/config.lua",
    ["rollcall.cli.diff"] = "lua/rollcall/cli/diff.lua",
    ["rollcall.cli.evaluate"] = "lua/rollcall/cli/evaluate.lua",
    ["rollcall.cli.failure"] = "lua/rollcall/cli/failure.lua",
    ["rollcall.cli.find"] = "lua/rollcall/cli/find.lua",
    ["rollcall.cli.listing"] = "lua/rollcall/cli/listing.lua",
    ["rollcall.cli.main"] = "lua/rollcall/cli/main.lua",
    ["rollcall.cli.names"] = "lua/rollcall/cli/names.lua",
    ["rollcall.cli.output"] = "lua/rollcall/cli/output.lua",
    ["rollcall.cli.progress"] = "lua/rollcall/cli/progress.lua",
    ["rollcall.cli.resume"] = "lua/rollcall/cli/resume.lua",
    ["rollcall.cli.review"] = "lua/rollcall/cli/review.lua",
    ["rollcall.cli.sandbox"] = "lua/rollcall/cli/sandbox.lua",
    ["rollcall.cli.seen_fields"] = "lua/rollcall/cli/seen_fields.lua",
    ["rollcall.cli.session"] = "lua/rollcall/cli/session.lua",
    ["rollcall.cli.shell"] = "lua/rollcall/cli/shell.lua",
    ["rollcall.cli.sources"] = "lua/rollcall/cli/sources.lua",
    ["rollcall.cli.table"] = "lua/rollcall/cli/table.lua",
    ["rollcall.cli.users"] = "lua/rollcall/cli/users.lua",
    ["rollcall.cli.width"] = "lua/rollcall/cli/width.lua",
    ["rollcall.client"] = "lua/rollcall/client.lua",
    ["rollcall.client_options"] = "lua/rollcall/client_options.lua",
    ["rollcall.conformance"] = "lua/rollcall/conformance.lua",
    ["rollcall.conformance.directory"] = "lua/rollcall/conformance/directory.lua",
    ["rollcall.conformance.document"] = "lua/rollcall/conformance/document.lua",
    ["rollcall.conformance.documented"] = "lua/rollcall/conformance/documented.lua",
    ["rollcall.conformance.hostile"] = "lua/rollcall/conformance/hostile.lua",
    ["rollcall.conformance.report"] = "lua/rollcall/conformance/report.lua",
    ["rollcall.conformance.sample"] = "lua/rollcall/conformance/sample.lua",
    ["rollcall.conformance.server"] = "lua/rollcall/conformance/server.lua",
    ["rollcall.conformance.walks"] = "lua/rollcall/conformance/walks.lua",
    ["rollcall.csv"] = "lua/rollcall/csv.lua",
    ["rollcall.errors"] = "lua/rollcall/errors.lua",
    ["rollcall.fields"] = "lua/rollcall/fields.lua",
    ["rollcall.fold"] = "lua/rollcall/fold.lua",
    ["rollcall.formats"] = "lua/rollcall/formats.lua",
    ["rollcall.http.exchange"] = "lua/rollcall/http/exchange.lua",
    ["rollcall.http.header"] = "lua/rollcall/http/header.lua",
    ["rollcall.http.header_names"] = "lua/rollcall/http/header_names.lua",
    ["rollcall.http.limits"] = "lua/rollcall/http/limits.lua",
    ["rollcall.http.link"] = "lua/rollcall/http/link.lua",
    ["rollcall.http.problem"] = "lua/rollcall/http/problem.lua",
    ["rollcall.http.proxy"] = "lua/rollcall/http/proxy.lua",
    ["rollcall.http.redact"] = "lua/rollcall/http/redact.lua",
    ["rollcall.http.request"] = "lua/rollcall/http/request.lua",
    ["rollcall.http.retry"] = "lua/rollcall/http/retry.lua",
    ["rollcall.http.url"] = "lua/rollcall/http/url.lua",
    ["rollcall.json"] = "lua/rollcall/json.lua",
    ["rollcall.loop"] = "lua/rollcall/loop.lua",
    ["rollcall.loop.blocking"] = "lua/rollcall/loop/blocking.lua",
    ["rollcall.loop.nginx"] = "lua/rollcall/loop/nginx.lua",
    ["rollcall.loop.uv"] = "lua/rollcall/loop/uv.lua",
    ["rollcall.merge"] = "lua/rollcall/merge.lua",
    ["rollcall.ndjson"] = "lua/rollcall/ndjson.lua",
    ["rollcall.one_line"] = "lua/rollcall/one_line.lua",
    ["rollcall.option_names"] = "lua/rollcall/option_names.lua",
    ["rollcall.paging"] = "lua/rollcall/paging.lua",
    ["rollcall.paging.after"] = "lua/rollcall/paging/after.lua",
    ["rollcall.paging.answer"] = "lua/rollcall/paging/answer.lua",
    ["rollcall.paging.count"] = "lua/rollcall/paging/count.lua",
    ["rollcall.paging.cursor"] = "lua/rollcall/paging/cursor.lua",
    ["rollcall.paging.declared"] = "lua/rollcall/paging/declared.lua",
    ["rollcall.paging.link"] = "lua/rollcall/paging/link.lua",
    ["rollcall.paging.next_url"] = "lua/rollcall/paging/next_url.lua",
    ["rollcall.paging.none"] = "lua/rollcall/paging/none.lua",
    ["rollcall.paging.offset"] = "lua/rollcall/paging/offset.lua",
    ["rollcall.paging.page"] = "lua/rollcall/paging/page.lua",
    ["rollcall.paging.target"] = "lua/rollcall/paging/target.lua",
    ["rollcall.paging.token"] = "lua/rollcall/paging/token.lua",
    ["rollcall.path"] = "lua/rollcall/path.lua",
    ["rollcall.pointer"] = "lua/rollcall/pointer.lua",
    ["rollcall.provider"] = "lua/rollcall/provider.lua",
    ["rollcall.provider.collection"] = "lua/rollcall/provider/collection.lua",
    ["rollcall.provider.filter"] = "lua/rollcall/provider/filter.lua",
    ["rollcall.provider.frozen"] = "lua/rollcall/provider/frozen.lua",
    ["rollcall.provider.lua_pattern"] = "lua/rollcall/provider/lua_pattern.lua",
    ["rollcall.provider.nodes"] = "lua/rollcall/provider/nodes.lua",
    ["rollcall.providers.dintero"] = "lua/rollcall/providers/dintero.lua",
    ["rollcall.providers.github"] = "lua/rollcall/providers/github.lua",
    ["rollcall.providers.okta"] = "lua/rollcall/providers/okta.lua",
    ["rollcall.providers.scim"] = "lua/rollcall/providers/scim.lua",
    ["rollcall.providers.tesouro"] = "lua/rollcall/providers/tesouro.lua",
    ["rollcall.query"] = "lua/rollcall/query.lua",
    ["rollcall.record_type"] = "lua/rollcall/record_type.lua",
    ["rollcall.schema"] = "lua/rollcall/schema.lua",
    ["rollcall.source"] = "lua/rollcall/source.lua",
    ["rollcall.stream"] = "lua/rollcall/stream.lua",
    ["rollcall.task"] = "lua/rollcall/task.lua",
    ["rollcall.time"] = "lua/rollcall/time.lua",
    ["rollcall.version"] = "lua/rollcall/version.lua",
    ["rollcall.walk"] = "lua/rollcall/walk.lua",
    ["rollcall.walk.backward"] = "lua/rollcall/walk/backward.lua",
    ["rollcall.walk.budget"] = "lua/rollcall/walk/budget.lua",
    ["rollcall.walk.leak"] = "lua/rollcall/walk/leak.lua",
    ["rollcall.walk.repeats"] = "lua/rollcall/walk/repeats.lua",
    ["rollcall.where"] = "lua/rollcall/where.lua",
    ["rollcall.core"] = {
      sources = {
        "csrc/binding.c",
        "csrc/compat.c",
        "csrc/core.c",
        "csrc/decoder.c",
        "csrc/delivery.c",
        "csrc/descriptor.c",
        "csrc/engine.c",
        "csrc/failure.c",
        "csrc/field.c",
        "csrc/http.c",
        "csrc/http_request.c",
        "csrc/http_response.c",
        "csrc/http_wait.c",
        "csrc/items.c",
        "csrc/items_beside.c",
        "csrc/items_error.c",
        "csrc/json.c",
        "csrc/ledger.c",
        "csrc/options.c",
        "csrc/pointer.c",
        "csrc/poller.c",
        "csrc/queue.c",
        "csrc/record.c",
        "csrc/scan.c",
        "csrc/seen.c",
        "csrc/selection.c",
        "csrc/terminal.c",
        "csrc/transfer.c",
        "csrc/value.c",
      },
      libraries = { "curl" },
      incdirs = { "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
  },
  platforms = { -- before glibc 2.34 these are libraries of their own
    linux = { modules = { ["rollcall.core"] = { libraries = { "curl", "dl", "pthread" } } } },
  },
}
