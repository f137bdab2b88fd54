-- What happens to a connection of HTTP/2, by a server that does what nginx never does.

local check = require "spec.support.check"
local cjson = require "cjson"
local command = require "spec.support.command"
local core = require "rollcall.core"
local finalizer = require "spec.support.finalizer"
local foreign = require "spec.support.foreign"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

local NETWORK, INTERNAL_ERROR, HTTP_1_1_REQUIRED = "network", 2, 13

local script_file, journal_file, server, url

setup(function()
  script_file, journal_file = os.tmpname(), os.tmpname()
  local tls = sandbox.ca_file:match "^(.*)/[^/]*$"
  server = foreign.start("http2_server.py", tls .. "/server.pem", tls .. "/server.key", script_file, journal_file)
  url = server.address:gsub("^http:", "https:")
end)
teardown(function()
  server:stop()
  os.remove(script_file)
  os.remove(journal_file)
end)

--- From now on the server answers so.
local function script(h2, h1)
  command.write(script_file, cjson.encode { h2 = h2, h1 = h1 or { { status = 500 } }, is_new = true })
  command.write(journal_file, "")
end

local function page(first, last, cursor)
  local users = {}
  for id = first, last do
    users[#users + 1] = ('{"id":%d}'):format(id)
  end
  return ('{"data":[%s],"next":%s}'):format(table.concat(users, ","), cursor and '"' .. cursor .. '"' or "null")
end

local function client(options)
  local all = { base_url = url, token = "hunter22-token", ca_file = sandbox.ca_file, proxy = "",
    retry = { base = 0.001 } }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return rollcall.client({ name = "acme", base_url = { production = "https://acme.example" },
    users = { path = "/users", items = "/data", paging = { type = "cursor", query = "after", next = "/next" } } }, all)
end

--- The ids of a walk, and what it ended with.
local function walk(options)
  local ids, stream = {}, (client(options):users())
  local user, err = stream:next()
  while user do
    ids[#ids + 1] = user.id
    user, err = stream:next()
  end
  return table.concat(ids, " "), err, stream:stats()
end

describe("a connection of HTTP/2", function()
  it("carries a walk, one stream a page", function()
    script { { body = page(1, 2, "b") }, { body = page(3, 4) } }
    local ids, err = walk()
    assert.is_nil(err)
    assert.equal("1 2 3 4", ids)
    local first, second = command.read(journal_file):match "^(h2 %d+)\n(h2 %d+)\n$"
    assert.equal(first, second)
  end)

  it("that falls silent is left: what is sent again goes to a new one", function()
    script { { body = page(1, 2, "b") }, { mute = true }, { body = page(3, 4, "c") }, { body = page(5, 6) } }
    local ids, err, stats = walk { idle_timeout = 2 }
    assert.is_nil(err)
    assert.equal("1 2 3 4 5 6", ids)
    assert.equal(1, stats.retries)
    local a, b, c, d = command.read(journal_file):match "^(h2 %d+)\n(h2 %d+)\n(h2 %d+)\n(h2 %d+)\n$"
    assert.equal(a, b)
    assert.is_true(b ~= c)
    assert.equal(c, d)
  end)

  it("that falls silent with several walks on it is left by all of them", function()
    script { { body = page(1, 2, "b") }, { mute = true }, { body = page(3, 4) } }
    local one = client { idle_timeout = 2 }
    assert(one:users():first()) -- so that there is a connection to share
    local streams = {}
    for i = 1, 3 do
      streams[i] = (one:users { page_token = "x" .. i })
    end
    local list = assert(rollcall.merge(streams):collect())
    assert.equal(6, #list)
    assert.is_true(#command.lines(command.read(journal_file)) <= 8)
  end)

  it("whose stream breaks off is asked again, for who had not come", function()
    for _, after in ipairs { 0, 20, 25 } do
      script { { body = page(1, 5, "b") }, { body = page(6, 9), rst = INTERNAL_ERROR, after = after },
        { body = page(6, 9) } }
      local ids, err, stats = walk()
      assert.is_nil(err)
      assert.equal("1 2 3 4 5 6 7 8 9", ids)
      assert.equal(1, stats.retries)
    end
  end)

  it("that wants HTTP/1.1 after the headers gives the answer of 1.1", function()
    local refused = { rst = HTTP_1_1_REQUIRED }
    script({ { body = page(1, 2, "b") }, refused }, { { body = page(3, 4) } })
    local ids, err = walk()
    assert.is_nil(err)
    assert.equal("1 2 3 4", ids)
    script({ { body = page(1, 2, "b") }, refused }, { { status = 429, body = '{"data":[]}' } })
    ids, err = walk { retry = { base = 0.001, attempts = 2 } }
    check.failure(err, "rate_limit")
    assert.equal(429, err.status)
    assert.equal("1 2", ids)
  end)

  it("that wants HTTP/1.1 leaves headers alone that a script is reading", function()
    script({ { filler = 8000, rst = HTTP_1_1_REQUIRED, delay = 0.1 } }, { { filler = 40000 } })
    local engine = core.engine()
    local transfer = assert(engine:request { url = url, ca_file = sandbox.ca_file, proxy = "" })
    local function wait_until(is_there)
      for _ = 1, 200 do
        if is_there() then
          return
        end
        core.wait({ engine }, 0.05)
      end
      error "it never comes"
    end
    wait_until(function() return transfer:status() end)
    local before = transfer:headers()
    assert.is_false(transfer:done())
    local in_the_middle
    finalizer.call_until_finalized(function()
      in_the_middle = transfer:headers()
    end, function()
      wait_until(function() return transfer:done() end)
    end)
    assert.is_true(in_the_middle == before or #in_the_middle > 40000) -- either whole
    assert.is_true(#transfer:headers() > 40000)
    engine:close()
  end)

  it("that wants HTTP/1.1 in the middle of a body does not make one of both", function()
    local whole = page(3, 6)
    for after = 1, #whole - 1 do
      script({ { body = page(1, 2, "b") }, { body = whole, rst = HTTP_1_1_REQUIRED, after = after },
        { body = whole } }, { { body = whole } })
      local ids, err, stats = walk()
      assert.is_nil(err)
      assert.equal("1 2 3 4 5 6", ids)
      assert.equal(1, stats.retries)
    end
    script({ { body = page(1, 2, "b") }, { body = whole, rst = HTTP_1_1_REQUIRED, after = 15 } }, { { body = whole } })
    local ids, err = walk { retry = false }
    check.failure(err, NETWORK)
    check.contains(err.message, "requires HTTP/1.1")
    assert.is_nil(ids:find("nil", 1, true))
  end)
end)
