-- The text of a checkpoint: what it carries, and which walks take it. Walks that go on from one are
-- in walk_spec and faults_spec.

local checkpoint = require "rollcall.checkpoint"
local json = require "rollcall.json"

local WALK = {
  provider = "acme", base_url = "https://api.acme.example", collection = "users", variables = { account = "T12345678" },
  query = { status = "ALL", page_size = 100, expand = { "roles", "groups" } },
}

--- Takes a position as one paging type might: by a token that is text.
local function restore(position)
  return type(position.token) == "string" and { token = position.token } or nil
end

local function decode(text, wanted)
  return checkpoint.decode(text, wanted, restore)
end

local function altered(change)
  local twin = json.decode(json.encode(WALK))
  change(twin)
  return twin
end

describe("a checkpoint's text", function()
  local saved = { walk = WALK, position = { token = "t\"\\ü" }, ledger = "\0\255bytes" }
  local text = checkpoint.encode(saved)

  it("is one line that brings everything back", function()
    assert.is_nil(text:find "%c")
    local read = assert(decode(text, WALK))
    assert.equal(saved.position.token, read.position.token)
    assert.equal(saved.ledger, read.ledger)
    assert.is_false(read.done)
  end)

  it("says that a walk was at its end", function()
    assert.is_true(decode(checkpoint.encode { walk = WALK, done = true }, WALK).done)
  end)

  local others = {
    provider = function(walk) walk.provider = "other" end,
    base_url = function(walk) walk.base_url = "https://api.acme.example/v2" end,
    collection = function(walk) walk.collection = "roles" end,
    account = function(walk) walk.variables.account = "T87654321" end,
    status = function(walk) walk.query.status = "ACTIVE" end,
    page_size = function(walk) walk.query.page_size = nil end,
    expand = function(walk) walk.query.expand = { "roles" } end,
    search = function(walk) walk.query.search = "doe" end,
  }
  for name, change in pairs(others) do
    it("is refused by a walk with another " .. name .. ", both ways, and named", function()
      local read, problem = decode(text, altered(change))
      assert.is_nil(read)
      assert.truthy(problem:find(name, 1, true), problem)
      read, problem = decode(checkpoint.encode { walk = altered(change) }, WALK)
      assert.is_nil(read)
      assert.truthy(problem:find(name, 1, true), problem)
    end)
  end

  it("is refused where it was changed, cut or is something else, and never raises", function()
    for cut = 0, #text - 1 do
      assert.is_nil((decode(text:sub(1, cut), WALK)))
    end
    for _, wrong in ipairs { "", "null", "[]", "{}", "7", '"text"', '{"rollcall":1}', '{"rollcall":99,"walk":{}}',
      (text:gsub('"ledger":"', '"ledger":"!')), (text:gsub('"token":".-"}', '"token":7}')),
      (text:gsub('"position":{.-}', '"position":7')) } do
      local read, problem = decode(wrong, WALK)
      assert.is_nil(read, wrong)
      assert.is_string(problem)
    end
  end)

  it("is refused by a walk whose lists differ deep within, or in what a text and a number are", function()
    for _, pair in ipairs { { { { "a" } }, { { "b" } } }, { { "1" }, { 1 } } } do
      local mine, other = altered(function(walk) walk.query.expand = pair[1] end),
        altered(function(walk) walk.query.expand = pair[2] end)
      assert.is_nil((decode(checkpoint.encode { walk = mine }, other)))
      assert.truthy(decode(checkpoint.encode { walk = mine }, mine))
    end
  end)

  it("of several walks is not one of a single walk, nor the other way round", function()
    local parts = checkpoint.encode_parts { A = text, B = text }
    assert.is_nil((decode(parts, WALK)))
    assert.is_nil((checkpoint.decode_parts(text)))
    assert.same({ A = text, B = text }, checkpoint.decode_parts(parts))
  end)
end)
