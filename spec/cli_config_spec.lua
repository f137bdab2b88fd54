-- The configuration, `rollcall sources` and `rollcall check`, as processes, against the sandbox.

local check = require "spec.support.check"
local cjson = require "cjson"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"

local run = command.run
local complaints = cli.complaints
local path = cli.path
local configuration = cli.configuration
local source_text = cli.source_text
local decoded = cli.decoded
local check_ids = cli.check_ids
local tesouro = cli.tesouro
local CREDENTIALS = cli.CREDENTIALS

setup(cli.begin)
teardown(cli.finish)
before_each(function()
  sandbox.reset()
end)

describe("rollcall sources", function()
  it("says what is configured, and no secret", function()
    local name = configuration(source_text('client_id = "sandbox-client", secret_command = "cat /secret"')
      :gsub("} }$", ', ["dintero-eu"] = { provider = "dintero", accounts = { "T123", "P321" }, '
        .. 'token = "hunter22-token" } } }'))
    local output, errors, status = run { "sources", "--config", name }
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, "dintero-eu", "https://api.dintero.com", "T123, P321", "token in the configuration",
      sandbox.tesouro_url, "client secret `cat /secret`", name)
    check.no_secret(output, { "hunter22-token" })
    local list = decoded((run { "sources", "--config", name, "--format", "ndjson" }))
    assert.equal("dintero-eu", list[1].name)
    assert.equal("tesouro", list[2].provider)
    assert.is_nil(list[2].accounts)
    assert.equal(0, #sandbox.log "POST") -- without a token nothing else is sent
  end)

  it("complains of filters that the provider does not take, as users does", function()
    for query, problem in pairs { ['{ stats = "ACTIVE" }'] = "stats: unknown; did you mean status?",
      ['{ status = "GONE" }'] = '"GONE" is none of ACTIVE' } do
      local name = configuration(source_text(CREDENTIALS .. ", query = " .. query))
      local said, status = complaints { "sources", "--config", name }
      assert.equal(2, status)
      assert.equal(said, (complaints { "users", "--config", name }))
      check.contains(said, "tesouro", problem)
    end
    assert.equal(0, #sandbox.log "POST")
  end)
end)

describe("rollcall check", function()
  it("finds all well", function()
    local output, errors, status = run { "check" }
    assert.equal("", errors)
    assert.equal(0, status)
    for _, name in ipairs { "tesouro", "dintero" } do
      check.contains(output, name .. ": Configuration: ", name .. ": Credentials: accepted.",
        name .. ": Users: can be read.", name .. ": Clock: agrees", " is reached.")
    end
    assert.is_nil(output:find "NOT WELL")
  end)

  it("says in a sentence what is wrong, and what to do", function()
    local function said(more, variables)
      local output, errors, status = run({ "check", "--config", configuration(more) }, variables)
      assert.equal("", errors)
      assert.equal(3, status)
      check.no_secret(output, { sandbox.secret, "hunter22-wrong" })
      return output:match "NOT WELL: ([^\n]*)"
    end
    local wrong = said(source_text('client_id = "x", client_secret = { env = "WRONG" }'), { WRONG = "hunter22-wrong" })
    check.contains(wrong, "Credentials: ", "401", "Check the client id and secret")
    check.contains(said(source_text('client_id = "x", client_secret = { env = "NOT_SET" }')), "NOT_SET is not set")
    local nowhere = ('return { sources = { tesouro = { base_url = "http://127.0.0.1:1", %s } } }'):format(CREDENTIALS)
    check.contains(said(nowhere), "cannot be reached", "Check the network")
    check.contains(said(('return { sources = { tesouro = { base_url = %q, %s } } }'):format(sandbox.tesouro_https_url,
      CREDENTIALS)), "certificate", "ca_file")
  end)

  it("knows a good certificate, and a clock that is wrong", function()
    local name = configuration(('return { sources = { tesouro = { base_url = %q, ca_file = %q, %s } } }'):format(
      sandbox.tesouro_https_url, sandbox.ca_file, CREDENTIALS))
    check.contains((run { "check", "--config", name }), "tesouro: TLS: the certificate is good")
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    server:script {
      ["/"] = { { status = 404, headers = { "Date: Sun, 06 Nov 1994 08:49:37 GMT" } } },
      ["/openid/connect/token"] = { { body = '{"access_token":"t","expires_in":3600}' } },
      ["/identity/v1/users"] = { { status = 403, body = '{"message":"no"}' } },
    }
    local declared = [[
      return { sources = { tesouro = { base_url = %q, client_id = "x", secret_command = "echo abc" } } }]]
    local output, _, status = run { "check", "--config", configuration(declared:format(server.url)) }
    assert.equal(3, status)
    check.contains(output, "seconds ahead of the server. Set its clock", "may not read the users")
  end)

  it("tries each account", function()
    local output, _, status = run({ "check", "dintero" }, { SANDBOX_DINTERO_ACCOUNT = "T12345678,P321,T999" })
    assert.equal(3, status)
    check.contains(output, "dintero: T12345678: Users: can be read.", "dintero: P321: Users: can be read.",
      "dintero: NOT WELL: T999: ")
    local once = path "once" -- the command gives its secret the first time only
    command.write(once, sandbox.secret .. "\n")
    local name = configuration(([[return { sources = { dintero = { base_url = %q, accounts = { "T12345678", "P321" },
      client_id = "sandbox-client", secret_command = "cat %s 2>/dev/null && rm %s" } } }]]):format(
      sandbox.dintero_url, once, once))
    local errors
    output, errors, status = run { "check", "--config", name }
    assert.equal("", errors)
    assert.equal(3, status)
    check.contains(output, "dintero: NOT WELL: T12345678: configuration: ", "dintero: NOT WELL: P321: configuration: ",
      "client_secret: the command")
    check.no_secret(output, { sandbox.secret })
  end)
end)

describe("a configuration", function()
  it("says secrets by variable, by command, or itself", function()
    for text, variables in pairs {
      [CREDENTIALS] = {},
      ['client_id = "sandbox-client", secret_command = "printf \'%s\\\\nsecond line\' \\"$SECRET\\""'] =
        { SECRET = sandbox.secret },
      ['client_id = { command = "echo sandbox-client" }, client_secret = ' .. ("%q"):format(sandbox.secret)] = {},
    } do
      local output, errors, status = run({ "users", "--limit", "1", "--format", "ndjson", "--config",
        configuration(source_text(text)) }, variables)
      assert.equal("", errors)
      assert.equal(0, status)
      check.contains(output, tesouro[1].id)
    end
  end)

  it("is found by $ROLLCALL_CONFIG and in the XDG place", function()
    local name = configuration(source_text(CREDENTIALS):gsub("tesouro = {", 'mine = { provider = "tesouro",'))
    check.contains((run({ "sources" }, { ROLLCALL_CONFIG = name })), "mine")
    os.execute(("mkdir -p %s/rollcall && cp %s %s/rollcall/"):format(path "xdg", name, path "xdg"))
    local line = command.line { "sources" }
    local function with(variables)
      return (command.shell((line:gsub("XDG_CONFIG_HOME=/nonexistent", variables))))
    end
    check.contains(with("XDG_CONFIG_HOME=" .. path "xdg"), "mine")
    check.contains(with "-u XDG_CONFIG_HOME HOME=/nonexistent", "the sandbox's environment")
  end)

  it("sets filters of its own, which the command line goes over", function()
    local name = configuration(source_text(CREDENTIALS .. ', query = { status = "INVITED" }'))
    for status, arguments in pairs { INVITED = {}, INACTIVE = { "--status", "INACTIVE" } } do
      local line = { "users", "--config", name, "--format", "ndjson", arguments[1], arguments[2] }
      local expected = sandbox.data.tesouro.users { status = status }
      check_ids(expected, decoded((run(line))))
    end
  end)

  it("sets limits of its own", function()
    local name = configuration(source_text(CREDENTIALS .. ", query = { limit = 3, deadline = 600, prefetch = 0 }"))
    assert.equal(3, #decoded((run { "users", "--config", name, "--format", "ndjson" })))
  end)

  it("warns where others can read a secret", function()
    local text = source_text('client_id = "sandbox-client", client_secret = ' .. ("%q"):format(sandbox.secret))
    for mode, is_warned in pairs { ["600"] = false, ["400"] = false, ["644"] = true, ["640"] = true, ["604"] = true } do
      local _, errors, status = run { "users", "--limit", "1", "--config", configuration(text, mode) }
      assert.equal(0, status)
      assert.equal(is_warned, errors:find("warning: ", 1, true) ~= nil, mode)
      assert.equal(is_warned, errors:find("chmod 600", 1, true) ~= nil, mode)
      check.no_secret(errors, { sandbox.secret })
    end
    local _, errors = run { "users", "--limit", "1", "--config", configuration(source_text(CREDENTIALS), "644") }
    assert.equal("", errors)
  end)

  it("warns where others can read the password of a proxy", function()
    for proxy, is_secret in pairs { ["http://bob:hunter22-wrong@127.0.0.1:1"] = true, ["bob:hunter22@a:1"] = true,
      ["http://127.0.0.1:1"] = false, ["http://[::1]:1"] = false, ["http://bob@127.0.0.1:1"] = true } do
      local text = source_text(CREDENTIALS .. (", proxy = %q"):format(proxy))
      local errors, status = complaints { "sources", "--config", configuration(text, "644") }
      assert.equal(0, status)
      assert.equal(is_secret, errors:find("has a secret of tesouro in it", 1, true) ~= nil, proxy)
      assert.equal("", (complaints { "sources", "--config", configuration(text, "600") }))
    end
  end)

  it("warns where others can write to it", function()
    for mode, is_warned in pairs { ["600"] = false, ["644"] = false, ["664"] = false, ["646"] = true,
      ["666"] = true } do
      local name = configuration(source_text(CREDENTIALS), mode)
      local errors, status = complaints { "sources", "--config", name }
      assert.equal(0, status)
      assert.equal(is_warned and ("rollcall: warning: others can write to %s, and so have any program run as you: "
        .. "`chmod o-w '%s'`\n"):format(name, name) or "", errors)
    end
  end)

  it("says the user and password of a provider with Basic credentials, too", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    server:script { ["/people"] = { { body = '[{"id":1}]' } } }
    local function source(username, password)
      return ([[return { sources = { own = { username = %s, password = %s, base_url = %q, provider = { name = "own",
        base_url = { production = "https://own.example" }, auth = { type = "basic" },
        users = { path = "/people", items = "", paging = { type = "none" } } } } } }]]):format(username, password,
        server.url)
    end
    local name = configuration(source('{ env = "OWN_USER" }', '{ command = "echo hunter22-wrong" }'), "644")
    local output, errors, status = run({ "sources", "--config", name }, { OWN_USER = "jane" })
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, "username $OWN_USER, password `echo hunter22-wrong`")
    output, errors, status = run({ "users", "--config", name, "--format", "ndjson" }, { OWN_USER = "jane" })
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, '"id":1')
    assert.equal("Basic " .. require "rollcall.base64".encode "jane:hunter22-wrong",
      server:requests()[1].headers.authorization)
    errors = complaints { "users", "--config", name }
    check.contains(errors, "username: the environment variable OWN_USER is not set")
    errors = complaints { "sources", "--config", configuration(source('"jane"', '"hunter22-wrong"'), "644") }
    check.contains(errors, "warning: ", "a secret of own", "chmod 600")
    check.no_secret(errors, { "hunter22-wrong" })
  end)

  it("can do nothing, and is told from what it is not", function()
    for text, parts in pairs {
      ["while true do end"] = { "does not come to an end" },
      ["return 1"] = { "it returns a number", "return { sources" },
      [""] = { "it returns nothing" },
      ["retrun"] = { "rollcall.lua:1: " },
      ["os.remove 'x'"] = { "rollcall.lua:1: ", "os" },
      ["return { sauces = {} }"] = { "sauces: unknown", "sources: expected a table" },
      ["return { sources = {} }"] = { "sources: expected a table" },
      ["return { sources = { a = { provider = 'tesuro' } } }"] =
        { "sources.a.provider", "dintero, github, okta, scim, tesouro, or a table", "did you mean tesouro?" },
      ["return { sources = { ['a b'] = {} } }"] = { "sources.a b: expected a name" },
      ["return { sources = { tesouro = 1 } }"] = { "sources.tesouro: expected a table, got a number" },
      ["return { sources = { tesouro = { client_secret = { env = 1 } } } }"] = { "sources.tesouro.client_secret" },
      ["return { sources = { tesouro = { token = 'hunter22-wrong', secret_command = 'x', client_secret = 'y' } } }"] =
        { "secret_command and client_secret exclude each other" },
      ["return { sources = { tesouro = { token = 'hunter22-wrong', bse_url = 'x' } } }"] = { "did you mean base_url?" },
      ["return { sources = { tesouro = { client_id = 'x', secret_command = 'echo hunter22-wrong; exit 3' } } }"] =
        { "client_secret: the command", "ended with status 3" },
      ["return { sources = { tesouro = { client_id = 'x', secret_command = 'true' } } }"] = { "printed nothing" },
      [string.dump(function() end)] = { "it is compiled" },
    } do
      local output, errors, status = run { "users", "--config", configuration(text) }
      assert.equal(2, status, text)
      assert.equal("", output)
      check.contains(errors, parts[1], parts[2] or "", parts[3] or "")
      local shown = errors:gsub("the command `[^`]*`", "") -- which is what the file says, not a secret it printed
      check.no_secret(shown, { "hunter22-wrong" })
      assert.is_nil(errors:find "traceback")
    end
    assert.equal(0, #sandbox.log "POST") -- without a token nothing else is sent
  end)

  it("is told where it cannot be read, and where there is none", function()
    local _, errors, status = run { "users", "--config", path "nowhere.lua" }
    assert.equal(2, status)
    check.contains(errors, "nowhere.lua", "No such file", "check the path")
    errors, status = complaints { "users", "--config", path() }
    assert.equal(2, status)
    check.contains(errors, "cannot read", path())
    local without = { SANDBOX_TESOURO_URL = false, SANDBOX_DINTERO_URL = false, TESOURO_CLIENT_ID = false,
      DINTERO_CLIENT_ID = false }
    errors, status = complaints({ "users" }, without)
    assert.equal(2, status)
    check.contains(errors, "TESOURO_CLIENT_ID", "DINTERO_ACCOUNT", "rollcall sources --help")
    without.XDG_CONFIG_HOME = path "other"
    check.contains(complaints({ "users" }, without), "or write " .. path "other/rollcall/rollcall.lua ")
  end)

  it("is not needed where the environment has one source", function()
    local output, errors, status = run({ "users", "--format", "ndjson", "--limit", "1" }, {
      TESOURO_CLIENT_ID = sandbox.id, TESOURO_CLIENT_SECRET = sandbox.secret, TESOURO_BASE_URL = sandbox.tesouro_url })
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, tesouro[1].id)
    errors, status = complaints({ "users" }, { TESOURO_CLIENT_ID = "x", TESOURO_CLIENT_SECRET = "" })
    assert.equal(2, status)
    check.contains(errors, "TESOURO_CLIENT_SECRET is not set")
    check.contains((run({ "sources" }, { DINTERO_CLIENT_ID = "x", DINTERO_CLIENT_SECRET = "y", DINTERO_ACCOUNT = "T123",
      DINTERO_ACCOUNTS = "P321,T321" })), "\n  accounts     P321, T321\n")
    check.contains((run({ "sources" }, { TESOURO_TOKEN = "x" })), "token $TESOURO_TOKEN")
    errors, status = complaints({ "users" }, { DINTERO_CLIENT_ID = "x", DINTERO_CLIENT_SECRET = "y" })
    assert.equal(2, status)
    check.contains(errors, "DINTERO_ACCOUNT is not set")
  end)

  it("has other sources that go on where the secret of one cannot be had", function()
    local name = configuration(([[return { sources = {
      tesouro = { base_url = %q, client_id = "x", secret_command = "echo sealed >&2; exit 2" },
      dintero = { base_url = %q, accounts = { "T12345678" }, %s } } }]]):format(sandbox.tesouro_url,
      sandbox.dintero_url, CREDENTIALS))
    local output, errors, status = run { "users", "--format", "ndjson", "--config", name }
    assert.equal(3, status)
    assert.equal(1200, #command.lines(output))
    check.contains(errors, "rollcall: tesouro: client_secret: ", "ended with status 2",
      "rollcall: ended early after 1,200 users, without tesouro: there is no checkpoint\n")
    assert.is_nil(errors:find("--resume", 1, true))
    output, errors, status = run { "find", cli.dintero[1].email, "--config", name }
    assert.equal(3, status)
    check.contains(output, cli.dintero[1].email)
    check.contains(errors, "tesouro")
    output, errors, status = run { "review", "--config", name }
    check.contains(errors, "tesouro: client_secret: ")
    assert.equal(3, status)
    check.contains(output, "tesouro (incomplete)", "total (incomplete)")
    command.write(path "old", '{"source":"tesouro","id":"1"}\n{"source":"dintero","account_id":"T12345678","id":"2"}\n')
    output, errors, status = run { "diff", path "old", "--config", name, "--format", "csv" }
    assert.equal(3, status)
    check.contains(errors, "1 left (who left tesouro is not known)")
    assert.is_nil(output:find("left,tesouro", 1, true))
    -- A walk that is gone on with has a place in each.
    errors, status = complaints { "users", "--format", "ndjson", "--resume", path "place", "--config", name }
    assert.equal(2, status)
    check.contains(errors, "tesouro: client_secret: ")
  end)

  it("describes a provider of one's own", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    server:script { ["/people?state=on"] = {
      { body = '[{"id":1,"mail":"=a@b.example","provider":"theirs","source":null}]' },
    } }
    local name = configuration(([[
      return { sources = { acme = {
        token = "hunter22-token", base_url = %q,
        provider = { name = "acme", base_url = { production = "https://acme.example" },
          users = { path = "/people", items = "", paging = { type = "none" }, filters = { state = { query = "state" } },
            fields = { email = "/mail" } } },
      } } }]]):format(server.url))
    local output, errors, status = run { "users", "--config", name, "--format", "ndjson", "--filter", "state=on" }
    assert.equal("", errors)
    assert.equal(0, status)
    check.same({ id = 1, mail = "=a@b.example", email = "=a@b.example", source = "acme", provider = "acme" },
      cjson.decode(output))
    output = run { "users", "--config", name, "--format", "csv", "--filter", "state=on", "--fields", "anything,email",
      "--bom" }
    assert.equal("\239\187\191anything,email\r\n,'=a@b.example\r\n", output)
  end)
end)
