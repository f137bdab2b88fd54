local cjson = require "cjson"

local check = require "spec.support.check"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"
local scripted = require "spec.support.server"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"

local copy

setup(function()
  cli.begin()
  copy = cli.path "users.ndjson"
end)
teardown(cli.finish)
before_each(function()
  sandbox.reset()
  os.execute(("rm -f %s/*"):format(cli.path()))
end)

--- Runs the example, by default with the sandbox: the lines of its output by their first word, complaints, status.
local function run(variables)
  local process = assert(io.popen(("env -u TESOURO_CLIENT_ID %s %s examples/sync_users.lua %s 2>%s/errors; echo $?")
    :format(variables or "", LUA, copy, cli.path())))
  local output, status = process:read("*a"):match "^(.-)(%d+)\n$"
  process:close()
  local told = { joined = {}, changed = {}, left = {} }
  for change, line in output:gmatch "(%w+) ([^\n]*)\n" do
    table.insert(told[change], cjson.decode(line))
  end
  return told, command.read(cli.path "errors"), tonumber(status)
end

local function exists(name)
  local file = io.open(name)
  return file ~= nil and file:close() ~= nil
end

local function ids_of(list)
  local ids = {}
  for i, user in ipairs(list) do
    ids[i] = user.id
  end
  table.sort(ids)
  return ids
end

describe("examples/sync_users.lua", function()
  local all = ids_of((sandbox.data.tesouro.users { status = "ALL" }))

  it("tells of everybody once, and then of nobody", function()
    local told, errors, status = run()
    assert.equal("", errors)
    assert.equal(0, status)
    check.same(all, ids_of(told.joined))
    assert.is_false(exists(copy .. ".part") or exists(copy .. ".checkpoint") or exists(copy .. ".new"))
    told, errors, status = run()
    assert.equal("", errors)
    assert.equal(0, status)
    check.same({ joined = {}, changed = {}, left = {} }, told)
  end)

  it("goes on behind those who had come, and takes nobody for gone meanwhile", function()
    local server = scripted.start()
    local variables = ("SANDBOX_TESOURO_URL=%s"):format(server.url)
    local function pages(...)
      local script = { ["/openid/connect/token"] = { { body = '{"access_token":"t-0123456789","expires_in":3600}' } } }
      for i, answer in ipairs { ... } do
        local query = "?Status=ALL&Limit=100"
        script["/identity/v1/users" .. (i == 1 and query or ("?Status=ALL&Limit=100&PaginationToken=%d"):format(i))] =
          { answer }
      end
      server:script(script)
    end
    local function page(token, ...)
      local users = {}
      for i, id in ipairs { ... } do
        users[i] = ('{"id":"%s","email":"%s@acme.example"}'):format(id, id)
      end
      return { body = ('{"data":[%s],"nextPaginationToken":%s}'):format(table.concat(users, ","), token) }
    end
    pages(page('"2"', "a", "b"), page("null", "c", "d"))
    check.same({ "a", "b", "c", "d" }, ids_of(run(variables).joined))

    pages(page('"2"', "a", "e"), { status = 400, body = '{"message":"not now"}' })
    local told, errors, status = run(variables)
    check.same({ joined = {}, changed = {}, left = {} }, told)
    check.contains(errors, "not now", "goes on behind the 2 users that have come")
    assert.equal(1, status)

    local part = command.read(copy .. ".part")
    local file = assert(io.open(copy .. ".part", "ab"))
    file:write('{"id":"z","ema') -- which a kill had cut off
    file:close()
    assert.equal(2, select(2, part:gsub("\n", "")))
    pages({ status = 400 }, page("null", "c"))
    told, errors, status = run(variables)
    assert.equal("", errors)
    assert.equal(0, status)
    check.same({ "e" }, ids_of(told.joined))
    check.same({ "b", "d" }, ids_of(told.left))
    assert.is_false(exists(copy .. ".part") or exists(copy .. ".checkpoint"))
    server:stop()
  end)
end)
