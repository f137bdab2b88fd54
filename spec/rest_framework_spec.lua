-- next_url, page and offset paging on a server that is not ours: Debian's Django REST framework, by the pagination
-- classes that it brings.

local check = require "spec.support.check"
local foreign = require "spec.support.foreign"
local rollcall = require "rollcall"

local COUNT = 321

describe("a walk of Django REST framework", function()
  local installed, reason = foreign.has_module "rest_framework"
  if not installed then
    pending(reason)
    return
  end

  local server

  setup(function()
    server = foreign.start("rest_framework_server.py", COUNT)
  end)

  teardown(function()
    server:stop()
  end)

  local function client(way)
    return rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = way.path, items = "/results", paging = way.paging,
        filters = { status = { query = "status", enum = { "on", "off" } } } },
    }, { token = "tok-7f3a", base_url = server.address })
  end

  local function by_url(size)
    return { type = "next_url", next = "/next", previous = "/previous", size = size, max_size = 100 }
  end

  local ways = {
    ["next_url, of offsets"] = { path = "/offset/", paging = by_url "limit", last = "/offset/?limit=100&offset=300" },
    ["next_url, of pages"] = { path = "/page/", paging = by_url "page_size", last = "/page/?page_size=100&page=4" },
    ["next_url, of cursors"] = { path = "/cursor/", paging = by_url "page_size" },
    ["page, with a total"] = { path = "/page/", last = "4", paging = { type = "page", query = "page",
      size = "page_size", max_size = 100, total = "/count" } },
    ["offset, with a total"] = { path = "/offset/", last = "300", paging = { type = "offset", query = "offset",
      size = "limit", max_size = 100, total = "/count" } },
    ["offset, until an empty page"] = { path = "/offset/", last = "300", paging = { type = "offset",
      query = "offset", size = "limit", max_size = 100 } },
  }

  for name, way in pairs(ways) do
    describe("by " .. name, function()
      it("gives every user once, in order, whatever the page size and however far ahead it fetches", function()
        for _, query in ipairs { {}, { page_size = 1, limit = 3 }, { page_size = 3, prefetch = 0 }, { page_size = 100 },
          { page_size = 50, prefetch = 4 }, { page_size = COUNT % 100 } } do
          local number = 0
          for user in client(way):users(query) do
            number = number + 1
            assert.equal(number, user.id)
            assert.equal(("user%d@example.com"):format(number), user.email)
            assert.equal((number % 7 == 0 and 'Ünï "%d" 漢字' or "User %d"):format(number), user.name)
          end
          assert.equal(query.limit or COUNT, number)
        end
      end)

      it("keeps to its filters", function()
        local users = client(way):users { status = "off", page_size = 20 }
        local number = 0
        for user in users do
          number = number + 3
          assert.equal(number, user.id)
        end
        assert.equal(COUNT - COUNT % 3, number)
      end)

      it("goes on from a checkpoint anywhere in a page, and at a page's end", function()
        for _, limit in ipairs { 1, 99, 100, 150, COUNT } do
          local users = client(way):users { limit = limit }
          assert.equal(limit, users:count())
          local number = limit
          for user in client(way):users { resume = users:checkpoint() } do
            number = number + 1
            assert.equal(number, user.id)
          end
          assert.equal(COUNT, number)
        end
      end)

      it("goes backwards from its last page", function()
        local last
        for _, page in client(way):users():pages() do
          last = page.token
        end
        local number = COUNT
        for user in client(way):users { direction = "backward", page_token = last or way.last } do
          assert.equal(number, user.id)
          number = number - 1
        end
        assert.equal(0, number)
      end)
    end)
  end

  it("says what is wrong with a page that is none", function()
    local _, err = client(ways["page, with a total"]):users({ page_token = "99" }):count()
    check.failure(err, "http")
    assert.equal(404, err.status)
    check.contains(err.message, "Invalid page")
    _, err = client(ways["next_url, of cursors"]):users({ page_token = "/cursor/?cursor=x" }):count()
    check.failure(err, "http")
    check.contains(err.message, "Invalid cursor")
  end)

  it("gives no links where it has one page, and that page whole", function()
    local users, seen = client { path = "/offset/", paging = { type = "none" } }:users(), 0
    for _ in users do
      seen = seen + 1
    end
    assert.equal(10, seen) -- its default page: `none` asks for nothing more
    assert.equal(1, users:stats().pages)
  end)
end)
