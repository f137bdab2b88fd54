-- `after` and `none` paging on a server that is not ours: npm's stripe-stateful-mock, as spec/support/packages.sh
-- installs it under the build folder. It names the next page by the last item (starting_after), the one before by
-- the first (ending_before), says has_more, and gives all where no limit is asked for.

local check = require "spec.support.check"
local foreign = require "spec.support.foreign"
local rollcall = require "rollcall"

local COUNT, TOKEN = 321, "sk_test_7f3a51c2d9"

describe("a walk of stripe-stateful-mock", function()
  local installed, reason = foreign.has_package "stripe-stateful-mock"
  if not installed then
    pending(reason)
    return
  end

  local server, order

  local function client(paging, token)
    return rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = "/v1/customers", items = "/data", paging = paging,
        filters = { email = { query = "email" } } },
    }, { token = token or TOKEN, base_url = server.address })
  end

  setup(function()
    server = foreign.start("stripe_server.js", COUNT, TOKEN)
    order = {} -- newest first by the second, in the server's order within one
    local known = {}
    for user in client({ type = "none" }):users() do
      assert.is_nil(known[user.id])
      known[user.id] = true
      order[#order + 1] = user.id
    end
  end)

  teardown(function()
    server:stop()
  end)

  local ways = {
    ["after, with a flag"] = { type = "after", query = "starting_after", item = "/id", before = "ending_before",
      more = "/has_more", size = "limit", max_size = 100 },
    ["after, until an empty page"] = { type = "after", query = "starting_after", item = "/id",
      before = "ending_before", size = "limit", max_size = 100 },
    ["after, until a short page"] = { type = "after", query = "starting_after", item = "/id",
      before = "ending_before", ends = "short_page", size = "limit", max_size = 100 },
  }

  it("has all users in one page by none", function()
    assert.equal(COUNT, #order)
    local users = client({ type = "none" }):users()
    local number = 0
    for user in users do
      number = number + 1
      assert.equal(order[number], user.id)
      assert.equal(("user%d@example.com"):format(tonumber(user.id:match "%d+")), user.email)
    end
    assert.equal(1, users:stats().pages)
    users = client({ type = "none" }):users { limit = 100 }
    assert.equal(100, users:count())
    number = 100
    for user in client({ type = "none" }):users { resume = users:checkpoint() } do
      number = number + 1
      assert.equal(order[number], user.id)
    end
    assert.equal(COUNT, number)
  end)

  for name, paging in pairs(ways) do
    describe("by " .. name, function()
      it("gives every user once, in order, whatever the page size and however far ahead it fetches", function()
        for _, query in ipairs { {}, { page_size = 1, limit = 3 }, { page_size = 3, prefetch = 0 }, { page_size = 100 },
          { page_size = 50, prefetch = 4 }, { page_size = COUNT % 100 } } do
          local number = 0
          for user in client(paging):users(query) do
            number = number + 1
            assert.equal(order[number], user.id)
          end
          assert.equal(query.limit or COUNT, number)
        end
      end)

      it("keeps to its filters", function()
        local users = client(paging):users { email = "user77@example.com" }
        assert.equal("cus_00077", users:next().id)
        assert.is_nil(users:next())
        assert.equal(0, client(paging):users({ email = "nobody@example.com" }):count())
      end)

      it("goes on from a checkpoint anywhere in a page, and at a page's end", function()
        for _, limit in ipairs { 1, 99, 100, 150, COUNT } do
          local users = client(paging):users { limit = limit }
          assert.equal(limit, users:count())
          local number = limit
          for user in client(paging):users { resume = users:checkpoint() } do
            number = number + 1
            assert.equal(order[number], user.id)
          end
          assert.equal(COUNT, number)
        end
      end)

      it("goes backwards from its last page", function()
        local last
        for list, page in client(paging):users():pages() do
          last = #list > 0 and page.token or last
        end
        local number = COUNT
        for user in client(paging):users { direction = "backward", page_token = last } do
          assert.equal(order[number], user.id)
          number = number - 1
        end
        assert.equal(0, number)
      end)

      it("cannot go backwards from behind its last user, and says so", function()
        local none, err = client(paging):users({ direction = "backward", page_token = order[COUNT] }):next()
        assert.is_nil(none)
        check.failure(err, "decode")
        check.contains(err.message, "empty")
      end)
    end)
  end

  it("says who may not ask, and what is no place to go on from", function()
    local paging = ways["after, with a flag"]
    local _, err = client(paging, "sk_live_7f3a51c2d9"):users():count()
    check.failure(err, "auth", { "sk_live_7f3a51c2d9" })
    _, err = client(paging):users({ page_token = "cus_nobody" }):count()
    check.failure(err, "http")
    check.contains(err.message, "No such customer: cus_nobody")
  end)
end)
