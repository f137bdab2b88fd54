local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

setup(function()
  sandbox.reset()
end)
teardown(sandbox.restore)

describe("a provider's function", function()
  it("says so where it is called with ':'", function()
    check.misuse(function() rollcall:tesouro { token = "x" } end, "tesouro: call it with '.', as in rollcall.tesouro")
  end)
end)

describe("the module", function()
  it("has what is documented, and nothing else", function()
    local names = {}
    for name, value in pairs(rollcall) do
      names[#names + 1] = name .. " " .. type(value)
    end
    table.sort(names)
    local expected = { "VERSION string", "at function", "client function", "csv function", "dintero function",
      "is_error function", "json function", "merge function", "ndjson function", "null userdata", "pairs function",
      "provider function", "tesouro function", "time table", "totable function", "where function" }
    for _, name in ipairs(expected) do
      local key, kind = name:match "^(%S+) (%S+)$"
      assert.equal(kind, type(rollcall[key]), name)
    end
    for _, name in ipairs(names) do
      assert.truthy(name:find "^[%l_]+ function$" or name == "VERSION string" or name == "null userdata"
        or name == "time table", name)
    end
  end)

  it("loads what a walk does not need once it is asked for", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local rollcall = require "rollcall"
      for _, name in ipairs { "csv", "merge", "ndjson", "time", "where" } do
        assert(not package.loaded["rollcall." .. name], name)
      end
      assert(rollcall.where "status=ACTIVE" { status = "ACTIVE" })
      assert(rollcall.csv and rollcall.ndjson and rollcall.time.parse)
      print "good"
    ]]
    file:close()
    local pipe = assert(io.popen(("%s '%s' 2>&1"):format(assert(os.getenv "RUN_LUA"), script)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(script)
    check.contains(output, "good")
  end)

  it("has a version that it sends", function()
    assert.truthy(rollcall.VERSION:find "^%d+%.%d+%.%d+")
  end)

  it("shares cjson's null", function()
    assert.equal(cjson.null, rollcall.null)
  end)

  it("makes no globals, whatever is done with it", function()
    local lua = rawget(_G, "jit") and "luajit" or "lua5.4"
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local known = {}
      for name in pairs(_G) do known[name] = true end
      local rollcall = require "rollcall"
      local env = os.getenv
      local options = { client_id = env "SANDBOX_CLIENT_ID", client_secret = env "SANDBOX_CLIENT_SECRET" }
      options.base_url = env "SANDBOX_TESOURO_URL"
      local tesouro = rollcall.tesouro(options)
      options.base_url, options.accounts = env "SANDBOX_DINTERO_URL", { "T123", "P321" }
      local dintero = rollcall.dintero(options)
      for user in rollcall.merge { tesouro:users { status = "INVITED" }, dintero:users { expand = { "roles" } } } do
        local _ = user.mfa, user.role_names, rollcall.totable(user), rollcall.json(user)
      end
      for _ in tesouro:users { page_size = 50, limit = 100 }:pages() do end
      local checkpoint = tesouro:users():checkpoint()
      pcall(tesouro.users, tesouro, { nonsense = 1 })
      tesouro:users({ resume = checkpoint }):first()
      options.client_secret = "wrong"
      print(rollcall.dintero(options):users():collect())
      for name in pairs(_G) do
        if not known[name] then print("global " .. name) end
      end
      print "done"
    ]]
    file:close()
    local process = assert(io.popen(("%s %s 2>&1"):format(lua, script)))
    local output = process:read "*a"
    process:close()
    os.remove(script)
    assert.truthy(output:find "done\n$", output)
    assert.is_nil(output:find("global ", 1, true), output)
    check.contains(output, "auth: dintero: ")
    check.no_secret(output, { sandbox.secret })
  end)
end)

describe("a provider by name", function()
  it("is one of the built-in ones", function()
    for _, name in ipairs { "tesouro", "dintero" } do
      local options = { client_id = sandbox.id, client_secret = sandbox.secret,
        account = name == "dintero" and "T123" or nil, base_url = sandbox[name .. "_url"] }
      assert.equal(2, rollcall.client(name, options):users({ limit = 2 }):count())
    end
  end)

  it("that nobody knows raises at the caller", function()
    check.misuse(function() rollcall.client("stripe", { token = "x" }) end, "there is no provider", "stripe")
    package.preload["rollcall.providers.broken"] = function() error "it is broken" end
    check.misuse(function() rollcall.client("broken", { token = "x" }) end, "broken", "it is broken")
    package.preload["rollcall.providers.broken"] = nil
    check.misuse(function() rollcall.tesouro() end, "tesouro: ")
    check.misuse(function() rollcall.dintero {} end, "dintero: ")
  end)
end)

describe("the failure rule", function()
  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local function failing()
    server:script { ["/identity/v1/users"] = { { status = 400, body = '{"message":"no"}' } } }
    return (rollcall.tesouro({ token = "tok-7f3a", base_url = server.url }):users())
  end

  it("a for raises the object that a method answers", function()
    local _, answered = failing():next()
    local good, raised = pcall(function()
      for _ in failing() do
        error "there is no user"
      end
    end)
    assert.is_false(good)
    check.failure(raised, "http", { "tok-7f3a" })
    answered.checkpoint, raised.checkpoint = nil, nil
    check.same(answered, raised)
    good, raised = pcall(function()
      for _ in failing():pages() do
        error "there is no page"
      end
    end)
    assert.is_false(good)
    raised.checkpoint = nil
    check.same(answered, raised)
  end)

  it("every method that does I/O answers nil and the object", function()
    for _, name in ipairs { "next", "collect", "first", "count" } do
      local users = failing()
      local results = { pcall(users[name], users) }
      assert.is_true(results[1])
      assert.is_nil(results[2])
      check.failure(results[3], "http", { "tok-7f3a" })
    end
  end)

  it("what went well answers no error", function()
    local users = sandbox.tesouro():users { limit = 3 }
    local user, err = users:next()
    assert.is_not_nil(user)
    assert.is_nil(err)
    local list
    list, err = users:collect()
    assert.equal(2, #list)
    assert.is_nil(err)
  end)

  it("is_error tells the object from everything else", function()
    local _, err = failing():next()
    assert.is_true(rollcall.is_error(err))
    for _, value in ipairs { "http: no", 5, {}, { kind = "http", message = "no" }, setmetatable({}, {}), print } do
      assert.is_false(rollcall.is_error(value))
    end
    assert.is_false(rollcall.is_error(nil))
  end)

  it("misuse raises a text, and not an object", function()
    local good, err = pcall(function() rollcall.tesouro { token = 5 } end)
    assert.is_false(good)
    assert.equal("string", type(err))
  end)
end)

describe("a user", function()
  local user, expected, text
  setup(function()
    sandbox.reset()
    local list, texts = sandbox.data.dintero.users("P321", { expand_roles = true })
    for i, one in ipairs(list) do -- one with as much in it as there can be
      if type(one.roles) == "table" and #one.roles > 0 and type(one.configuration) == "table" then
        expected, text = one, texts[i]
        break
      end
    end
    for one in sandbox.dintero({ account = "P321" }):users { expand = "roles" } do
      if one.id == expected.id then
        user = one
      end
    end
  end)

  it("is its text, its table and its fields", function()
    assert.equal(text, rollcall.json(user))
    assert.equal(text, tostring(user))
    check.same(expected, rollcall.totable(user))
    assert.equal(expected.email, user.email)
    check.same(expected.roles[1].name, rollcall.at(user, "/roles/0/name"))
    assert.is_nil(user.nothing)
    assert.is_nil(user[1])
    assert.is_nil(rollcall.at(user, "/roles/99/name"))
  end)

  it("goes through cjson and back", function()
    check.same(expected, cjson.decode(cjson.encode(rollcall.totable(user))))
  end)

  it("is read-only, and its tables are its reader's own", function()
    assert.has_error(function() user.email = "x" end)
    user.roles[1].name = "changed"
    rollcall.totable(user).email = "changed"
    check.same(expected, rollcall.totable(user))
  end)

  it("is iterated by rollcall.pairs, and by pairs where the Lua can", function()
    local names = {}
    for name, value in rollcall.pairs(user) do
      names[name] = true
      assert.not_equal(rollcall.null, value)
    end
    for name, value in pairs(expected) do
      assert.equal(value ~= rollcall.null, names[name] == true, name)
    end
    if _VERSION == "Lua 5.4" then
      local count = 0
      for name in pairs(user) do
        count = count + 1
        assert.is_true(names[name])
      end
      assert.is_true(count > 5)
    end
  end)

  it("keeps integers integers where the Lua has them", function()
    local decoder = core.decoder { items = "" }
    assert(decoder:feed '[{"n":9007199254740993,"f":1.0,"e":1e2}]')
    local it = decoder:next()
    if math.type then -- luacheck: ignore
      assert.equal("9007199254740993", tostring(it.n))
      assert.equal("float", math.type(it.f)) -- luacheck: ignore
    else
      assert.equal(9007199254740992, it.n)
    end
    assert.equal(1, it.f)
    assert.equal(100, it.e)
  end)

  it("is told from what is none", function()
    for _, name in ipairs { "json", "totable", "pairs" } do
      for _, wrong in ipairs { {}, "x", 5, io.stdout } do
        local good, err = pcall(rollcall[name], wrong)
        assert.is_false(good)
        check.contains(err, "expected a user")
      end
    end
  end)
end)

describe("another loop", function()
  it("is asked to wait, with engines and seconds", function()
    local waits = 0
    local client = sandbox.tesouro { loop = { wait = function(engines, seconds)
      waits = waits + 1
      assert.is_table(engines)
      assert.is_true(seconds >= 0)
      core.wait(engines, seconds)
    end } }
    assert.equal(150, client:users({ limit = 150 }):count())
    assert.is_true(waits > 0)
    waits = 0
    local dintero = sandbox.dintero { accounts = { "T123", "P321" }, loop = client.loop }
    assert.equal(48, dintero:users():count())
    assert.is_true(waits > 0)
  end)
end)

describe("secrets", function()
  it("are in no error, no hook, no checkpoint and no tostring of a whole life", function()
    local said = {}
    local function say(value)
      said[#said + 1] = tostring(value)
      if type(value) == "table" then
        said[#said + 1] = check.copy(value)
      end
    end
    local tokens = {}
    local on = { request = say, response = say, retry = say, page = say }
    for _, make in ipairs { sandbox.tesouro, sandbox.dintero } do
      sandbox.reset()
      local client = make { on = on }
      say(client)
      local users = client:users()
      say(users)
      say(users:next())
      tokens[#tokens + 1] = users.source().pages[1].exchange.authorization[1]:match "Bearer (.+)$"
      say(users:checkpoint())
      say(users:stats())
      sandbox.configure "revoke=1"
      say(users:count())
      users = make({ client_secret = "wrong-hunter22", on = on }):users()
      local _, err = users:next()
      say(err)
      sandbox.configure "dintero_rate_limit=1&rate_limit=1"
      local limited = make({ retry = false, on = on }):users()
      for _ = 1, 3 do
        local _, failed = limited:next()
        say(failed)
      end
      sandbox.reset()
      pcall(function() make { client_secret = "wrong-hunter22\n" } end)
      local _, raised = pcall(make, { client_secret = "wrong-hunter22\n" })
      say(raised)
    end
    assert.is_true(#tokens >= 2)
    local secrets = { sandbox.secret, "wrong-hunter22", "not%2Bsecret", "c2FuZGJveC1jbGllbnQ6" }
    for _, token in ipairs(tokens) do
      secrets[#secrets + 1] = token
    end
    check.no_secret(said, secrets)
  end)
end)
