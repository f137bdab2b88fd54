-- `cursor` and `after` paging in the body of a POST, on a server that is not ours: npm's dynalite, a DynamoDB in
-- memory, as spec/support/packages.sh installs it under the build folder.

local check = require "spec.support.check"
local foreign = require "spec.support.foreign"
local rollcall = require "rollcall"

local COUNT, THIRD = 300, 100

describe("a walk of dynalite", function()
  local installed, reason = foreign.has_package "dynalite"
  if not installed then
    pending(reason)
    return
  end

  local server

  setup(function()
    server = foreign.start("dynalite_server.js", COUNT)
  end)

  teardown(function()
    server:stop()
  end)

  --- A signature of its form; the server does not check what it is of.
  local function signed(_, secrets)
    return {
      ["X-Amz-Date"] = "20260131T120000Z",
      Authorization = ("AWS4-HMAC-SHA256 Credential=%s/20260131/us-east-1/dynamodb/aws4_request, "
        .. "SignedHeaders=host;x-amz-date, Signature=00"):format(secrets.token),
    }
  end

  local function client(collection, action)
    return rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      auth = { type = "function", headers = signed },
      headers = { ["X-Amz-Target"] = "DynamoDB_20120810." .. action },
      users = collection,
    }, { token = "tok-7f3a", base_url = server.address })
  end

  local SIZE = { body = "/Limit" }
  local ways = {
    ["cursor, by one member of it"] = { type = "cursor", body = "/ExclusiveStartKey/id/S",
      next = "/LastEvaluatedKey/id/S", size = SIZE, max_size = 100 },
    ["cursor, by all of it"] = { type = "cursor", body = "/ExclusiveStartKey", next = "/LastEvaluatedKey",
      token = "json", size = SIZE, max_size = 100 },
    ["after"] = { type = "after", body = "/ExclusiveStartKey/id/S", item = "/id/S", size = SIZE, max_size = 100 },
  }

  local function users(paging)
    return client({ path = "/", method = "POST", body = { TableName = "users" }, items = "/Items", paging = paging,
      fields = { id = "/id/S", email = "/email/S", name = "/name/S" } }, "Scan")
  end

  for name, paging in pairs(ways) do
    describe("by " .. name, function()
      it("gives every user once, whatever the page size and however far ahead it fetches", function()
        for _, query in ipairs { {}, { page_size = 1, limit = 3 }, { page_size = 7, prefetch = 0 }, { page_size = 60 },
          { page_size = 50, prefetch = 4 }, { page_size = 99 } } do
          local known, count = {}, 0
          for user in users(paging):users(query) do
            assert.is_nil(known[user.id])
            known[user.id] = true
            count = count + 1
            local number = tonumber(user.id:match "%d+")
            assert.equal(("user%d@example.com"):format(number), user.email)
            assert.equal((number % 7 == 0 and 'Ünï "%d" 漢字' or "User %d"):format(number), user.name)
          end
          assert.equal(query.limit or COUNT, count)
        end
      end)

      it("goes on from a checkpoint anywhere in a page, and at a page's end", function()
        for _, limit in ipairs { 1, 99, 100, 150, COUNT } do
          local walk, known, count = users(paging):users { limit = limit }, {}, 0
          for user in walk do
            known[user.id] = true
            count = count + 1
          end
          assert.equal(limit, count)
          for user in users(paging):users { resume = walk:checkpoint() } do
            assert.is_nil(known[user.id])
            known[user.id] = true
            count = count + 1
          end
          assert.equal(COUNT, count)
        end
      end)
    end)
  end

  --- By organization and number: a token of two members, which is no text.
  local function members()
    return client({ path = "/", method = "POST", items = "/Items", id = "number",
      body = { TableName = "members", KeyConditionExpression = "organization = :o" },
      paging = ways["cursor, by all of it"],
      filters = { organization = { body = "/ExpressionAttributeValues/:o/S", required = true } },
      fields = { account_id = "/organization/S", email = "/email/S" } }, "Query")
  end

  it("by a key of two members gives every user once, in order, forwards and from a checkpoint", function()
    local first, last = THIRD + 1, COUNT
    for _, query in ipairs { {}, { page_size = 7, prefetch = 0 }, { page_size = 50, prefetch = 4 },
      { page_size = 99 } } do
      query.organization = "globex"
      local number = first - 1
      for user in members():users(query) do
        number = number + 1
        assert.equal(tostring(number), rollcall.at(user, "/number/N"))
        assert.equal(("user%d@example.com"):format(number), user.email)
        assert.equal("globex", user.account_id)
      end
      assert.equal(last, number)
    end
    for _, limit in ipairs { 1, 99, 100, 101, last - first + 1 } do
      local walk = members():users { organization = "globex", limit = limit }
      assert.equal(limit, walk:count())
      local number = first + limit - 1
      for user in members():users { organization = "globex", resume = walk:checkpoint() } do
        number = number + 1
        assert.equal(tostring(number), rollcall.at(user, "/number/N"))
      end
      assert.equal(last, number)
    end
    assert.equal(first - 1, members():users({ organization = "acme" }):count())
    assert.equal(0, members():users({ organization = "nobody" }):count())
  end)

  it("begins at a page token, which is JSON", function()
    local tokens = {}
    for _, page in members():users({ organization = "globex" }):pages() do
      tokens[#tokens + 1] = page.token
    end
    assert.equal(2, #tokens) -- of three pages; the first one has none
    local user = members():users({ organization = "globex", page_token = tokens[1] }):next()
    assert.equal(tostring(THIRD + 101), rollcall.at(user, "/number/N"))
    local _, err = members():users({ organization = "globex", page_token = '{"number":{"N":"7"}}' }):next()
    check.failure(err, "http")
  end)

  it("says who may not ask", function()
    local _, err = rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      headers = { ["X-Amz-Target"] = "DynamoDB_20120810.Scan" },
      users = { path = "/", method = "POST", body = { TableName = "users" }, items = "/Items",
        paging = ways["after"] },
    }, { token = "tok-7f3a", base_url = server.address }):users():count()
    check.failure(err, "http", { "tok-7f3a" })
    check.contains(err.message, "Authentication Token")
  end)
end)
