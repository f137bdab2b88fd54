-- Page, link, offset and no paging on a server that is not ours: npm's json-server, as spec/support/packages.sh
-- installs it under the build folder.

local foreign = require "spec.support.foreign"
local rollcall = require "rollcall"

local COUNT = 321

describe("a walk of json-server", function()
  local installed, reason = foreign.has_package "json-server"
  if not installed then
    pending(reason)
    return
  end

  local server

  setup(function()
    server = foreign.start("json_server.js", COUNT)
  end)

  teardown(function()
    server:stop()
  end)

  local function client(paging, parameters)
    return rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = "/users", items = "", paging = paging, parameters = parameters,
        filters = { status = { query = "status", enum = { "on", "off" } } } },
    }, { token = "tok-7f3a", base_url = server.address })
  end

  local TOTAL = { header = "X-Total-Count" }
  local ways = {
    link = { paging = { type = "link", previous = "prev", size = "_limit", max_size = 100 },
      parameters = { _page = "1" } },
    ["page, with a total"] = { paging = { type = "page", query = "_page", size = "_limit", max_size = 100,
      total = TOTAL } },
    ["page, until an empty one"] = { paging = { type = "page", query = "_page", size = "_limit", max_size = 100 } },
    ["page, until a short one"] = { paging = { type = "page", query = "_page", size = "_limit", max_size = 100,
      ends = "short_page" } },
    ["offset, with a total"] = { paging = { type = "offset", query = "_start", size = "_limit", max_size = 100,
      total = TOTAL } },
    ["offset, until an empty page"] = { paging = { type = "offset", query = "_start", size = "_limit",
      max_size = 100 } },
  }

  --- Every user once, in order.
  local function all_of(users)
    local number = 0
    for user in users do
      number = number + 1
      assert.equal(number, user.id)
      assert.equal(("user%d@example.com"):format(number), user.email)
    end
    return number
  end

  it("gives every user once by none, which is all in one page", function()
    local users = client { type = "none" }:users()
    assert.equal(COUNT, all_of(users))
    assert.equal(1, users:stats().pages)
    users = client { type = "none" }:users { limit = 100 }
    assert.equal(100, all_of(users))
    local number = 100
    for user in client { type = "none" }:users { resume = users:checkpoint() } do
      number = number + 1
      assert.equal(number, user.id)
    end
    assert.equal(COUNT, number)
  end)

  for name, way in pairs(ways) do
    describe("by " .. name, function()
      it("gives every user once, whatever the page size and however far ahead it fetches", function()
        for _, query in ipairs { {}, { page_size = 25 }, { page_size = 100, prefetch = 0 },
          { page_size = 33, prefetch = 8 } } do
          assert.equal(COUNT, all_of((client(way.paging, way.parameters):users(query))))
        end
      end)

      it("keeps to its filters", function()
        local off, on = 0, 0
        for user in client(way.paging, way.parameters):users { status = "off", page_size = 50 } do
          assert.equal("off", user.status)
          off = off + 1
        end
        for _ in client(way.paging, way.parameters):users { status = "on", prefetch = 3 } do
          on = on + 1
        end
        assert.equal(math.ceil(COUNT / 3), off)
        assert.equal(COUNT, on + off)
      end)

      it("goes on from a checkpoint, and stops at its limit", function()
        local users = client(way.paging, way.parameters):users { limit = 150 }
        local number = 0
        for user in users do
          number = number + 1
          assert.equal(number, user.id)
        end
        assert.equal(150, number)
        for user in client(way.paging, way.parameters):users { resume = users:checkpoint() } do
          number = number + 1
          assert.equal(number, user.id)
        end
        assert.equal(COUNT, number)
      end)

      it("goes backwards from its last page", function()
        local last
        for _, page in client(way.paging, way.parameters):users():pages() do
          last = page.token or last
        end
        if name == "page, until an empty one" or name == "offset, until an empty page" then
          last = way.paging.type == "page" and "4" or "300"
        end
        local number = COUNT
        for user in client(way.paging, way.parameters):users { direction = "backward", page_token = last } do
          assert.equal(number, user.id)
          number = number - 1
        end
        assert.equal(0, number)
      end)
    end)
  end
end)
