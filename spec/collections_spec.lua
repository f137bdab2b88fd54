-- Collections beside users: those of the built-in providers, and of a table.

local check = require "spec.support.check"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local data = sandbox.data
local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"

before_each(function()
  sandbox.reset()
end)
teardown(sandbox.restore)

local function ids_of(stream)
  local ids = {}
  for one in stream do
    ids[#ids + 1] = one.id
  end
  return ids
end

local function ids_in(list)
  local ids = {}
  for i, one in ipairs(list) do
    ids[i] = one.id or one.account_id
  end
  return ids
end

describe("Tesouro's organizations", function()
  it("come all, in pages of any size, both ways", function()
    for _, size in ipairs { 1, 3, 10, 100 } do
      check.same(ids_in(data.tesouro.related {}), ids_of((sandbox.tesouro():organizations { page_size = size })))
    end
    local tokens = {}
    for _, page in sandbox.tesouro():organizations({ page_size = 4 }):pages() do
      tokens[#tokens + 1] = page.token or "first"
    end
    assert.equal(3, #tokens)
    local back = ids_of((sandbox.tesouro():organizations { page_size = 4, page_token = tokens[3],
      direction = "backward" }))
    local all = ids_in(data.tesouro.related {})
    for i = 1, #all do
      assert.equal(all[i], back[#all + 1 - i])
    end
  end)

  it("have the fields of their own, and a name", function()
    local one = assert(sandbox.tesouro():organizations():first())
    local expected = data.tesouro.related({})[1]
    check.same(expected, rollcall.totable(one))
    assert.equal(expected.displayName, one.name)
    assert.equal("tesouro", one.provider)
  end)

  it("take their own filters", function()
    local root = data.tesouro.root
    for _, filter in ipairs { { status = "ALL" }, { status = "INACTIVE" }, { type = "EMBEDDED" } } do
      check.same(ids_in(data.tesouro.related(filter)), ids_of((sandbox.tesouro():organizations(filter))))
    end
    check.same(ids_in(data.tesouro.related { parent = root }),
      ids_of((sandbox.tesouro():organizations { parent_organization_id = root })))
    check.same(ids_in(data.tesouro.related { id = root }),
      ids_of((sandbox.tesouro():organizations { organization_id = root })))
    check.misuse(function() sandbox.tesouro():organizations { status = "INVITED" } end,
      "tesouro:organizations: ", "status: ")
    check.misuse(function() sandbox.tesouro():organizations { organization_type = "BANK" } end,
      "organization_type: unknown")
  end)
end)

describe("Dintero's accounts", function()
  it("are a partner's merchants, all of them, in pages of any size", function()
    local merchants = data.dintero.merchants_of(data.dintero.partner.id)
    assert.equal(23, #merchants)
    for _, size in ipairs { 1, 7, 23, 100 } do
      check.same(ids_in(merchants), ids_of((sandbox.dintero({ account = data.dintero.partner.id })
        :accounts { page_size = size })))
    end
    assert.equal(0, sandbox.dintero():accounts():count())
  end)

  it("have the fields of their own, an id and a name", function()
    local one = assert(sandbox.dintero({ account = data.dintero.partner.id }):accounts():first())
    local expected = data.dintero.merchants_of(data.dintero.partner.id)[1]
    check.same(expected, rollcall.totable(one))
    assert.equal(expected.account_id, one.id)
    assert.equal(expected.company.business_name, one.name)
  end)

  it("are asked for by the paging_token of the last one", function()
    local merchants = data.dintero.merchants_of(data.dintero.partner.id)
    local users = sandbox.dintero({ account = data.dintero.partner.id }):accounts { page_size = 10, prefetch = 0 }
    for _ = 1, 11 do
      assert(users:next())
    end
    local asked = sandbox.log("GET", "dintero")
    assert.equal(2, #asked)
    check.contains(asked[2].uri or asked[2].target or require("cjson").encode(asked[2]),
      (merchants[10].paging_token:gsub("[/+=]", { ["/"] = "%2F", ["+"] = "%2B", ["="] = "%3D" })))
  end)
end)

describe("Dintero's roles", function()
  it("come all, by id where there is no paging_token", function()
    local function expected(is_deleted_too)
      local list = {}
      for _, role in ipairs(data.dintero.roles "P321") do
        list[#list + 1] = (is_deleted_too or not role.deleted_at) and role.id or nil
      end
      return list
    end
    for _, size in ipairs { 1, 10, 100 } do
      check.same(expected(false), ids_of((sandbox.dintero({ account = "P321" }):roles { page_size = size })))
    end
    check.same(expected(true), ids_of((sandbox.dintero({ account = "P321" }):roles { include_deleted = true })))
    assert.equal("P321", sandbox.dintero({ account = "P321" }):roles():first().account_id)
    check.misuse(function() sandbox.dintero():roles { include_deleted = "yes" } end, "dintero:roles: ",
      "include_deleted: expected boolean")
  end)

  it("come of several accounts at once", function()
    local accounts = { "P321", "T123", "P87654321" }
    local count = 0
    for _, account in ipairs(accounts) do
      for _, role in ipairs(data.dintero.roles(account)) do
        count = count + (role.deleted_at and 0 or 1)
      end
    end
    assert.equal(count, sandbox.dintero({ accounts = accounts }):roles():count())
  end)
end)

describe("a checkpoint", function()
  it("is of one collection", function()
    local users = sandbox.tesouro():organizations { page_size = 5 }
    assert(users:next())
    local saved = users:checkpoint()
    assert.equal(#data.tesouro.related {} - 1,
      sandbox.tesouro():organizations({ page_size = 5, resume = saved }):count())
    check.misuse(function() sandbox.tesouro():users { page_size = 5, resume = saved } end,
      "tesouro:users: resume: ", "collection organizations, not users")
  end)
end)

describe("a collection of a table", function()
  it("is a method of the client, and no other name is", function()
    local one = { path = "/things", items = "", paging = { type = "none" } }
    local client = rollcall.client({ name = "acme", base_url = { production = "https://acme.example" },
      collections = { things = one, others = one } }, { token = "t" })
    assert.is_function(client.things)
    assert.is_function(client.others)
    assert.is_nil(client.users)
    assert.is_nil(client.thing)
    check.misuse(function() client.things { limit = 1 } end, "things: call it with ':'")
    check.misuse(function() client:things { colour = 1 } end, "acme:things: colour: unknown")
    client:close()
    check.misuse(function() client:others() end, "acme:others: the client is closed")
  end)
end)

describe("examples/all_accounts.lua", function()
  local function run(variables)
    local process = assert(io.popen(("env -u DINTERO_CLIENT_ID -u DINTERO_ACCOUNT %s %s examples/all_accounts.lua 2>&1")
      :format(variables or "", LUA)))
    local output = process:read "*a"
    process:close()
    return output
  end

  it("lists every user of every merchant once", function()
    local expected, got = {}, {}
    for _, account in ipairs(data.dintero.merchants_of(data.dintero.partner.id)) do
      for _, user in ipairs((data.dintero.users(account.account_id))) do
        expected[#expected + 1] = account.account_id .. "\t" .. user.email
      end
    end
    for line in run():gmatch "[^\n]+" do
      got[#got + 1] = line:match "^(.*)\t%u+$" or line
    end
    table.sort(expected)
    table.sort(got)
    assert.is_true(#expected > 500)
    check.same(expected, got)
  end)

  it("says so where there are no merchants", function()
    assert.equal("the account has no merchants\n", run "DINTERO_ACCOUNT=T12300001")
  end)

  it("walks a merchant once that is listed twice", function()
    local server = require("spec.support.server").start()
    local function merchants(...)
      local list = {}
      for i, id in ipairs { ... } do
        list[i] = ('{"account_id":"%s"}'):format(id)
      end
      return { body = "[" .. table.concat(list, ",") .. "]" }
    end
    server:script {
      ["/v1/accounts/T12300000/auth/token"] = { { body = '{"access_token":"t1","expires_in":900}' } },
      ["/v1/accounts/T12300001/auth/token"] = { { body = '{"access_token":"t2","expires_in":900}' } },
      ["/v1/accounts/T12300002/auth/token"] = { { body = '{"access_token":"t3","expires_in":900}' } },
      ["/v1/accounts/T12300003/auth/token"] = { { body = '{"access_token":"t4","expires_in":900}' } },
      ["/v1/accounts/T12300003/management/users"] = { { body = "[]" } },
      ["/v1/accounts/T12300000/management/accounts"] = { merchants("T12300001", "T12300002"),
        merchants("T12300002", "T12300003"), { body = "[]" } },
      ["/v1/accounts/T12300001/management/users"] = { { body = '[{"id":"1","email":"ada@acme.example"}]' } },
      ["/v1/accounts/T12300002/management/users"] = { { body = '[{"id":"2","email":"bob@acme.example"}]' } },
    }
    local output = run("SANDBOX_DINTERO_URL=" .. server.url)
    server:stop()
    local lines = {}
    for line in output:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    table.sort(lines)
    assert.same({ "T12300001\tada@acme.example\tACTIVE", "T12300002\tbob@acme.example\tACTIVE" }, lines)
  end)

  it("walks the accounts concurrently", function()
    sandbox.configure "delay_ms=300"
    local core = require "rollcall.core"
    local began = core.now()
    run()
    -- Twenty-three accounts one after the other are 7 s of delay alone.
    assert.is_true(core.now() - began < 6)
    assert.equal(23, sandbox.stats().dintero.user_requests)
  end)

  it("fails in a line where the credentials are wrong", function()
    local output = run "SANDBOX_CLIENT_SECRET=hunter22-wrong"
    check.contains(output, "auth: ", "401")
    check.no_secret(output, { "hunter22-wrong" })
  end)
end)
