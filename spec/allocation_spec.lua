-- What Lua allocates for each user that a script is given: the user, and nothing beside it.

local core = require "rollcall.core"
local rollcall = require "rollcall"

local COUNT = 2000
local ACCOUNT = "T12345678"
local TEXT = [[{"id":"7e55","email":"ada@example.com","name":"Ada","roles":["a","b"],"deleted_at":null}]]
local BODY = "[" .. (TEXT .. ","):rep(COUNT + 500) .. TEXT .. "]"
-- Less than any table or closure takes; what a walk does now and then, a merge every 32 users, is spread over them.
local NOTHING = 24

local server, jit = nil, rawget(_G, "jit")
setup(function()
  server = require("spec.support.server").start()
  if jit then
    jit.off() -- what it compiles is counted, too
  end
end)
teardown(function()
  server:stop()
  if jit then
    jit.on()
  end
end)

--- Bytes that Lua allocates for each of many calls, the first ones left out.
local function bytes_a_call(call)
  for _ = 1, 100 do
    assert(call() ~= nil)
  end
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  for _ = 1, COUNT do
    call()
  end
  local bytes = (collectgarbage "count" - before) * 1024 / COUNT
  collectgarbage "restart"
  assert(call() ~= nil)
  return bytes
end

--- What a record of these users takes, by the decoder alone.
local function record_size()
  local decoder = core.decoder { items = "" }
  assert(decoder:feed(BODY))
  return bytes_a_call(function()
    return decoder:next()
  end)
end

local function users(options)
  server:script { [("/v1/accounts/%s/management/users"):format(ACCOUNT)] = { { body = BODY } } }
  options = options or { account = ACCOUNT }
  options.base_url, options.token, options.watermark, options.proxy = server.url, "tok", 2 ^ 24, ""
  local stream = rollcall.dintero(options):users()
  return stream
end

local function near(expected, bytes)
  if math.abs(bytes - expected) > NOTHING then
    error(("%.1f bytes a user, not %.1f"):format(bytes, expected), 2)
  end
end

describe("what a user allocates", function()
  it("is one userdata, in a for and by next", function()
    local size = record_size()
    assert.is_true(size > #TEXT and size < #TEXT + 160)
    local stream = users()
    near(size, bytes_a_call(function() return (stream()) end))
    stream = users()
    near(size, bytes_a_call(function() return (stream:next()) end))
  end)

  it("is the same in a merge, of accounts too", function()
    local size = record_size()
    local merged = rollcall.merge { (users()) }
    near(size, bytes_a_call(function() return (merged()) end))
    local accounts = users { accounts = { ACCOUNT } }
    near(size, bytes_a_call(function() return (accounts()) end))
  end)

  it("is nothing by values: only what texts are new", function()
    local iterator = users():values("id", "email", "name")
    near(0, bytes_a_call(function() return (iterator()) end))
    iterator = users():values("absent", "/roles/0")
    near(0, bytes_a_call(function() return (iterator()) end))
  end)
end)
