-- What is kept while users go by: nothing of those that were let go.

local core = require "rollcall.core"

local instrumented = package.cpath:find("%-asan/") or package.cpath:find("%-valgrind/")

local function collected()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

-- The resident memory of this process in KiB; nil where it cannot be told, or says nothing.
local function resident()
  local file = not instrumented and io.open "/proc/self/statm"
  if not file then
    return nil
  end
  local pages = file:read "*a":match "^%d+ (%d+)"
  file:close()
  return tonumber(pages) * 4
end

local function bounded(limit, before, after)
  if before and after - before >= limit then
    error(("it grew by %d KiB"):format(after - before), 2)
  end
end

local function text_of(number)
  return ([[{"id":%d,"email":"user%d@example.com","name":"Ren\u00e9e %d","roles":["a","b"],"address":{"city":"Oslo"}}]])
    :format(number, number, number)
end

-- Walks `count` users of one array, some hundred in a chunk.
local function walk(count, f)
  local decoder = core.decoder { items = "/data", capture = { "/next" } }
  assert(decoder:feed '{"data":[')
  local number, taken = 0, 0
  while number < count do
    local parts = {}
    for i = 1, 250 do
      number = number + 1
      parts[i] = text_of(number)
    end
    assert(decoder:feed((number > 250 and "," or "") .. table.concat(parts, ",")))
    for user in decoder.next, decoder do
      taken = taken + 1
      f(user, taken)
    end
  end
  assert(decoder:feed '],"next":null}')
  assert(decoder:finish())
  return taken
end

describe("walking 100,000 users", function()
  it("leaves nothing behind, whatever is read of them", function()
    local readings = {
      nothing = function() end,
      fields = function(user)
        return user.email, user.name, user.absent
      end,
      tables = function(user)
        return user.roles, user.address
      end,
      all = core.totable,
      text = core.json,
    }
    for name, reading in pairs(readings) do
      local residents, least = {}, math.huge
      -- Twice: between two collections garbage may grow to the size of all that lives here, which is much; and what
      -- grows once, such as the Lua's own table of strings (64 KiB at a time), is no leak. A leak grows both times.
      for pass = 1, 2 do
        local early, late
        assert.equal(100000, walk(100000, function(user, number)
          reading(user)
          if number == 10000 then
            early = collected()
          elseif number == 100000 then
            late, residents[pass] = collected(), resident()
          end
        end))
        least = math.min(least, late - early)
      end
      assert.is_true(least < 64, ("%s: it grew by %.0f KiB each time"):format(name, least))
      bounded(4096, residents[1], residents[2])
    end
  end)

  it("keeps those, and only those, that the reader keeps", function()
    local before = collected()
    local kept = {}
    walk(100000, function(user, number)
      if number % 100 == 0 then
        kept[#kept + 1] = user
      end
    end)
    local with_kept = collected()
    assert.equal(1000, #kept)
    for i, user in ipairs(kept) do
      assert.equal(i * 100, user.id)
      assert.equal(text_of(i * 100), core.json(user))
    end
    -- A user is its text, its fields and little more.
    assert.is_true(with_kept - before < 1000 * (#text_of(100000) + 5 * 16 + 200) / 1024)
    kept = nil -- luacheck: ignore
    assert.is_true(collected() - before < 64)
  end)

  it("of as many pages as that takes, leaves nothing either", function()
    local page = {}
    for i = 1, 100 do
      page[i] = text_of(i)
    end
    local body = '{"data":[' .. table.concat(page, ",") .. '],"next":"abc"}'
    local early, late, early_resident, late_resident
    for number = 1, 1000 do
      local decoder = core.decoder { items = "/data", capture = { "/next" } }
      assert(decoder:feed(body))
      for user in decoder.next, decoder do
        assert(user.id)
      end
      assert(decoder:finish())
      assert(decoder:captured "/next" == "abc")
      if number == 200 then
        early, early_resident = collected(), resident()
      elseif number == 1000 then
        late, late_resident = collected(), resident()
      end
    end
    assert.is_true(late - early < 64)
    bounded(8192, early_resident, late_resident)
  end)
end)

describe("a decoder", function()
  it("keeps nothing of the users that were taken, however long the array", function()
    local chunk = {}
    for i = 1, 500 do
      chunk[i] = text_of(i)
    end
    local text = table.concat(chunk, ",")
    local decoder = core.decoder { items = "" }
    assert(decoder:feed("[" .. text))
    local before
    for round = 1, 1000 do
      assert(decoder:feed "," and decoder:feed(text))
      for _ in decoder.next, decoder do end
      if round == 100 then
        collectgarbage()
        before = resident()
      end
    end
    collectgarbage()
    bounded(4096, before, resident())
    assert(decoder:feed "]")
    assert.is_true(decoder:finish())
  end)

  it("keeps nothing of what stands beside the users", function()
    local decoder = core.decoder { items = "/data" }
    assert(decoder:feed '{"before":[0')
    local before = resident()
    local filler = (',{"a":["b",1]}'):rep(10000)
    for _ = 1, 300 do
      assert(decoder:feed(filler))
    end
    bounded(4096, before, resident())
    assert(decoder:feed '],"data":[{"id":1}],"after":[0')
    assert.equal(1, decoder:next().id)
    for _ = 1, 300 do
      assert(decoder:feed(filler))
    end
    bounded(4096, before, resident())
    assert(decoder:feed "]}")
    assert.is_true(decoder:finish())
  end)

  it("gives its memory back when it is collected", function()
    local body = "[" .. text_of(1) .. (" "):rep(2 ^ 20) .. "," .. ("%s,"):format(text_of(2)):rep(5000) .. "{}]"
    local before, base = nil, nil
    for round = 1, 60 do
      local decoder = core.decoder { items = "" }
      assert(decoder:feed(body))
      assert(decoder:next())
      decoder = nil -- luacheck: ignore
      local count = collected()
      if round == 5 then
        before, base = resident(), count
      end
      if base then
        assert.is_true(count - base < 64)
      end
    end
    bounded(8192, before, resident())
  end)

  it("that fails gives its memory back, too", function()
    local base
    for round = 1, 2000 do
      local decoder = core.decoder { items = "/data", capture = { "/a", "/b" } }
      assert.is_nil(decoder:feed('{"a":"x","b":"y","data":[' .. text_of(round) .. ",]}"))
      if round == 100 then
        base = collected()
      end
    end
    assert.is_true(collected() - base < 64)
  end)
end)

describe("an engine", function()
  it("gives back what its transfers took", function()
    local engine = core.engine()
    local base, before
    for round = 1, 600 do
      local transfer = engine:request { url = "http://127.0.0.1:1/", proxy = "", body = ("b"):rep(10000),
        headers = { "X-A: " .. ("h"):rep(1000) }, decoder = core.decoder { items = "" } }
      if round % 3 ~= 0 then
        while not transfer:done() do
          core.wait({ engine }, 5)
        end
      end
      if round == 100 then
        base, before = collected(), resident()
      end
    end
    assert.is_true(collected() - base < 64)
    bounded(4096, before, resident())
  end)
end)

describe("the page tokens of a walk", function()
  it("are remembered in some bytes each, a million of them", function()
    local seen = core.seen()
    local before = resident()
    for i = 1, 1000000 do
      assert(seen:add(("%d"):format(i)))
    end
    collected()
    bounded(48 * 1024, before, resident())
    assert.is_false(seen:add "1")
    assert.is_false(seen:add "1000000")
  end)
end)
