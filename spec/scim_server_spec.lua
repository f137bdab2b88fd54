-- SCIM on a server that is not ours: npm's scimmy, as spec/support/packages.sh installs it under the build folder.

local check = require "spec.support.check"
local foreign = require "spec.support.foreign"
local rollcall = require "rollcall"

local COUNT, TOKEN = 123, "tok-scim-7f3a"

describe("a walk of scimmy's server", function()
  local installed, reason = foreign.has_package "scimmy-routers"
  if not installed then
    pending(reason)
    return
  end

  local server

  setup(function()
    server = foreign.start("scim_server.js", COUNT, TOKEN)
  end)

  teardown(function()
    server:stop()
  end)

  local function client(options)
    local config = { base_url = server.address .. "/scim/v2", token = TOKEN }
    for name, value in pairs(options or {}) do
      config[name] = value
    end
    return rollcall.scim(config)
  end

  local function id(number)
    return ("u%05d"):format(number)
  end

  it("gives every user once, whatever the page size and however far ahead it fetches", function()
    for _, query in ipairs { {}, { page_size = 1, limit = 3 }, { page_size = 50, prefetch = 0 },
      { page_size = 33, prefetch = 4 } } do
      local number = 0
      for user in client():users(query) do
        number = number + 1
        assert.equal(id(number), user.id)
      end
      assert.equal(query.limit or COUNT, number)
    end
  end)

  it("gives the common fields", function()
    local number = 0
    for user in client():users() do
      number = number + 1
      assert.equal(("user%d@example.com"):format(number), user.email)
      local formatted = ('Üser "%d" 漢字'):format(number)
      assert.equal((number - 1) % 3 == 0 and formatted or "User " .. number, user.name)
      assert.equal(formatted, rollcall.at(user, "/name/formatted"))
      assert.equal((number - 1) % 4 ~= 0 and "ACTIVE" or "INACTIVE", user.status)
      assert.equal("user" .. number, user.userName)
      assert.equal("2026-01-31T12:00:00.000Z", user.created_at)
      assert.equal("2026-02-28T12:00:00.000Z", user.updated_at)
    end
  end)

  it("keeps to its filters, attributes and order", function()
    local count = 0
    for user in client():users { filter = "active eq false", page_size = 20 } do
      assert.equal("INACTIVE", user.status)
      count = count + 1
    end
    assert.equal(math.ceil(COUNT / 4), count)
    assert.equal(0, client():users({ filter = 'userName eq "nobody"' }):count())
    for user in client():users { filter = 'userName eq "user7"', attributes = { "userName" } } do
      assert.equal("user7", user.userName)
      assert.is_nil(user.email)
    end
    local before
    for user in client():users { sort_by = "userName", sort_order = "descending", page_size = 50 } do
      assert.is_true(before == nil or user.userName < before)
      before = user.userName
    end
    assert.equal("user1", before)
  end)

  it("goes on from a checkpoint, and backwards", function()
    local users = client():users { limit = 60, page_size = 40 }
    assert.equal(60, users:count())
    local number = 60
    for user in client():users { resume = users:checkpoint(), page_size = 40 } do
      number = number + 1
      assert.equal(id(number), user.id)
    end
    assert.equal(COUNT, number)
    for user in client():users { direction = "backward", page_token = "101" } do
      assert.equal(id(number), user.id)
      number = number - 1
    end
    assert.equal(0, number)
  end)

  it("says who may not ask", function()
    local _, err = client({ token = "tok-other-7f3a" }):users():count()
    check.failure(err, "auth", { "tok-other-7f3a" })
    check.contains(err.message, "who is this?")
  end)
end)
