-- The conformance kit fails what is wrong, each mistake by its own name, and passes what is right.

local check = require "spec.support.check"
local cjson = require "cjson"
local rollcall = require "rollcall"

local function copy_with(value, change)
  local twin = check.copy(value)
  if change then
    change(twin)
  end
  return twin
end

local function provider(collection)
  collection.path = collection.path or "/people"
  collection.items = collection.items or "/data"
  return { name = "acme", base_url = { production = "https://api.acme.example/v2" }, users = collection }
end

local function person(id)
  return ('{"id":"%s","contact":{"email":"%s@acme.example"},"roles":[{"name":"admin"}]}'):format(id, id)
end

local function people(...)
  local list = {}
  for i = 1, select("#", ...) do
    list[i] = person((select(i, ...)))
  end
  return "[" .. table.concat(list, ",") .. "]"
end

-- APIs as their documentation shows them, each with the declaration that is right, and with wrong ones: what is
-- changed,
-- and what the kit says of it.
local apis = {}

apis.cursor = {
  collection = { paging = { type = "cursor", query = "after", next = "/meta/next", more = "/has_more", size = "limit",
    max_size = 100 }, fields = { email = "/contact/email", role_names = { each = "/roles", take = "/name" } } },
  pages = {
    { request = "GET https://api.acme.example/v2/people?limit=2",
      response = '{"data":' .. people("a", "b") .. ',"meta":{"next":"t2"},"has_more":true}' },
    { request = "GET https://api.acme.example/v2/people?limit=2&after=t2",
      response = '{"data":' .. people("c") .. ',"meta":{"next":"t3"},"has_more":false}', last = true },
  },
  wrong = {
    { "the flag that ends it is not declared", function(c) c.paging.more = nil end,
      "goes on behind page 2, which the documentation calls the last one, by GET /v2/people?limit=2&after=t3" },
    { "the flag's pointer leads nowhere", function(c) c.paging.more = "/more" end, "goes on behind page 2" },
    { "the next token's pointer leads nowhere", function(c) c.paging.next, c.paging.more = "/next", nil end,
      "ends with page 1, and the documentation goes on, by GET https://api.acme.example/v2/people?limit=2&after=t2" },
    { "the next token's pointer leads to another text", function(c) c.paging.next = "/has_more" end,
      "expected a page token at /has_more" },
    { "the parameter of the token has another name", function(c) c.paging.query = "cursor" end,
      "request 2: it sends no after, and the documentation after=t2",
        "cursor=t2, of which the documentation has nothing" },
    { "the parameter of the page size has another name", function(c) c.paging.size = "size" end,
      "request 1: it sends no limit, and the documentation limit=2" },
    { "the largest page is smaller", function(c) c.paging.max_size = 1 end, "paging.max_size is 1" },
    { "the items are elsewhere", function(c) c.items = "/dta" end, "/dta leads to no array", "did you mean /data?" },
    { "the items are an object", function(c) c.items = "/data/0" end, "/data/0 leads to no array" },
    { "users are known by another field", function(c) c.id = "ids" end, "no field ids", "did you mean /id?" },
    { "a common field is elsewhere", function(c) c.fields.email = "/contact/mail" end,
      "fields.email: no documented item has anything at /contact/mail", "did you mean /contact/email?" },
    { "a part of a list's elements has another name", function(c) c.fields.role_names.take = "/title" end,
      "fields.role_names: no documented item has anything at /roles/0/title" },
    { "the path is another", function(c) c.path = "/users" end,
      "it asks for /v2/users, and the documentation for /v2/people" },
    { "the method is another", function(c) c.method = "POST" end, "it sends POST, and the documentation GET" },
    { "it has pages, and is declared to have none", function(c) c.paging = { type = "none" } end, "it sends no limit" },
    { "it has cursors, and is declared to have numbers", function(c) c.paging = { type = "page", query = "after",
      size = "limit", more = "/has_more" } end, "request 2: it sends after=2, and the documentation after=t2" },
  },
}

apis["a cursor that ends with null"] = {
  collection = { paging = { type = "cursor", query = "after", next = "/next" } },
  pages = {
    { request = "/people", response = '{"data":' .. people "a" .. ',"next":"t2"}' },
    { request = "/people?after=t2", response = '{"data":' .. people "b" .. ',"next":null}', last = true },
  },
  wrong = {
    { "it is declared to have no pages", function(c) c.paging = { type = "none" } end, "it ends with page 1" },
    { "null is none of its ends", function(c) c.paging.ends = "blank" end,
      "which is null; that is none of what ends a walk" },
    { "an empty page is its only end", function(c) c.paging.ends = "empty_page" end, "which is null" },
    { "the next token's pointer leads to null", function(c) c.paging.next = "/nxt" end, "it ends with page 1" },
  },
}

apis["page numbers"] = {
  collection = { paging = { type = "page", query = "page", size = "per_page", max_size = 50, total = "/meta/total" },
    filters = { state = { query = "state", enum = { "on", "off" } }, age = { query = "age", format = "integer" },
      team = { query = "team", list = "comma", enum = { "x", "y" } } } },
  pages = {
    { request = "GET /people?page=1&per_page=2&state=on&age=7&team=x,y",
      response = '{"data":' .. people("a", "b") .. ',"meta":{"total":4,"count":2,"page":1}}' },
    { request = "GET /people?page=2&per_page=2&state=on&age=7&team=x,y",
      response = '{"data":' .. people("c", "d") .. ',"meta":{"total":4,"count":2,"page":2}}', last = true },
  },
  wrong = {
    { "it begins at 0", function(c) c.paging.start = 0 end,
      "request 1: it sends page=0, and the documentation page=1" },
    { "it has no total", function(c) c.paging.total = nil end, "goes on behind page 2" },
    { "the total is elsewhere", function(c) c.paging.total = "/total" end, "goes on behind page 2" },
    { "the total is that of the page", function(c) c.paging.total = "/meta/count" end, "ends with page 1" },
    { "the total is taken for the number of pages", function(c) c.paging.total, c.paging.pages = nil, "/meta/total" end,
      "goes on behind page 2" },
    { "the last page's flag is no flag", function(c) c.paging.last = "/meta/total" end, "expected true or false" },
    { "it goes by offsets", function(c) c.paging.type, c.paging.start = "offset", 1 end,
      "request 2: it sends page=3, and the documentation page=2" },
    { "a filter has another name", function(c) c.filters.state.query = "status" end,
      "it sends no state, and the documentation state=on" },
  },
}

apis["pages of nobody without an array"] = {
  collection = { empty = { "null", "absent" }, paging = { type = "cursor", query = "after", next = "/next" } },
  pages = {
    { request = "/people", response = '{"data":' .. people("a", "b") .. ',"next":"t2"}' },
    { request = "/people?after=t2", response = '{"data":null,"next":"t3"}' },
    { request = "/people?after=t3", response = '{"next":null}', last = true },
  },
  wrong = {
    { "null is none", function(c) c.empty = "absent" end, "in example 2: expected an array at /data, got null" },
    { "nothing is none", function(c) c.empty = "null" end, "in example 3: expected an array at /data, got the end" },
    { "neither is", function(c) c.empty = nil end, "expected an array at /data, got null" },
  },
}

apis["offsets"] = {
  collection = { paging = { type = "offset", query = "startIndex", start = 1, size = "count",
    total = "/totalResults" } },
  pages = {
    { request = "/people?startIndex=1&count=2", response = '{"data":' .. people("a", "b") .. ',"totalResults":3}' },
    { request = "/people?startIndex=3&count=2", response = '{"data":' .. people "c" .. ',"totalResults":3}',
      last = true },
  },
  wrong = {
    { "it begins at 0", function(c) c.paging.start = nil end, "request 1: it sends startIndex=0" },
    { "it goes by page numbers", function(c) c.paging.type = "page" end, "request 2: it sends startIndex=2" },
    { "the total is elsewhere", function(c) c.paging.total = "/total" end, "goes on behind page 2" },
    { "a flag says what none says", function(c) c.paging.total, c.paging.last = nil, "/last" end,
      "goes on behind page 2" },
  },
}

apis["an offset until an empty page"] = {
  collection = { paging = { type = "offset", query = "from", size = "n" } },
  pages = {
    { request = "/people?from=0&n=2", response = '{"data":' .. people("a", "b") .. "}" },
    { request = "/people?from=2&n=2", response = '{"data":' .. people "c" .. "}" },
    { request = "/people?from=3&n=2", response = '{"data":[]}', last = true },
  },
  wrong = {
    { "a short page ends it", function(c) c.paging.ends = "short_page" end,
      "ends with page 2, and the documentation goes on" },
    { "the items are the document", function(c) c.items = "" end, "the document itself leads to no array" },
  },
}

apis["links"] = {
  collection = { items = "", path = "/orgs/{org}/people", filters = { org = { path = "org", required = true } },
    paging = { type = "link", size = "per_page", max_size = 100 } },
  query = { org = "other" },
  pages = {
    { request = "GET https://api.acme.example/v2/orgs/acme/people?per_page=1", response = people "a",
      headers = { 'Link: <https://api.acme.example/v2/organizations/7/people?per_page=1&page=2>; rel="next", '
        .. '<https://api.acme.example/v2/organizations/7/people?per_page=1&page=1>; rel="first"' } },
    { request = "GET https://api.acme.example/v2/organizations/7/people?per_page=1&page=2", response = people "b",
      headers = { 'Link: <https://api.acme.example/v2/organizations/7/people?per_page=1&page=1>; rel="first"' },
      last = true },
  },
  wrong = {
    { "the relation is another", function(c) c.paging.rel = "more" end, "it ends with page 1" },
    { "the relation is that of the first page", function(c) c.paging.rel = "first" end,
      "request 2: it sends page=1, and the documentation page=2" },
    { "the path is another", function(c) c.path = "/organizations/{org}/people" end, "it asks for /v2/organizations/" },
  },
}

apis["URLs in the body"] = {
  collection = { paging = { type = "next_url", next = "/links/next" } },
  pages = {
    { request = "/people", response = '{"data":' .. people "a"
      .. ',"links":{"next":"https:\\/\\/api.acme.example\\/v2\\/people?c=x%2Fy","self":'
      .. '"https://api.acme.example/v2/people"}}' },
    { request = "/people?c=x%2Fy", response = '{"data":' .. people "b" .. ',"links":{"next":null}}', last = true },
  },
  wrong = {
    { "the URL is that of the page itself", function(c) c.paging.next = "/links/self" end,
      "the link after page 1 was seen before in this walk" },
    { "the URL is taken for a token", function(c) c.paging = { type = "cursor", query = "c", next = "/links/next" } end,
      "request 2: it sends c=" },
  },
}

apis["the last item's token"] = {
  collection = { paging = { type = "after", query = "starting_after", item = "/id", size = "limit", more = "/more" } },
  pages = {
    { request = "/people?limit=2", response = '{"data":' .. people("a", "b") .. ',"more":true}' },
    { request = "/people?limit=2&starting_after=b", response = '{"data":' .. people "c" .. ',"more":false}',
      last = true },
  },
  wrong = {
    { "the item's token is elsewhere", function(c) c.paging.item = "/token" end,
      "expected what names the next page at /token" },
    { "the item's token is another text", function(c) c.paging.item = "/contact/email" end,
      "it sends starting_after=b@acme.example, and the documentation starting_after=b" },
    { "the flag is not declared", function(c) c.paging.more = nil end, "goes on behind page 2" },
  },
}

apis["a search by POST"] = {
  collection = { path = "/search", method = "POST", body = { kind = "person" }, paging = { type = "cursor",
    body = "/page/after", next = "/next", size = { body = "/page/size" }, max_size = 100 } },
  pages = {
    { request = "POST /search", body = '{"kind":"person","page":{"size":2}}',
      response = '{"data":' .. people("a", "b") .. ',"next":"t2"}' },
    { request = "POST /search", body = '{"kind":"person","page":{"size":2,"after":"t2"}}',
      response = '{"data":' .. people "c" .. '}', last = true },
  },
  wrong = {
    { "the size is elsewhere in the body", function(c) c.paging.size.body = "/size" end,
      "its body has nothing at /page/size, and the documentation 2" },
    { "the token is elsewhere in the body", function(c) c.paging.body = "/after" end,
      "request 2: its body has nothing at /page/after, and the documentation t2" },
    { "something of the body is missing", function(c) c.body = nil end, "its body has nothing at /kind" },
  },
}

apis["one body"] = {
  collection = { items = "", paging = { type = "none" } },
  pages = { { request = "/people", response = people("a", "b"), last = true } },
  wrong = {
    { "it is declared to have pages", function(c) c.paging = { type = "page", query = "page" } end,
      "goes on behind page 1" },
  },
}

apis["a first page alone"] = {
  collection = { paging = { type = "cursor", query = "after", next = "/next" } },
  pages = { { response = '{"data":' .. people "a" .. ',"next":"t2"}', last = false } },
  wrong = {
    { "the next token is elsewhere", function(c) c.paging.next = "/nxt" end,
      "it ends with page 1, which the documentation does not call the last one" },
  },
}

local names = {}
for name in pairs(apis) do
  names[#names + 1] = name
end
table.sort(names)

describe("the conformance kit, by what the documentation shows", function()
  local function run(api, collection)
    return rollcall.conformance(provider(collection),
      { hostile = false, examples = { users = api.pages }, query = { users = api.query } })
  end

  for _, name in ipairs(names) do
    local api = apis[name]

    it("passes what is right: " .. name, function()
      local report = run(api, copy_with(api.collection))
      assert.is_true(report.passed, tostring(report))
      assert.equal(name == "a first page alone" and 6 or 5, #report.cases)
      for _, case in ipairs(report.cases) do
        assert.equal(case.name == "ends where the documentation does" and "unknown" or "passed", case.status)
      end
    end)

    for _, wrong in ipairs(api.wrong) do
      it(("fails what is wrong: %s, and %s"):format(name, wrong[1]), function()
        local report = run(api, copy_with(api.collection, wrong[2]))
        assert.is_false(report.passed)
        local messages = {}
        for _, case in ipairs(report.cases) do
          messages[#messages + 1] = not case.passed and case.message or nil
        end
        check.contains(table.concat(messages, "\n"), wrong[3], wrong[4])
      end)
    end
  end

  it("says which common fields the examples do not show, unless it is told", function()
    local collection = copy_with(apis.cursor.collection, function(c) c.fields.mfa = "/mfa" end)
    local report = run(apis.cursor, collection)
    check.contains(report:failure().message, "fields.mfa: no documented item has anything at /mfa")
    local options = { hostile = false, examples = { users = apis.cursor.pages }, unseen = { users = { "mfa" } } }
    assert.is_true(rollcall.conformance(provider(collection), options).passed)
    options.unseen.users = { "mfa", "mfs" }
    check.contains(rollcall.conformance(provider(collection), options):failure().message, "mfs is none of its fields")
  end)

  describe("where only the first page is documented,", function()
    local PAGE = { response = '{"data":' .. people("a", "b") .. ',"meta":{"next":"t2","has_more":true,"total":9}}',
      headers = { "X-Total: 9", "X-Next: t2" } }
    local function run_one(paging)
      return rollcall.conformance(provider { paging = paging }, { hostile = false, examples = { users = { PAGE } } })
    end

    for _, case in ipairs {
      { { type = "cursor", query = "c", next = "/next" },
        "paging.next: no documented answer has anything at /next; did you mean /meta/next?" },
      { { type = "cursor", query = "c", next = "/meta/next", more = "/more" },
        "paging.more: no documented answer has anything at /more; did you mean /meta/has_more?" },
      { { type = "page", query = "p", total = "/totalCount" },
        "paging.total: no documented answer has anything at /totalCount; did you mean /meta/total?" },
      { { type = "page", query = "p", pages = "/pages" }, "paging.pages: ", "did you mean /meta/total?" },
      { { type = "offset", query = "p", last = "/last" }, "paging.last: ", "did you mean /meta/has_more?" },
      { { type = "cursor", query = "c", next = { header = "X-Nxt" } },
        "paging.next: no documented answer has anything at header X-Nxt; did you mean X-Next?" },
      { { type = "page", query = "p", total = { header = "Count" } }, "at header Count; they have X-Next, X-Total" },
    } do
      it("finds what leads on: " .. case[2], function()
        local report = run_one(case[1])
        assert.is_false(report.passed)
        local failure = report:failure()
        assert.equal("finds what leads on in the documented answers", failure.name)
        check.contains(failure.message, case[2], case[3])
      end)
    end

    it("says that the end was not compared", function()
      for _, paging in ipairs { { type = "none" }, { type = "page", query = "p", size = "n", max_size = 5,
        ends = "short_page" }, { type = "cursor", query = "c", next = { header = "x-next" } },
        { type = "offset", query = "p", total = { header = "x-total" } } } do
        local report = run_one(paging)
        assert.is_nil(paging.type ~= "offset" and report:failure() or nil)
        local last = report.cases[#report.cases]
        assert.equal("ends where the documentation does unknown", last.name .. " " .. last.status)
        check.contains(last.message, "no example is the last page")
      end
    end)
  end)

  it("lets the last page leave out what leads on", function()
    local report = rollcall.conformance(provider { paging = { type = "cursor", query = "c", next = "/next" } },
      { hostile = false, examples = { users = { { response = '{"data":' .. people "a" .. "}", last = true } } } })
    assert.is_true(report.passed, tostring(report))
  end)

  it("takes the secrets that are given", function()
    for _, client in ipairs { { token = "tok-7f3a" }, { client_id = "id-7f3a", client_secret = "secret-7f3a" } } do
      local report = rollcall.conformance("tesouro", { client = client })
      assert.is_true(report.passed, tostring(report))
    end
  end)

  it("gets its token where the provider declares it", function()
    for _, auth in ipairs {
      { type = "client_credentials", path = "/token", body = "form", credentials = "body" },
      { type = "client_credentials", url = "https://login.acme.example/token", body = "json", credentials = "basic" },
      { type = "client_credentials", path = "/token", names = { client_id = "app_id", client_secret = "app_secret" },
        token = "/data/tenant_token", expires_in = "/data/expire", name = "X-Acme-Token",
        parameters = { grant_type = "account_credentials" } },
      { type = "basic" }, { type = "header", name = "X-Api-Key" },
    } do
      local mine = provider(copy_with(apis.cursor.collection))
      mine.auth = auth
      local report = rollcall.conformance(mine, { hostile = false, examples = { users = apis.cursor.pages } })
      assert.is_true(report.passed, tostring(report))
    end
  end)
end)

describe("the conformance kit, by its hostile servers", function()
  local CURSOR = { type = "cursor", query = "after", next = "/next" }

  local shapes = {
    ["a cursor in bodies"] = { path = "/search", method = "POST", filters = { state = { body = "/state",
      enum = { "on" } } },
      paging = { type = "cursor", body = "/page/after", next = "/meta/next", size = { body = "/page/size" },
        max_size = 5 } },
    ["a cursor of any JSON"] = { path = "/search", method = "POST", content_type = "application/x-amz-json-1.1",
      paging = { type = "cursor", body = "/start",
      next = "/last", previous = "/first", token = "json", final = { "end" }, size = { body = "/size" } } },
    ["what follows any JSON"] = { path = "/search", method = "POST", paging = { type = "after", body = "/start",
      item = "/key", before = { body = "/before" }, token = "json", more = "/more", size = { body = "/size" } } },
    ["a cursor in headers"] = { paging = { type = "cursor", header = "X-Cursor", next = { header = "X-Next" },
      previous = { header = "X-Previous" }, size = { header = "X-Size" }, max_size = 2 } },
    ["a cursor with a flag"] = { paging = { type = "cursor", query = "after", next = "/next", more = "/more",
      total = "/total", size = "n" } },
    ["a cursor until an empty page"] = { paging = { type = "cursor", query = "c", next = "/next",
      ends = "empty_page" } },
    ["a cursor with a last token"] = { paging = { type = "cursor", query = "c", next = "/next", final = { "LTE=" } } },
    ["links"] = { items = "", parameters = { kind = "human" }, paging = { type = "link", previous = "prev",
      rel = "more", size = "n", max_size = 4, total = { header = "X-Total" } } },
    ["URLs"] = { paging = { type = "next_url", next = "/links/next", previous = "/links/previous", size = "n" } },
    ["pages with a total"] = { paging = { type = "page", query = "page", total = "/total", size = "n", max_size = 9 } },
    ["pages from 0, and how many"] = { paging = { type = "page", query = "page", start = 0, pages = "/pages" } },
    ["pages until a short one"] = { paging = { type = "page", query = "p", size = "n", max_size = 4,
      ends = "short_page" } },
    ["pages with a flag"] = { paging = { type = "page", query = "page", more = "/more" } },
    ["pages until an empty one"] = { paging = { type = "page", query = "page" } },
    ["offsets with a total"] = { paging = { type = "offset", query = "from", start = 1, total = { header = "X-Total" },
      size = "n" } },
    ["offsets with a flag"] = { paging = { type = "offset", query = "from", last = "/last", size = "n",
      max_size = 3 } },
    ["the last item's token"] = { id = "uuid", paging = { type = "after", query = "after", before = "before",
      item = { "/key/token", "/uuid" }, total = "/total", size = "n", max_size = 10 } },
    ["ids inside of users"] = { id = "/node/key", items = "/edges", fields = { email = "/node/email" }, paging = {
      type = "cursor", query = "after", next = "/pageInfo/endCursor", more = "/pageInfo/hasNextPage", size = "first",
      max_size = 7 } },
    ["ids of any JSON"] = { path = "/search", method = "POST", paging = { type = "after", body = "/after", item = "/id",
      token = "json", size = { body = "/size" } } },
    ["what follows, inside of users"] = { id = "/node/key", paging = { type = "after", query = "after",
      item = "/node/key", size = "n", max_size = 10 } },
    ["offsets by the size"] = { paging = { type = "offset", query = "from", step = "size", total = "/total", size = "n",
      max_size = 3 } },
    ["URLs with a last text"] = { paging = { type = "next_url", next = "/next", final = { "end" } } },
    ["one body"] = { paging = { type = "none" } },
  }

  -- As the collections of one provider, each by its name.
  local all = provider { paging = { type = "none" } }
  all.collections = {}
  for name, collection in pairs(shapes) do
    all.collections[name:gsub("%W+", "_")] = provider(collection).users
  end
  local report_of_all
  setup(function()
    report_of_all = rollcall.conformance(all)
  end)

  for name in pairs(all.collections) do
    it("passes what is right: " .. name:gsub("_", " "), function()
      local tried = 0
      for _, case in ipairs(report_of_all.cases) do
        if case.collection == name then
          assert.is_true(case.passed, ("%s: %s"):format(case.name, tostring(case.message)))
          tried = tried + (case.status == "passed" and 1 or 0)
        end
      end
      assert.is_true(tried >= 9)
    end)
  end

  it("tries empty pages wherever they are not the end", function()
    local tried = {}
    for _, case in ipairs(report_of_all.cases) do
      if case.name == "goes on behind empty pages" then
        tried[case.collection] = case.status
      end
    end
    for _, name in ipairs { "pages_with_a_flag", "pages_with_a_total", "pages_from_0_and_how_many",
      "offsets_with_a_flag" } do
      assert.equal("passed", tried[name], name)
    end
    assert.equal("unfit", tried.pages_until_an_empty_one)
  end)

  local wrong = {
    { "two members are one", { paging = { type = "cursor", query = "after", next = "/next", more = "/next" } },
      "/next is said to be two things" },
    { "nothing ends it", { paging = { type = "cursor", query = "after", next = "/next", ends = {} } },
      "nothing that it declares ends a walk" },
    { "the item's token is the id's object", { paging = { type = "after", query = "after", item = "/id/token" } },
      "paging.item: /id/token cannot stand there" },
  }
  local all_wrong = provider { paging = { type = "none" } }
  all_wrong.collections = {}
  for i, case in ipairs(wrong) do
    all_wrong.collections["wrong_" .. i] = provider(copy_with(case[2])).users
  end
  local report_of_wrong
  setup(function()
    report_of_wrong = rollcall.conformance(all_wrong)
  end)

  for i, case in ipairs(wrong) do
    it("fails what is wrong: " .. case[1], function()
      local messages = {}
      for _, one in ipairs(report_of_wrong.cases) do
        messages[#messages + 1] = one.collection == "wrong_" .. i and not one.passed and one.name .. ": " .. one.message
          or nil
      end
      assert.is_true(#messages > 0)
      check.contains(table.concat(messages, "\n"), case[3])
    end)
  end

  it("fails a provider whose function has no headers", function()
    local mine = provider { paging = CURSOR }
    mine.auth = { type = "function", headers = function() return nil, "the clock is wrong" end }
    check.contains(rollcall.conformance(mine):failure().message, "auth.headers: the clock is wrong")
  end)

  it("takes values of options and filters from their declaration", function()
    local mine = provider { path = "/t/{tenant}/{kind}/people", paging = CURSOR, filters = {
      kind = { path = "kind", required = true, pattern = "^k%-%d+[xy]?$" },
      on = { query = "on", format = "date", required = true },
      ids = { query = "id", list = "bracket", format = "uuid" },
      many = { query = "m", list = "repeat", format = "integer", min = 5 },
      some = { header = "X-Some", list = "comma" },
      yes = { query = "yes", format = "boolean", default = false },
    } }
    mine.options = { tenant = { pattern = { "^%a%a%-[%d_]+$" }, expected = "a tenant", required = true } }
    local report = rollcall.conformance(mine)
    assert.is_true(report.passed, tostring(report))
    mine.options.tenant.pattern = { "^%f[%w][^x]*$" }
    check.misuse(function() rollcall.conformance(mine) end, "conformance: client.tenant: missing; expected a tenant")
    assert.is_true(rollcall.conformance(mine, { client = { tenant = "abc" } }).passed)
  end)
end)

describe("a report", function()
  local API = apis["one body"]
  local function run(change)
    return rollcall.conformance(provider(copy_with(API.collection, change)),
      { hostile = false, examples = { users = API.pages } })
  end

  it("prints itself", function()
    check.contains(tostring(run()), "acme: users\n", "  ok     finds the items",
      "5 passed, 0 failed, 0 unknown, 0 not for it")
    local text = tostring(run(function(c) c.items = "/data" end))
    check.contains(text, "  FAILED finds the items of the documented answers\n         items: /data leads to no array")
    check.contains(text, '; did you mean "", the document itself?')
  end)

  it("says that nothing was compared where there is no example", function()
    local report = rollcall.conformance(provider(copy_with(API.collection)), { hostile = false })
    assert.is_true(report.passed)
    assert.equal("unknown", report.cases[1].status)
    check.contains(tostring(report), "nothing was given to compare it with: examples.users")
  end)

  it("is cases for busted", function()
    local titles, cases, waiting = {}, {}, {}
    local function tell(report, pending)
      report:busted(function(title, f) titles[#titles + 1] = title f() end, function(title, f) cases[title] = f end,
        pending)
    end
    tell(run(function(c) c.id = "uuid" end))
    assert.same({ "acme: users" }, titles)
    cases["finds the items of the documented answers"]()
    local good, problem = pcall(cases["knows the documented items by their ids"])
    assert.is_false(good)
    check.contains(problem, "no field uuid")
    tell(rollcall.conformance(provider(copy_with(API.collection)), { hostile = false }), function(title)
      waiting[#waiting + 1] = title
    end)
    assert.equal(1, #waiting)
    check.contains(waiting[1], "examples.users")
  end)

  it("is of each collection", function()
    local mine = provider(copy_with(API.collection))
    mine.collections = { teams = copy_with(API.collection, function(c) c.path = "/teams" end) }
    local report = rollcall.conformance(mine, { hostile = false, examples = { teams = API.pages, users = API.pages } })
    assert.equal(10, #report.cases)
    assert.equal("teams", report:failure().collection)
    check.contains(report:failure().message, "it asks for /v2/teams, and the documentation for /people")
  end)
end)

describe("rollcall.conformance", function()
  local mine = provider(copy_with(apis["one body"].collection))

  it("takes a built-in provider by its name", function()
    assert.equal("okta", rollcall.conformance("okta", { hostile = false }).provider)
    check.misuse(function() rollcall.conformance "oktra" end, 'conformance: there is no provider "oktra"')
  end)

  it("takes a provider that was checked before", function()
    assert.is_true(rollcall.conformance(rollcall.provider(mine), { hostile = false }).passed)
  end)

  it("refuses what it does not know, at the caller's line", function()
    check.misuse(function() rollcall.conformance(5) end, "expected table")
    check.misuse(function() rollcall.conformance { name = "x" } end, "provider x:", "users: missing")
    check.misuse(function() rollcall.conformance(mine, { example = {} }) end,
      "example: unknown; did you mean examples?")
    check.misuse(function() rollcall.conformance(mine, { examples = { user = {} } }) end, "examples.user: unknown")
    check.misuse(function() rollcall.conformance(mine, { examples = { users = {} } }) end,
      "examples.users: expected a list")
    check.misuse(function() rollcall.conformance(mine, { examples = { users = { { response = 5 } } } }) end,
      "examples.users.1.response: expected the text of a body")
    check.misuse(function() rollcall.conformance(mine, { examples = { users = { { response = "",
      request = "people" } } } }) end,
      "examples.users.1.request: expected a request")
    check.misuse(function() rollcall.conformance(mine, { client = { colour = "red" } }) end,
      "conformance: acme: colour")
    check.misuse(function() rollcall.conformance(mine, { query = { users = { colour = "red" } } }) end,
      "colour: unknown")
  end)

  it("says that it needs LuaSocket", function()
    local socket = package.loaded.socket
    package.loaded.socket, package.preload.socket = nil, function() error "not installed" end
    local good, message = pcall(check.misuse, function() rollcall.conformance(mine) end,
      "conformance: it needs LuaSocket", "luarocks install luasocket")
    package.loaded.socket, package.preload.socket = socket, nil
    assert(good, message)
  end)

  it("sends nothing beyond this machine, whatever addresses and proxies there are", function()
    local hosts = {}
    local on = { request = function(event)
      hosts[event.url:match "^(%a+://[^:/]+)"] = true
    end }
    local elsewhere = copy_with(mine, function(p)
      p.base_url.sandbox = "https://sandbox.acme.example/v3"
      p.auth = { type = "client_credentials", url = "https://login.acme.example/token", body = "form",
        credentials = "body" }
    end)
    local examples = { users = apis["one body"].pages }
    for _, client in ipairs { { base_url = "https://other.acme.example/v4", on = on }, { environment = "sandbox",
      on = on },
      { on = on, proxy = "http://proxy.acme.example:3128" } } do
      local report = rollcall.conformance(elsewhere, { client = client, examples = examples })
      assert.is_true(report.passed, tostring(report))
    end
    assert.same({ ["http://127.0.0.1"] = true }, hosts)
    check.misuse(function() rollcall.conformance(mine, { client = { base_url = "acme" } }) end,
      "conformance: client.base_url: expected an http or https URL")
  end)

  it("shows no secret of its caller", function()
    local report = rollcall.conformance(mine, { client = { token = "tok-7f3a" }, hostile = false,
      examples = { users = { { request = "/other", response = "[]", last = true } } } })
    check.no_secret(check.copy(report.cases), { "tok-7f3a" })
    check.no_secret(tostring(report), { "tok-7f3a" })
  end)

  it("does not change what it is given", function()
    local options = { examples = { users = apis["one body"].pages }, hostile = false, client = { token = "t" } }
    local before, declared = check.copy(options), check.copy(mine)
    rollcall.conformance(mine, options)
    check.same(before, options)
    check.same(declared, mine)
  end)

  it("leaves no socket open", function()
    local server = require "rollcall.conformance.server"
    local one = server.start(function() return { body = cjson.encode {} } end)
    local port = one.url:match ":(%d+)$"
    one:stop()
    assert.is_nil((require("socket").connect("127.0.0.1", tonumber(port))))
  end)
end)
