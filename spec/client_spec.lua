local check = require "spec.support.check"
local core = require "rollcall.core"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local SECRET = "hunter22-s3cr3t"

setup(function()
  sandbox.reset()
end)
teardown(sandbox.restore)

local function credentials(more)
  local all = { client_id = "client-1", client_secret = SECRET }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end

describe("a client", function()
  it("is made without a request", function()
    sandbox.reset()
    sandbox.tesouro()
    sandbox.dintero()
    sandbox.dintero { accounts = { "T123", "P321" } }
    core.wait({}, 0.02)
    assert.equal(0, sandbox.stats().tesouro.connections + sandbox.stats().dintero.connections)
  end)

  it("takes every option that is documented", function()
    rollcall.tesouro(credentials { environment = "sandbox" })
    rollcall.tesouro(credentials { environment = "production" })
    rollcall.tesouro { token = function() return "x" end }
    rollcall.tesouro { client_id = function() return "x" end, client_secret = function() return "x" end }
    rollcall.dintero(credentials { account = "T12345678" })
    rollcall.dintero(credentials { accounts = { "P123", "T12345678" } })
    local samples = credentials {
      base_url = "https://api.example.com:8443/prefix/", ca_file = "/etc/ca.pem", client_cert = "/c.pem",
      client_key = "/k.pem", proxy = "", connect_timeout = 1.5, idle_timeout = 0, max_page_bytes = 1000,
      max_user_bytes = 1000, max_depth = 2048, max_header_bytes = 65536, watermark = 1,
      query_names = { PaginationToken = "pagination_token" }, user_agent = "acme/1", insecure = false,
      headers = { ["X-Correlation-Id"] = "run-17" },
      retry = { attempts = 1, base = 0, cap = 0, jitter = 0, max_retry_after = 0, quota = 0 },
      loop = { wait = core.wait }, on = { request = print, response = print, retry = print, page = print },
    }
    rollcall.tesouro(samples)
    local basic = { username = "ada", password = SECRET }
    rollcall.client({ name = "acme", base_url = false, auth = { type = "basic" },
      users = { path = "/people", items = "", paging = { type = "none" } } },
      { base_url = samples.base_url, username = basic.username, password = basic.password })
    for _, name in ipairs(require "rollcall.option_names") do
      assert.truthy(samples[name] ~= nil or basic[name] or name == "token" or name == "environment", name)
    end
  end)

  local mistakes = {
    { "tesouro", nil, "expected token, or client_id and client_secret" },
    { "tesouro", {}, "expected token, or client_id and client_secret" },
    { "tesouro", { client_id = "x" }, "expected token, or client_id and client_secret" },
    { "tesouro", { client_secret = SECRET }, "expected token, or client_id and client_secret" },
    { "tesouro", "token", "expected table" },
    { "tesouro", credentials { clientid = "x" }, "clientid: unknown; did you mean client_id?" },
    { "tesouro", credentials { account = "T123" }, "account: unknown" },
    { "tesouro", credentials { client_id = 5 }, "client_id: " },
    { "tesouro", credentials { client_id = "" }, "client_id: " },
    { "tesouro", credentials { client_id = "a\nb" }, "client_id: " },
    { "tesouro", { client_id = "x", client_secret = SECRET .. "\r\n" }, "client_secret: " },
    { "tesouro", { client_id = "x", client_secret = { SECRET } }, "client_secret: " },
    { "tesouro", { token = SECRET .. "\0" }, "token: " },
    { "tesouro", { token = 12 }, "token: expected a token, or a function that answers one" },
    { "tesouro", credentials { environment = "staging" }, 'environment: "staging" is none of production, sandbox' },
    { "tesouro", credentials { environment = "sandbx" }, "did you mean sandbox?" },
    { "tesouro", credentials { environment = "sandbox", base_url = "https://a.example" }, "environment and base_url" },
    { "dintero", credentials { account = "T123", environment = "sandbox" }, "environment: " },
    { "tesouro", credentials { base_url = "api.example.com" }, "base_url: expected an http or https URL" },
    { "tesouro", credentials { base_url = "" }, "base_url: " },
    { "tesouro", credentials { base_url = 5 }, "base_url: " },
    { "tesouro", credentials { base_url = "ftp://a.example" }, "base_url: " },
    { "tesouro", credentials { base_url = "https://a.example/?x=1" }, "base_url: a query" },
    { "tesouro", credentials { base_url = "https://a.example/#x" }, "base_url: a fragment" },
    { "tesouro", credentials { base_url = "https://u:" .. SECRET .. "@a.example" }, "base_url: credentials" },
    { "tesouro", credentials { base_url = "https://a.example/\r\nX: y" }, "base_url: " },
    { "tesouro", credentials { base_url = "http://api.example.com" }, "base_url: plain http" },
    { "tesouro", credentials { base_url = "http://127.0.0.1.example.com" }, "insecure = true" },
    { "tesouro", credentials { base_url = "HTTP://10.0.0.1" }, "plain http" },
    { "tesouro", credentials { base_url = "http://api.example.com", insecure = false }, "plain http" },
    { "tesouro", credentials { insecure = "yes" }, "insecure: expected boolean" },
    { "tesouro", credentials { ca_file = "" }, "ca_file: " },
    { "tesouro", credentials { ca_file = "a\0b" }, "ca_file: " },
    { "tesouro", credentials { client_cert = 5 }, "client_cert: " },
    { "tesouro", credentials { client_key = true }, "client_key: " },
    { "tesouro", credentials { proxy = 5 }, "proxy: " },
    { "tesouro", credentials { proxy = "http://u:" .. SECRET .. "@p\r\nX: y" }, "proxy: a control character" },
    { "tesouro", credentials { proxy = "ftp://u:" .. SECRET .. "@proxy" }, "proxy: expected an http, https or socks" },
    { "tesouro", SECRET, "tesouro: expected table, got a string" },
    { "tesouro", credentials { token = "x" }, "token excludes client_id and client_secret" },
    { "tesouro", { token = "x", client_id = "y" }, "token excludes client_id and client_secret" },
    { "tesouro", credentials { query_names = { Limit = "a\r\nb" } }, "query_names.Limit: " },
    { "tesouro", credentials { query_names = { Limit = "" } }, "query_names.Limit: " },
    { "tesouro", credentials { query_names = { ["X-Organization-ID"] = "x" } }, "query_names.X-Organization-ID: " },
    { "tesouro", credentials { watermark = 0 }, "watermark: " },
    { "tesouro", credentials { client_key = "/key.pem" }, "client_key: expected client_cert" },
    { "dintero", credentials { accounts = { "T123", "P123", "T123" } }, 'accounts: 3: "T123" is there already, as 1' },
    { "dintero", credentials { accounts = { "T123", x = "P123" } }, "accounts: expected a list" },
    { "tesouro", credentials { connect_timeout = -1 }, "connect_timeout: " },
    { "tesouro", credentials { connect_timeout = "5" }, "connect_timeout: " },
    { "tesouro", credentials { idle_timeout = 0 / 0 }, "idle_timeout: " },
    { "tesouro", credentials { idle_timeout = 1 / 0 }, "idle_timeout: " },
    { "tesouro", credentials { retry = true }, "retry: " },
    { "tesouro", credentials { retry = 3 }, "retry: " },
    { "tesouro", credentials { retry = { attempts = 0 } }, "retry.attempts: " },
    { "tesouro", credentials { retry = { max = 3 } }, "retry.max: unknown" },
    { "tesouro", credentials { max_page_bytes = 0 }, "max_page_bytes: " },
    { "tesouro", credentials { max_user_bytes = 1.5 }, "max_user_bytes: " },
    { "tesouro", credentials { max_depth = 2049 }, "max_depth: " },
    { "tesouro", credentials { max_header_bytes = 10 }, "max_header_bytes: " },
    { "tesouro", credentials { watermark = -1 }, "watermark: " },
    { "tesouro", credentials { query_names = "x" }, "query_names: " },
    { "tesouro", credentials { query_names = { Limit = "x", PaginationToken = "x" } }, '"x" is the name of Limit' },
    { "tesouro", credentials { query_names = { Limit = "Status" } }, 'Limit: "Status" is the name of Status, too' },
    { "tesouro", credentials { query_names = { PaginationToken = 5 } }, "query_names.PaginationToken: " },
    { "tesouro", credentials { query_names = { PaginatonToken = "x" } }, "did you mean PaginationToken?" },
    { "tesouro", credentials { user_agent = "a\r\nX-Evil: 1" }, "user_agent: " },
    { "tesouro", credentials { user_agent = "" }, "user_agent: " },
    { "tesouro", credentials { loop = {} }, "loop: wait: missing" },
    { "tesouro", credentials { loop = { wait = 5 } }, "loop: wait: " },
    { "tesouro", credentials { loop = { wait = print, turn = 5 } }, "loop: turn: " },
    { "tesouro", credentials { loop = { wait = print, slice = 0 } }, "loop: slice: " },
    { "tesouro", credentials { loop = "uvv" }, "loop: " },
    { "tesouro", credentials { on = { request = 5 } }, "on.request: " },
    { "tesouro", credentials { on = { requests = print } }, "on.requests: unknown; did you mean request?" },
    { "dintero", credentials(), "account: missing; expected an account id: P or T and then 3 or 8 digits" },
    { "dintero", credentials { accounts = {} }, "account" },
    { "dintero", credentials { account = "T123", accounts = { "P123" } }, "account and accounts exclude each other" },
    { "dintero", credentials { accounts = "T123" }, "accounts: expected a list" },
    { "dintero", credentials { accounts = { "T123", "X123" } }, "accounts.2: " },
    { "dintero", credentials { accounts = { "T123", 5 } }, "accounts.2: " },
    { "dintero", credentials { accounts = { 0 / 0 } }, "accounts.1: " },
    { "dintero", credentials { accounts = { [2] = "T123" } }, "account" },
    { "dintero", credentials { accounts = { first = "T123" } }, "account" },
  }
  for _, oid in ipairs { "", "T", "T1", "T12", "T1234", "T1234567", "T123456789", "X123", "t123", "123", "T12a",
    "TT123", "T123 ", " T123", "T123\n", "T123\0", "T-123", "T12/", "../../x", "T1234567８" } do
    mistakes[#mistakes + 1] = { "dintero", credentials { account = oid }, "account: " }
  end
  for number, mistake in ipairs(mistakes) do
    it(("names the mistake %d: %s"):format(number, mistake[3]), function()
      local before = check.copy(mistake[2])
      local message = check.misuse(function() rollcall[mistake[1]](mistake[2]) end, mistake[1] .. ": ", mistake[3])
      check.no_secret(message, { SECRET })
      check.same(before, mistake[2])
    end)
  end

  it("takes every spelling of an account that there is", function()
    for _, oid in ipairs { "T123", "P000", "T12345678", "P87654321" } do
      rollcall.dintero(credentials { account = oid })
    end
  end)

  it("names every mistake at once", function()
    check.misuse(function()
      rollcall.tesouro { token = 5, page = 3, retry = { attempts = 0 } }
    end, "page: unknown", "retry.attempts: ", "token: ")
  end)

  it("keeps its own copy of the options", function()
    local options = { client_id = sandbox.id, client_secret = sandbox.secret, base_url = sandbox.tesouro_url,
      query_names = {}, retry = { base = 0.001 }, on = {} }
    local before = check.copy(options)
    local client = rollcall.tesouro(options)
    assert(client:users({ limit = 1 }):next())
    check.same(before, options)
    options.client_secret, options.base_url = "changed-s3cr3t", "http://127.0.0.1:1"
    assert(client:users({ limit = 1 }):next())
  end)

  it("leads nobody who prints its table to a secret", function()
    local client = sandbox.tesouro()
    assert(client:users({ limit = 1 }):next())
    check.no_secret(client, { sandbox.secret })
    assert.equal("rollcall.client (tesouro)", tostring(client))
    assert.equal("tesouro", client.provider.name)
    assert.equal(sandbox.tesouro_url, client.base_url)
    assert.is_function(client.shared)
    for name in pairs(client) do
      assert.truthy(({ provider = true, base_url = true, loop = true, shared = true })[name], name)
    end
  end)

  it("is freed where a hook of its own knows it", function()
    local alive = setmetatable({}, { __mode = "k" })
    for _ = 1, 20 do
      local client
      client = rollcall.tesouro { token = "tok-7f3a", base_url = "http://127.0.0.1:1", on = { page = function()
        client:close()
      end } }
      alive[client] = true
    end
    collectgarbage()
    collectgarbage()
    local count = 0
    for _ in pairs(alive) do
      count = count + 1
    end
    assert.is_true(count <= 1, count) -- the last may still be on the stack
  end)

  it("hides the password of its proxy", function()
    local client = rollcall.tesouro { token = "tok-7f3a", base_url = "http://127.0.0.1:1", retry = false,
      proxy = "http://someone:p%40ss-hunter@127.0.0.1:1" }
    local _, err = client:users { page_token = "p@ss-hunter p%40ss-hunter" }:next()
    check.failure(err, "network")
    check.no_secret({ err.url, err.message, tostring(err) }, { "ss-hunter" })
  end)

  it("hides the password of the environment's proxy, which may be malformed", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      print(select(2, require("rollcall").tesouro({ token = "tok-7f3a", retry = false,
        base_url = "https://directory.invalid" }):users():next()))
    ]]
    file:close()
    local command = assert(os.getenv "RUN_LUA", "the specs are run by `make test`")
    local pipe = assert(io.popen(("https_proxy='http://user:p#hunter2@proxy.invalid:8080' %s '%s' 2>&1"):format(command,
      script)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(script)
    check.contains(output, "network: ", "proxy")
    assert.is_nil(output:find("hunter2", 1, true), output)
  end)

  -- The scripted server is the proxy: it is asked for whole URLs, of a host that no name server knows.
  local DIRECTORY = "http://directory.invalid"
  local OPTIONS = { token = "tok-7f3a", base_url = DIRECTORY, insecure = true, retry = false }

  local function answer_as_proxy(server)
    server:script { [DIRECTORY .. "/identity/v1/users"] = { { body = '{"data":[{"id":"1"}]}' } } }
  end

  it("goes by its proxy, with the proxy's own credentials", function()
    local server = require("spec.support.server").start()
    answer_as_proxy(server)
    local options = check.copy(OPTIONS)
    options.proxy = server.url:gsub("//", "//someone:p%%40ss@")
    assert.equal("1", assert(rollcall.tesouro(options):users():next()).id)
    local request = server:requests()[1]
    server:stop()
    assert.equal("Basic " .. require("rollcall.base64").encode "someone:p@ss", request.headers["proxy-authorization"])
    assert.equal("Bearer tok-7f3a", request.headers.authorization)
  end)

  --- What an error shows of a proxy that answers with the request it was sent.
  local function shown(variables, proxy)
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local _, err = require("rollcall").tesouro { token = "tok-7f3a", base_url = %q, insecure = true, retry = false,
        proxy = %s }:users():next()
      print(err, err.body)
    ]]):format(DIRECTORY, proxy and ("%q"):format(proxy) or "nil"))
    file:close()
    local command = assert(os.getenv "RUN_LUA", "the specs are run by `make test`")
    local pipe = assert(io.popen(("%s no_proxy= %s '%s' 2>&1"):format(variables, command, script)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(script)
    return output
  end

  it("hides the credentials of a proxy that echoes them, however it is told of it", function()
    local server = require("spec.support.server").start()
    local encode = require("rollcall.base64").encode
    for _, case in ipairs {
      { "someone:p%40ss-hunter", "someone:p@ss-hunter" }, { "key-hunter:", "key-hunter:" },
      { "key-hunter", "key-hunter:" }, { "key%2Dhunter:", "key-hunter:" },
    } do
      local proxy = server.url:gsub("//", function() return "//" .. case[1] .. "@" end)
      local answer = { status = 407, body = ('{"message":"denied: Proxy-Authorization: Basic %s, of %s"}'):format(
        encode(case[2]), case[2]) }
      for _, variables in ipairs { "http_proxy=" .. proxy, "all_proxy=" .. proxy, "ALL_PROXY=" .. proxy, false } do
        server:script { [DIRECTORY .. "/identity/v1/users"] = { answer } }
        local output = shown(variables or "", not variables and proxy or nil)
        check.contains(output, "denied: Proxy-Authorization: Basic [secret]")
        check.no_secret(output, { "hunter", encode(case[2]):sub(1, 8) })
        assert.equal(1, #server:requests())
        assert.equal("Basic " .. encode(case[2]), server:requests()[1].headers["proxy-authorization"])
      end
    end
    server:stop()
  end)

  it("goes by its proxy whatever the environment excepts", function()
    local server = require("spec.support.server").start()
    answer_as_proxy(server)
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(([[
      print(assert(require("rollcall").tesouro { token = "tok-7f3a", base_url = %q, insecure = true, retry = false,
        proxy = %q }:users():next()).id)
    ]]):format(DIRECTORY, server.url))
    file:close()
    local pipe = assert(io.popen(("no_proxy='*' NO_PROXY='*' %s '%s' 2>&1"):format(os.getenv "RUN_LUA", script)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(script)
    server:stop()
    assert.equal("1\n", output)
  end)

  it("takes its proxy from the environment, unless told otherwise", function()
    local server = require("spec.support.server").start()
    answer_as_proxy(server)
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local function first(base_url, proxy)
        local user, err = require("rollcall").tesouro { token = "tok-7f3a", base_url = base_url, insecure = true,
          retry = false, proxy = proxy }:users():next()
        print(user and user.id or err.kind)
      end
      first(%q)
      first(%q, "")
      for _, host in ipairs { "127.0.0.1", "localhost", "[::1]" } do
        first("http://" .. host .. ":1") -- what is for this machine stays on it
      end
    ]]):format(DIRECTORY, DIRECTORY))
    file:close()
    local command = assert(os.getenv "RUN_LUA", "the specs are run by `make test`")
    local pipe = assert(io.popen(("http_proxy=%s no_proxy= %s '%s' 2>&1"):format(server.url, command, script)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(script)
    local requests = server:requests()
    server:stop()
    assert.equal("1\n" .. ("network\n"):rep(4), output)
    assert.equal(1, #requests)
  end)

  it("says how its methods are called", function()
    local client = sandbox.tesouro()
    check.misuse(function() client.users {} end, "users: call it with ':'")
    check.misuse(function() client.users() end, "users: call it with ':'")
    check.misuse(function() client.close() end, "close: call it with ':'")
  end)

  it("looks at no table of its options later, either", function()
    local accounts, names = { "T123" }, { PaginationToken = "PaginationToken" }
    local dintero = sandbox.dintero { accounts = accounts }
    local tesouro = sandbox.tesouro { query_names = names }
    local retry, on, told = { attempts = 1 }, {}, 0
    local mine = rollcall.tesouro { token = "x", base_url = "http://127.0.0.1:1", retry = retry, on = on }
    retry.attempts, retry.base, on.request = 3, 0, function() told = told + 1 end
    local _, err = mine:users():next()
    assert.equal(1, err.attempts)
    assert.equal(0, told)
    accounts[1], accounts[2], names.PaginationToken = "X/../", "P321", "wrong"
    assert.equal(3, dintero:users():count())
    assert.equal(150, tesouro:users({ limit = 150 }):count())
  end)

  it("talks to its base URL with or without a slash at the end", function()
    assert.equal(5, sandbox.tesouro({ base_url = sandbox.tesouro_url .. "/" }):users({ limit = 5 }):count())
  end)

  it("has a tostring that shows no secret", function()
    local client = sandbox.tesouro { client_secret = SECRET }
    check.no_secret(tostring(client), { SECRET })
    check.no_secret(tostring((client:users())), { SECRET })
  end)

  it("takes http to this machine, and anywhere with insecure = true", function()
    for _, address in ipairs { "http://localhost:1", "http://127.0.0.1", "http://[::1]:8080", "http://127.8.8.8/x" } do
      rollcall.tesouro(credentials { base_url = address })
    end
    rollcall.tesouro(credentials { base_url = "http://api.example.com", insecure = true })
  end)
end)

describe("client:users", function()
  it("raises at its caller, naming the option", function()
    local client = sandbox.tesouro()
    check.misuse(function() client:users { status = "active" } end, "tesouro:users: ", "did you mean ACTIVE?")
    check.misuse(function() client:users { page_size = 101 } end, "page_size")
    check.misuse(function() client:users { organization_id = "1" } end, "uuid")
    check.misuse(function() client:users "ALL" end, "expected table")
    local other = sandbox.dintero()
    check.misuse(function() other:users { expand = "roles", status = "ALL" } end, "dintero:users: ", "status: unknown")
    local client_of_accounts = sandbox.dintero { accounts = { "T123" } }
    check.misuse(function() client_of_accounts:users { limit = "x" } end, "limit")
  end)

  it("sends nothing that is wrong", function()
    sandbox.reset()
    local client, other = sandbox.tesouro(), sandbox.dintero()
    for _, query in ipairs { { status = "X" }, { organization_type = "X" }, { organization_id = "" },
      { page_size = 0 }, { page_token = "\r\n" }, { direction = "backward" } } do
      pcall(client.users, client, query)
    end
    for _, query in ipairs { { expand = "x" }, { search = "\0" } } do
      pcall(other.users, other, query)
    end
    core.wait({}, 0.02)
    assert.equal(0, sandbox.stats().tesouro.connections + sandbox.stats().dintero.connections)
  end)

  it("leaves the query's tables alone, and looks at them no more", function()
    local query = { expand = { "roles" }, search = "a" }
    local before = check.copy(query)
    local users = sandbox.dintero({ account = "P321" }):users(query)
    query.expand[1], query.search = "changed", "nobody at all"
    local n = 0
    for user in users do
      n = n + 1
      assert.is_table(user.roles)
    end
    assert.equal(#sandbox.data.dintero.users("P321", { search = "a" }), n)
    query.expand[1], query.search = "roles", "a"
    check.same(before, query)
  end)

  it("makes streams that do not disturb each other", function()
    local client = sandbox.tesouro()
    local first, second = client:users { page_size = 7 }, client:users { status = "INVITED", page_size = 9 }
    local active, invited = sandbox.data.tesouro.users(), sandbox.data.tesouro.users { status = "INVITED" }
    for i = 1, 200 do
      assert.equal(active[i].id, first:next().id)
      assert.equal(invited[i].id, second:next().id)
    end
  end)
end)

describe("client:close", function()
  it("ends streams under way with an error, whatever they wait for", function()
    for _, setting in ipairs { "delay_ms=0", "delay_ms=300" } do
      sandbox.reset(setting)
      local client = sandbox.tesouro()
      local users = client:users { page_size = 5 }
      local fresh = client:users()
      assert(users:next())
      client:close()
      client:close()
      local err
      for _ = 1, 100 do
        local user
        user, err = users:next()
        if user == nil then
          break
        end
      end
      check.failure(err, "closed")
      assert.equal("closed", users:reason())
      local _, other = fresh:next()
      check.failure(other, "closed")
      check.misuse(function() client:users() end, "tesouro:users: the client is closed")
    end
  end)

  if _VERSION == "Lua 5.4" then
    it("is what <close> does", function()
      local client = sandbox.tesouro()
      assert(load "local closing <close> = ...")(client)
      check.misuse(function() client:users() end, "the client is closed")
    end)
  end
end)

describe("a provider of one's own", function()
  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local function declared()
    return {
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      options = { tenant = { pattern = { "^[%w/ ]+$" }, expected = "a name", list = "tenants", required = true } },
      users = {
        path = "/v2/{tenant}/people", items = "/result/people",
        paging = { type = "cursor", query = "after", next = "/result/next", size = "limit", max_size = 200 },
        filters = {
          state = { query = "state", enum = { "on", "off" } },
          tag = { query = "tags", list = "comma" },
          scope = { header = "X-Scope" },
        },
        fields = {
          email = "/contact/email", account_id = { option = "tenant" }, kind = { value = "person" },
          role_names = { each = "/roles", take = "/name" },
        },
      },
    }
  end

  it("is walked like the built-in ones, with its filters, fields and headers", function()
    local mine = declared()
    local before = check.copy(mine)
    server:script { ["/v2/a%20b%2Fc/people"] = {
      { body = '{"result":{"next":"t 2","people":[{"id":1,"contact":{"email":"a@b"},"roles":[{"name":"r"}]}]}}' },
      { body = '{"result":{"people":[{"id":2}],"next":null}}' },
    } }
    local client = rollcall.client(mine, { token = "tok-7f3a", tenant = "a b/c", base_url = server.url })
    local list = client:users({ state = "on", tag = { "x", "y z" }, scope = "all", page_size = 150 }):collect()
    assert.equal(2, #list)
    assert.equal(1, list[1].id)
    assert.equal("a@b", list[1].email)
    assert.same({ "r" }, list[1].role_names)
    assert.equal("person", list[2].kind)
    assert.equal("acme", list[2].provider)
    assert.equal("a b/c", list[2].account_id)
    assert.is_nil(list[2].email)
    local requests = server:requests()
    assert.equal("/v2/a%20b%2Fc/people?state=on&tags=x%2Cy%20z&limit=150", requests[1].target)
    assert.equal("/v2/a%20b%2Fc/people?state=on&tags=x%2Cy%20z&limit=150&after=t%202", requests[2].target)
    assert.equal("all", requests[1].headers["x-scope"])
    check.same(before, mine)
  end)

  it("gets tokens as it declares, with audience and scope", function()
    local mine = declared()
    mine.auth = { type = "client_credentials", path = "/token/{tenant}", body = "form", credentials = "basic",
      audience = "https://acme.example/{tenant}", scope = "users:read" }
    server:script {
      ["/token/t1"] = { { body = '{"access_token":"tok-1"}' } },
      ["/v2/t1/people"] = { { body = '{"result":{"people":[]}}' } },
    }
    local client = rollcall.client(mine, credentials { tenant = "t1", base_url = server.url })
    assert.equal(0, client:users():count())
    local asked = server:requests("/token/t1")[1]
    assert.equal("grant_type=client_credentials&audience=https%3A%2F%2Facme.example%2Ft1&scope=users%3Aread",
      asked.body)
    check.contains(asked.headers.authorization, "Basic ")
  end)

  it("that has no token endpoint needs a token", function()
    local mine = declared()
    check.misuse(function() rollcall.client(mine, credentials { tenant = "t1" }) end, "acme: ", "expected token")
  end)

  it("walks several of its accounts", function()
    server:script {
      ["/v2/t1/people"] = { { body = '{"result":{"people":[{"id":1}]}}' } },
      ["/v2/t2/people"] = { { body = '{"result":{"people":[{"id":2}]}}' } },
    }
    local client = rollcall.client(declared(), { token = "tok-7f3a", tenants = { "t1", "t2" }, base_url = server.url })
    local seen = {}
    for user in client:users() do
      seen[user.id] = user.account_id
    end
    assert.same({ [1] = "t1", [2] = "t2" }, seen)
  end)

  it("may have several options, one of them a list", function()
    local mine = declared()
    mine.options.region = { pattern = { "^%l+$" }, expected = "a region", list = "regions", required = true }
    mine.users.path = "/{region}/{tenant}/people"
    mine.users.fields.region = { option = "region" }
    local script = {}
    for _, place in ipairs { "no/t1", "no/t2", "se/t1" } do
      script["/" .. place .. "/people"] = { { body = '{"result":{"people":[{"id":"' .. place .. '"}]}}' } }
    end
    server:script(script)
    local client = rollcall.client(mine, { token = "tok-7f3a", region = "no", tenants = { "t1", "t2" },
      base_url = server.url })
    local seen = {}
    for user in client:users() do
      seen[#seen + 1] = ("%s %s %s"):format(user.id, user.region, user.account_id)
    end
    table.sort(seen)
    assert.same({ "no/t1 no t1", "no/t2 no t2" }, seen)
    client = rollcall.client(mine, { token = "tok-7f3a", regions = { "no", "se" }, tenant = "t1",
      base_url = server.url })
    seen = {}
    for user in client:users() do
      seen[#seen + 1] = ("%s %s %s"):format(user.id, user.region, user.account_id)
    end
    table.sort(seen)
    assert.same({ "no/t1 no t1", "se/t1 se t1" }, seen)
    check.misuse(function()
      rollcall.client(mine, { token = "x", regions = { "no" }, tenants = { "t1" } })
    end, "regions, tenants: only one of them can be a list")
    check.misuse(function() client:users { page_token = "t" } end, "page_token: ")
  end)

  it("without a way to get tokens takes no credentials", function()
    check.misuse(function() rollcall.client(declared(), credentials { tenant = "t1" }) end, "client_id", "no auth")
    check.misuse(function()
      rollcall.client(declared(), { token = "x", client_id = "y", tenant = "t1" })
    end, "client_id", "no auth")
  end)

  it("is checked when the client is made, and raises at the caller", function()
    check.misuse(function() rollcall.client({ name = "acme" }, { token = "x" }) end, "provider acme:", "users: missing")
    check.misuse(function() rollcall.client("acme", { token = "x" }) end, "acme")
    check.misuse(function() rollcall.client(nil, { token = "x" }) end, "provider")
    check.misuse(function() rollcall.client("../auth", { token = "x" }) end, "../auth")
    check.misuse(function() rollcall.client(declared(), { token = "x", tenant = "a?b" }) end, "tenant: ")
  end)

  it("of the built-in ones goes by name", function()
    local client = rollcall.client("tesouro", { client_id = sandbox.id, client_secret = sandbox.secret,
      base_url = sandbox.tesouro_url })
    assert.equal(3, client:users({ limit = 3 }):count())
  end)
end)
