-- Whole walks by every paging type, over a server that answers as such an API does.

local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local rollcall = require "rollcall"

local SIZE = 3
local COUNT = 10 -- of users: three whole pages and a short one

local server
setup(function()
  server = require("spec.support.server").start()
end)
teardown(function()
  server:stop()
end)

local function users_from(first, last)
  local list = {}
  for number = first, math.min(last, COUNT) do
    list[#list + 1] = ('{"id":"u%d","key":{"token":"k%d"}}'):format(number, number)
  end
  return "[" .. table.concat(list, ",") .. "]"
end

local function all_ids(from)
  local list = {}
  for number = from or 1, COUNT do
    list[#list + 1] = "u" .. number
  end
  return table.concat(list, " ")
end

local PAGES = math.ceil(COUNT / SIZE)

local function page_of(number)
  return users_from((number - 1) * SIZE + 1, number * SIZE)
end

local function with(map, more)
  local twin = {}
  for _, one in ipairs { map, more or {} } do
    for key, value in pairs(one) do
      twin[key] = value
    end
  end
  return twin
end

-- Each has a declaration and what the server says to each request; `pages` leaves out the requests that are sent
-- only because nothing says that a page is the last one.
local shapes = {}

shapes["cursor"] = {
  paging = { type = "cursor", query = "c", next = "/next", previous = "/prev", size = "n", max_size = SIZE },
  token = "t4",
  script = function()
    local answers = {}
    for number = 1, PAGES do
      local target = "/people?n=3" .. (number > 1 and "&c=t" .. number or "")
      answers[target] = { { body = ('{"data":%s,"next":%s,"prev":%s}'):format(page_of(number),
        number < PAGES and ('"t%d"'):format(number + 1) or "null",
        number > 1 and ('"t%d"'):format(number - 1) or "null") } }
    end
    answers["/people?n=3&c=t1"] = answers["/people?n=3"]
    return answers
  end,
}

shapes["cursor in a header"] = {
  paging = { type = "cursor", query = "c", next = { header = "X-Next" }, previous = { header = "X-Prev" } },
  token = "t4",
  script = function()
    local answers = {}
    for number = 1, PAGES do
      local headers = {}
      headers[#headers + 1] = number < PAGES and ("X-Next: t%d"):format(number + 1) or nil
      headers[#headers + 1] = number > 1 and ("X-Prev: t%d"):format(number - 1) or nil
      answers["/people" .. (number > 1 and "?c=t" .. number or "")] =
        { { body = ('{"data":%s}'):format(page_of(number)), headers = headers } }
    end
    answers["/people?c=t1"] = answers["/people"]
    return answers
  end,
}

shapes["link"] = {
  paging = { type = "link", previous = "prev", size = "n", max_size = SIZE },
  token = "/people?n=3&page=4",
  script = function()
    local answers = {}
    for number = 1, PAGES do
      local links = { '<https://acme.example/help>; rel="help"' }
      if number < PAGES then
        -- Relative in three ways.
        local target = ({ "?n=3&page=%d", "/people?n=3&page=%d", "people?n=3&page=%d" })[number % 3 + 1]
        links[#links + 1] = ("<" .. target .. '>; title="a, \\"b\\"; c"; rel="up next"'):format(number + 1)
      end
      if number > 1 then
        links[#links + 1] = ("<?n=3&page=%d>; rel=prev"):format(number - 1)
      end
      local headers = { "Link: " .. table.concat(links, ", ", 1, 2) }
      headers[2] = links[3] and "Link: " .. links[3] or nil
      answers["/people?n=3&page=" .. number] = { { body = ('{"data":%s}'):format(page_of(number)), headers = headers } }
    end
    answers["/people?n=3"] = answers["/people?n=3&page=1"]
    return answers
  end,
}

shapes["next_url"] = {
  paging = { type = "next_url", next = "/links/next", previous = "/links/prev", size = "n", max_size = SIZE },
  token = "/people?p=4",
  script = function()
    local answers = {}
    for number = 1, PAGES do
      local function link(other)
        local target = number % 2 == 0 and "/people?p=%d" or server.url .. "/people?p=%d#there"
        return other >= 1 and other <= PAGES and cjson.encode(target:format(other)) or "null"
      end
      answers["/people?p=" .. number] = { { body = ('{"data":%s,"links":{"next":%s,"prev":%s}}'):format(
        page_of(number), link(number + 1), link(number - 1)) } }
    end
    answers["/people?n=3"] = answers["/people?p=1"]
    return answers
  end,
}

local function numbered(start, extra, beyond)
  return function()
    local answers = {}
    for number = 1, PAGES + 1 do
      if number <= PAGES or beyond then
        answers[("/people?n=3&page=%d"):format(number - 1 + start)] = number > PAGES and { beyond }
          or { with({ body = ('{"data":%s%s}'):format(page_of(number), extra and extra(number) or "") }) }
      end
    end
    return answers
  end
end

local NUMBERED = { type = "page", query = "page", size = "n", max_size = SIZE }

shapes["page, with a total"] = { paging = with(NUMBERED, { total = "/total" }), token = "4",
  script = numbered(1, function() return ',"total":10' end) }
shapes["page from 0, with how many pages"] = { token = "3",
  paging = with(NUMBERED, { start = 0, pages = "/meta/pages" }),
  script = numbered(0, function() return ',"meta":{"pages":4}' end) }
shapes["page, with a flag on the last"] = { paging = with(NUMBERED, { last = "/last" }), token = "4",
  script = numbered(1, function(number) return ',"last":' .. tostring(number == PAGES) end) }
shapes["page, with a flag for more"] = { paging = with(NUMBERED, { more = "/more" }), token = "4",
  script = numbered(1, function(number) return ',"more":' .. tostring(number < PAGES) end) }
shapes["page, until an empty one"] = { paging = NUMBERED, token = "4",
  script = numbered(1, nil, { body = '{"data":[]}' }) }
shapes["page, until a short one"] = { paging = with(NUMBERED, { ends = "short_page" }), token = "4",
  script = numbered(1) }

local function offsets(start, extra, size, beyond)
  return function()
    local answers = {}
    for from = 0, COUNT, size do
      local body = ('{"data":%s%s}'):format(users_from(from + 1, from + size), extra or "")
      answers[("/people?n=3&from=%d"):format(from + start)] = { { body = body } }
    end
    if beyond then
      answers[("/people?n=3&from=%d"):format(COUNT + start)] = { { body = '{"data":[]}' } }
    end
    return answers
  end
end

local OFFSET = { type = "offset", query = "from", size = "n", max_size = SIZE }

shapes["offset, with a total"] = { paging = with(OFFSET, { total = "/total" }), token = "9",
  script = offsets(0, ',"total":10', SIZE) }
shapes["offset from 1, with a total in a header"] = { token = "10",
  paging = with(OFFSET, { start = 1, total = { header = "X-Total-Count" } }), script = function()
    local answers = offsets(1, nil, SIZE)()
    for _, list in pairs(answers) do
      list[1].headers = { "X-Total-Count: 10" }
    end
    return answers
  end }
shapes["offset, until an empty page"] = { paging = OFFSET, token = "9", script = offsets(0, nil, SIZE, true) }
shapes["offset, of a server that gives two where three were asked for"] = { paging = with(OFFSET, { total = "/total" }),
  token = "8", script = offsets(0, ',"total":10', 2), only_forward = true }

shapes["offset, with a total, of a server whose pages are short"] = { token = "8", only_forward = true,
  paging = with(OFFSET, { total = "/total", ends = "short_page" }), script = offsets(0, ',"total":10', 2) }

local function behind(flag)
  return function()
    local answers = {}
    for from = 0, COUNT do
      local body = ('{"data":%s%s}'):format(users_from(from + 1, from + SIZE),
        flag and ',"more":' .. tostring(from + SIZE < COUNT) or "")
      answers["/people?n=3" .. (from > 0 and "&after=k" .. from or "")] = { { body = body } }
      local first = math.max(1, from - SIZE)
      answers["/people?n=3&before=k" .. from] = { { body = ('{"data":%s%s}'):format(users_from(first, from - 1),
        flag and ',"more":' .. tostring(first > 1) or "") } }
    end
    return answers
  end
end

local AFTER = { type = "after", query = "after", before = "before", item = { "/nothing", "/key/token" }, size = "n",
  max_size = SIZE }

shapes["after, until an empty page"] = { paging = AFTER, token = "k9", script = behind(false) }
shapes["after, with a flag for more"] = { paging = with(AFTER, { more = "/more" }), token = "k9",
  script = behind(true) }

local function client(shape, options)
  return rollcall.client({
    name = "acme",
    base_url = { production = "https://api.acme.example" },
    users = { path = "/people", items = "/data", empty = shape.empty, paging = shape.paging },
  }, with({ token = "tok-7f3a", base_url = server.url, retry = { base = 0.001 } }, options))
end

--- The ids of what is left of a walk.
local function ids_of(users)
  local list, err = users:collect()
  local ids = {}
  for i, user in ipairs(list or err.before) do
    ids[i] = user.id
  end
  return table.concat(ids, " "), err
end

local function walk(shape, query, options)
  server:script(shape.script())
  return client(shape, options):users(query)
end

local function good(shape, query, options)
  local ids, err = ids_of((walk(shape, query, options)))
  assert.is_nil(err and tostring(err))
  return ids
end

local names = {}
for name in pairs(shapes) do
  names[#names + 1] = name
end
table.sort(names)

for _, name in ipairs(names) do
  local shape = shapes[name]

  describe("a walk by " .. name, function()
    it("gives every user once, in order, however far ahead it fetches", function()
      for _, prefetch in ipairs { 0, 1, 2, 5, 64 } do
        assert.equal(all_ids(), good(shape, { prefetch = prefetch }))
      end
    end)

    it("asks for no page twice, and fetches nothing before it is needed", function()
      for _, prefetch in ipairs { 0, 8 } do
        assert.equal(all_ids(), good(shape, { prefetch = prefetch }))
        local asked, known = server:requests "/people", {}
        for _, request in ipairs(asked) do
          assert.is_nil(known[request.target], request.target)
          known[request.target] = true
        end
      end
      local users = walk(shape, { prefetch = 0 })
      assert(users:next())
      assert.equal(1, #server:requests "/people")
    end)

    it("stops at its limit, and asks for no page behind it", function()
      for _, prefetch in ipairs { 0, 1, 5 } do
        for _, limit in ipairs { 1, 2, 4, 6, 9 } do
          assert.equal(all_ids():match(("%S+ ?"):rep(limit)):gsub(" $", ""), good(shape,
            { limit = limit, prefetch = prefetch }))
        end
      end
    end)

    it("goes on from a checkpoint after any user", function()
      for taken = 0, COUNT do
        local users = walk(shape)
        local ids = {}
        for i = 1, taken do
          ids[i] = assert(users:next()).id
        end
        local saved = users:checkpoint()
        check.no_secret(saved, { "tok-7f3a" })
        users:close()
        local rest = good(shape, { resume = saved })
        assert.equal(all_ids(), table.concat(ids, " ") .. (taken > 0 and rest ~= "" and " " or "") .. rest)
      end
    end)

    it("refuses a checkpoint of a page that was changed", function()
      local users = walk(shape)
      for _ = 1, 4 do
        assert(users:next())
      end
      local saved = cjson.decode(users:checkpoint())
      for _, position in ipairs { { token = "", number = 1.5, offset = -1, url = "https://evil.example/people" },
        { token = 5, number = "x", offset = {}, url = "//evil.example/" } } do
        saved.position = position
        check.misuse(function() client(shape):users { resume = cjson.encode(saved) } end, "resume: ")
      end
    end)

    it("begins at a page", function()
      for _, prefetch in ipairs { 0, 1, 4 } do
        local begins = tonumber(shape.token:match "^k?(%d+)$") or 4
        local number = shape.paging.type == "after" and begins + 1
          or shape.paging.type == "offset" and begins + 1 - (shape.paging.start or 0) or 10
        assert.equal(all_ids(number), good(shape, { page_token = shape.token, prefetch = prefetch }))
      end
    end)

    if not shape.only_forward then
      it("goes backwards", function()
        local expected = {}
        for number = COUNT, 1, -1 do
          expected[#expected + 1] = "u" .. number
        end
        for _, prefetch in ipairs { 0, 1, 4 } do
          assert.equal(table.concat(expected, " "), good(shape,
            { direction = "backward", page_token = shape.token, prefetch = prefetch }))
        end
      end)

      it("goes backwards from a checkpoint", function()
        for taken = 1, COUNT, 2 do
          local users = walk(shape, { direction = "backward", page_token = shape.token })
          local last
          for _ = 1, taken do
            last = assert(users:next()).id
          end
          assert.equal("u" .. COUNT + 1 - taken, last)
          local rest = good(shape, { direction = "backward", resume = users:checkpoint() })
          assert.equal(COUNT - taken, select(2, rest:gsub("%S+", "")))
        end
      end)
    end

    it("fetches a body that breaks off again, each user once", function()
      for _, prefetch in ipairs { 0, 1, 4 } do
        local answers = shape.script()
        for _, list in pairs(answers) do
          table.insert(list, 1, with(list[1], { cut = math.floor(#list[1].body * 0.7) }))
        end
        server:script(answers)
        local mine = client(shape, { retry = { base = 0.001, quota = 10000 } })
        local ids, err = ids_of((mine:users { prefetch = prefetch }))
        assert.is_nil(err and tostring(err))
        assert.equal(all_ids(), ids)
      end
    end)

    it("tells of its pages", function()
      local users = walk(shape)
      local count, infos, first = 0, {}, nil
      for list, page in users:pages() do
        first = first or #list
        count = count + #list
        infos[#infos + 1] = page
        assert.equal(#infos, page.number)
      end
      assert.equal(COUNT, count)
      for i = 1, #infos - 1 do
        assert.equal(infos[i].next, infos[i + 1].token)
      end
      -- What a page says of the next one is what page_token takes.
      assert.equal(all_ids(first + 1), good(shape, { page_token = infos[1].next }))
    end)

    it("keeps to its budget", function()
      local ids, err = ids_of((walk(shape, { max_requests = 2, prefetch = 4 })))
      check.failure(err, "budget", { "tok-7f3a" })
      assert.equal(1, (all_ids():find(ids, 1, true)))
      assert.equal(2, #server:requests "/people")
    end)

    it("is a loop where the server ignores the parameter, and gives none of its users twice", function()
      for _, prefetch in ipairs { 0, 1, 4 } do
        local body
        for target, list in pairs(shape.script()) do
          -- The first page, whatever is asked for.
          if target == "/people?n=3" or target == "/people"
            or target == "/people?n=3&page=" .. (shape.paging.start or 1)
            or target == "/people?n=3&from=" .. (shape.paging.start or 0) then
            body = list[1]
          end
        end
        server:script { ["/people"] = { body } }
        local ids, err = ids_of((client(shape):users { prefetch = prefetch }))
        check.failure(err, "loop", { "tok-7f3a" })
        assert.equal(1, (all_ids():find(ids, 1, true)))
        assert.is_true(#server:requests "/people" <= 2 + prefetch)
        local place = shape.paging.query
        if place then
          check.contains(err.message, "parameter " .. place)
        end
      end
    end)
  end)
end

describe("a next link", function()
  local LINK = { paging = { type = "link" } }
  local NEXT = { paging = { type = "next_url", next = "/next" } }

  --- A walk whose first page leads there.
  local function led(reference)
    server:script { ["/people"] = { { body = cjson.encode { data = { { id = "u1" } }, next = reference },
      headers = { "Link: <" .. reference .. ">; rel=next" } } },
      ["/people?page=2"] = { { body = '{"data":[{"id":"u2"}]}' } } }
  end

  it("to another origin is an error that names it, and nothing is sent there", function()
    local other = require("spec.support.server").start()
    other:script { ["/people"] = { { body = "{}" } } }
    local port = other.url:match ":(%d+)$"
    for reference, shown in pairs {
      [other.url .. "/people"] = other.url,
      ["//127.0.0.1:" .. port .. "/people"] = other.url,
      ["http://localhost:" .. server.url:match ":(%d+)$" .. "/people"] = "http://localhost:",
      ["https://" .. server.url:match "//(.*)$" .. "/people"] = "https://127.0.0.1:",
      ["http://evil.example/people"] = "http://evil.example:80",
    } do
      for _, shape in ipairs { LINK, NEXT } do
        led(reference)
        local ids, err = ids_of((client(shape):users()))
        assert.equal("u1", ids)
        check.failure(err, "http", { "tok-7f3a" })
        assert.equal("other_origin", err.code)
        check.contains(err.message, "another origin", shown)
        assert.equal(1, #server:requests())
        assert.same({}, other:requests())
        assert.is_string(err.checkpoint)
      end
    end
    other:stop()
  end)

  it("may name the script's own user, who is one of the directory", function()
    server:script { ["/people"] = { { body = '{"data":[{"id":"u1"}],"next":"/people?after=adalovelace"}' } },
      ["/people?after=adalovelace"] = { { body = '{"data":[{"id":"u2"}],"next":"/people?after=hunter22"}' } } }
    local users = rollcall.client({ name = "acme", base_url = false, auth = { type = "basic" },
      users = { path = "/people", items = "/data", paging = NEXT.paging } },
      { base_url = server.url, username = "adalovelace", password = "hunter22" }):users()
    local ids, err = ids_of((users))
    assert.equal("u1 u2", ids)
    check.failure(err, "decode", { "hunter22" })
    check.contains(err.message, "names a secret of this client")
  end)

  it("that leads back to where it began is a loop, and asks for nothing twice", function()
    for _, shape in ipairs { LINK, NEXT } do
      server:script { ["/people"] = { { body = '{"data":[{"id":"u1"}],"next":"/people"}',
        headers = { "Link: </people>; rel=next" } } } }
      local ids, err = ids_of((client(shape):users()))
      check.failure(err, "loop")
      assert.equal("u1", ids)
      assert.equal(1, #server:requests())
    end
  end)

  it("that is none is an error", function()
    for _, reference in ipairs { "ftp://127.0.0.1/x", "http://", "http://user:pass@127.0.0.1/", "mailto:a@b" } do
      for _, shape in ipairs { LINK, NEXT } do
        led(reference)
        local ids, err = ids_of((client(shape):users()))
        assert.equal("u1", ids)
        check.failure(err, "decode", { "tok-7f3a" })
        assert.equal(1, #server:requests())
      end
    end
  end)

  it("with blanks and other letters in it is mended", function()
    server:script { ["/people"] = { { body = '{"data":[{"id":"u1"}],"next":"?q=a b ø|{x}"}' } },
      ["/people?q=a%20b%20%C3%B8%7C%7Bx%7D"] = { { body = '{"data":[{"id":"u2"}]}' } } }
    assert.equal("u1 u2", ids_of((client(NEXT):users())))
  end)

  it("of a header that cannot be read is an error, not an end", function()
    for _, header in ipairs { "Link: </people?page=2; rel=next", 'Link: </x>; rel="next', "Link: people; rel=next" } do
      server:script { ["/people"] = { { body = '{"data":[{"id":"u1"}]}', headers = { header } } } }
      local _, err = ids_of((client(LINK):users()))
      check.failure(err, "decode")
      check.contains(err.message, "Link header")
    end
  end)

  it("as page_token is kept to the origin, too", function()
    for _, shape in ipairs { LINK, NEXT } do
      check.misuse(function() client(shape):users { page_token = "https://evil.example/people" } end,
        "page_token: ", "another origin, https://evil.example:443")
    end
  end)

  it("is followed by the headers of the first request", function()
    led "/people?page=2"
    local mine = rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      headers = { Accept = "application/x+json" },
      users = { path = "/people", items = "/data", paging = LINK.paging, filters = { org = { header = "X-Org" } } },
    }, { token = "tok-7f3a", base_url = server.url })
    assert.equal("u1 u2", ids_of((mine:users { org = "acme" })))
    for _, request in ipairs(server:requests()) do
      assert.equal("acme", request.headers["x-org"])
      assert.equal("Bearer tok-7f3a", request.headers.authorization)
      local accept = 0
      for _, line in ipairs(request.lines) do
        accept = accept + (line:lower():find "^accept:" and 1 or 0)
      end
      assert.equal(1, accept)
      assert.equal("application/x+json", request.headers.accept)
    end
  end)
end)

describe("pages asked for ahead", function()
  local TOTAL = shapes["page, with a total"]

  it("are under way together, and their users come in order", function()
    local answers = TOTAL.script()
    for target, list in pairs(answers) do
      -- The later the page, the sooner it is there.
      list[1].delay = target:find "page=1$" and 0 or (5 - tonumber(target:match "%d$")) * 0.5
    end
    server:script(answers)
    local began = core.now()
    assert.equal(all_ids(), ids_of((client(TOTAL):users { prefetch = 3 })))
    assert.is_true(core.now() - began < 2.8) -- one after the other they take 3 s
    local first, last = math.huge, 0
    for i, request in ipairs(server:requests()) do
      if i > 1 then
        first, last = math.min(first, request.time), math.max(last, request.time)
      end
    end
    assert.is_true(last - first < 0.5) -- before the first of them was answered
    assert.equal(4, #server:requests())
  end)

  it("are given up where they lie beyond the end, whatever they answer", function()
    for _, beyond in ipairs { { status = 404, body = "{}" }, { status = 400, body = "no" }, { body = '{"data":[]}' },
      { silent = true }, { body = "<html>", type = "text/html" }, { body = '{"data":[{"id":"stranger"}]}' } } do
      server:script(with(shapes["page, with a flag on the last"].script(), { ["/people"] = { beyond } }))
      local users = client(shapes["page, with a flag on the last"], { retry = false }):users { prefetch = 6 }
      assert.equal(all_ids(), (ids_of((users))))
      assert.equal("exhausted", users:reason())
      assert.equal(PAGES, users:stats().pages)
    end
  end)

  it("are asked for again where the server gives less than it was asked for", function()
    local capped = shapes["offset, of a server that gives two where three were asked for"]
    local answers = capped.script()
    answers["/people?n=3&from=6"] = { { body = ('{"data":%s,"total":10}'):format(users_from(7, 7)) } }
    answers["/people?n=3&from=7"] = { { body = ('{"data":%s,"total":10}'):format(users_from(8, 10)) } }
    for _, prefetch in ipairs { 0, 1, 2, 5 } do
      server:script(answers)
      local users = client(capped):users { prefetch = prefetch }
      assert.equal(all_ids(), (ids_of((users))))
    end
  end)

  it("are all asked for where a total says that a short page is not the last", function()
    local answers = {}
    for number = 1, 5 do
      answers["/people?n=3&page=" .. number] = { { body = ('{"data":%s,"total":10}'):format(
        users_from(number * 2 - 1, number * 2)) } }
    end
    local paging = with(NUMBERED, { total = "/total", ends = "short_page" })
    for _, prefetch in ipairs { 0, 1, 5 } do
      server:script(answers)
      assert.equal(all_ids(), (ids_of((client({ paging = paging }):users { prefetch = prefetch }))))
    end
  end)

  it("are asked for once, where they are behind the end", function()
    local empty = { { body = '{"data":[]}' } }
    for place, paging in pairs { page = with(NUMBERED, { max_size = 100 }), from = with(OFFSET, { max_size = 100 }) } do
      local answers = {}
      for i = 0, 300 do
        answers[("/people?n=100&%s=%d"):format(place, i)] = empty
      end
      answers["/people?n=100&" .. (place == "page" and "page=1" or "from=0")] = {
        { body = ('{"data":%s}'):format(users_from(1, COUNT)) } }
      -- The page that ends the walk comes behind those that were asked for after it.
      answers["/people?n=100&" .. (place == "page" and "page=2" or "from=10")] = {
        { body = '{"data":[]}', delay = 0.3 } }
      server:script(answers)
      assert.equal(all_ids(), (ids_of((client({ paging = paging }):users { prefetch = 8 }))))
      local known = {}
      for _, request in ipairs(server:requests "/people") do
        assert.is_nil(known[request.target], request.target)
        known[request.target] = true
      end
    end
  end)

  it("count against the requests of the walk", function()
    server:script(TOTAL.script())
    local _, err = ids_of((client(TOTAL):users { prefetch = 5, max_requests = 3 }))
    check.failure(err, "budget")
    assert.equal(3, #server:requests())
  end)
end)

describe("an empty page", function()
  it("in the middle is not the end, where a total or a flag says that there is more", function()
    for _, case in ipairs {
      { with(NUMBERED, { total = "/total" }), true }, { with(NUMBERED, { more = "/more" }), true },
      { with(NUMBERED, { pages = "/pages" }), true }, { with(OFFSET, { total = "/total" }), false },
      { with(OFFSET, { more = "/more" }), false },
    } do
      local paging, by_number = case[1], case[2]
      for empty = 1, 3 do
        local answers = {}
        for number = 1, 4 do
          local target = by_number and "page=" .. number or "from=" .. (number - 1) * 3
          answers["/people?n=3&" .. target] = { { body = ('{"data":%s,"total":10,"more":%s,"pages":4}'):format(
            number == empty and "[]" or users_from((number - 1) * 3 + 1, number * 3), tostring(number < 4)) } }
        end
        -- Where what came is not all of a total, it asks once more.
        answers["/people?n=3&page=5"] = { { body = '{"data":[],"total":10,"more":false,"pages":4}' } }
        server:script(answers)
        local ids, err = ids_of((client({ paging = paging }):users()))
        assert.is_nil(err and tostring(err))
        assert.equal(7, select(2, ids:gsub("%S+", "")))
      end
    end
  end)

  it("that never ends is a loop, where the client counts the pages", function()
    server:script { ["/people"] = { { body = '{"data":[],"more":true}' } } }
    for _, paging in ipairs { with(NUMBERED, { more = "/more" }), with(OFFSET, { more = "/more" }) } do
      local _, err = ids_of((client({ paging = paging }):users()))
      check.failure(err, "loop")
      check.contains(err.message, "empty")
    end
  end)
end)

describe("an answer that a provider calls too many requests", function()
  it("is tried again as 429 is, and no other of its status", function()
    local function ids(text, attempts, status)
      local refused = { status = status or 403, body = ('{"error":{"message":"%s"}}'):format(text) }
      server:script { ["/people"] = { refused, { body = '{"data":[{"id":"a"}]}' } } }
      return ids_of((rollcall.client({ name = "acme", base_url = false,
        limited = { status = status or 403, message = "rateLimitExceeded" },
        users = { path = "/people", items = "/data", paging = { type = "none" } },
      }, { base_url = server.url, token = "tok-7f3a", retry = { base = 0.001, attempts = attempts } }):users()))
    end
    assert.equal("a", (ids("userRateLimitExceeded", 2)))
    check.failure(select(2, ids("userRateLimitExceeded", 1)), "rate_limit")
    check.failure(select(2, ids("not yours", 2)), "auth")
    assert.equal("a", (ids("userRateLimitExceeded", 2, 401)))
  end)

  it("may be 200, where it has no users, and one of several", function()
    local function client_of(answers, retry)
      server:script { ["/people"] = answers }
      return rollcall.client({ name = "acme", base_url = false,
        limited = { { status = 200, message = "ratelimited" }, { status = 400, message = "throttl" } },
        auth = { type = "bearer", expired = { status = 200, message = "token_expired" } },
        users = { path = "/people", items = "/data", paging = { type = "none" } },
      }, { base_url = server.url, token = "tok-7f3a", retry = retry or { base = 0.001 } }):users()
    end
    local page = { body = '{"data":[{"id":"a","x":"ratelimited token_expired"}],"error":"ratelimited"}' }
    local limited = { body = '{"ok":false,"error":"ratelimited"}' }
    assert.equal("a", (ids_of(client_of { limited, { status = 400, body = "Throttled" }, limited, page })))
    assert.equal("a", (ids_of(client_of { { body = '{"data":[],"error":"ratelimited"}' }, page })))
    check.failure(select(2, ids_of(client_of({ limited }, false))), "rate_limit")
    local expired = { body = '{"ok":false,"error":"token_expired"}' }
    local _, err = ids_of(client_of { expired })
    check.failure(err, "auth")
    check.contains(err.message, "token_expired")
    assert.is_true(#server:requests "/people" <= 2)
    check.failure(select(2, ids_of(client_of { { body = '{"ok":false,"error":"other"}' } })), "decode")
  end)
end)

describe("an empty page that ends walks", function()
  it("ends none that goes backwards from it", function()
    server:script { ["/people?c=t3"] = { { body = '{"data":[],"next":null,"prev":"t2"}' } },
      ["/people?c=t2"] = { { body = '{"data":[{"id":"a"},{"id":"b"}],"next":"t3","prev":null}' } } }
    local shape = { paging = { type = "cursor", query = "c", next = "/next", previous = "/prev",
      ends = { "null", "empty_page" } } }
    assert.equal("b a", (ids_of((client(shape):users { page_token = "t3", direction = "backward" }))))
    assert.equal("a b", (ids_of((client(shape):users { page_token = "t2" }))))
  end)
end)

describe("a total", function()
  it("is told with each page, however the pages are named", function()
    local next_page = { cursor = '"t2"', next_url = '"/people?c=t2"', link = "null", after = "null" }
    for kind, following in pairs(next_page) do
      local paging = { type = kind, query = (kind == "cursor" or kind == "after") and "c" or nil,
        next = (kind == "cursor" or kind == "next_url") and "/next" or nil, item = kind == "after" and "/id" or nil,
        more = kind == "after" and "/more" or nil, total = "/meta/total" }
      server:script {
        ["/people"] = { { headers = { 'Link: </people?c=t2>; rel="next"' },
          body = ('{"meta":{"total":2},"more":true,"next":%s,"data":[{"id":"t2"}]}'):format(following) } },
        ["/people?c=t2"] = { { body = '{"data":[{"id":"b"}],"more":false,"next":null}' } },
      }
      local told, walked = {}, client({ paging = paging }):users()
      for users, info in walked:pages() do
        told[#told + 1] = ("%d of %s"):format(#users, tostring(info.total))
      end
      assert.same({ "1 of 2", "1 of nil" }, told, kind)
      assert.equal(2, walked:stats().total)
      -- Nothing in the array's place is nobody then.
      server:script { ["/people"] = { { body = '{"meta":{"total":0},"data":null,"next":null}' } } }
      assert.equal("", (ids_of(client({ paging = paging }):users())), kind)
    end
  end)
end)

describe("a page of nobody without an array", function()
  local NEXT = '"next":"t2"}'

  local function ids(empty, answer, total)
    local paging = total and { type = "offset", query = "c", total = "/total" }
      or { type = "cursor", query = "c", next = "/next" }
    server:script { ["/people"] = { answer }, ["/people?c=t2"] = { { body = '{"data":[{"id":"b"}]}' } } }
    return ids_of((client { paging = paging, empty = empty }:users()))
  end

  it("is taken as the provider declares it, and captures what stands beside it", function()
    assert.equal("b", ids("null", { body = '{"data":null,' .. NEXT }))
    assert.equal("b", ids({ "absent", "null" }, { body = '{"data":null,' .. NEXT }))
    assert.equal("b", ids("absent", { body = "{" .. NEXT }))
    assert.equal("", ids("absent", { body = "{}" }))
    assert.equal("", ids("absent", { body = ' {"code":0,"message":"ok","error":null,"errors":[]}' }))
    assert.equal("", ids("absent", { body = '{"kind":"admin#directory#users","etag":"e"}' }))
    assert.equal("", ids("null", { body = '{"data":null,"title":"People","message":"","errorCode":0,"error":0}' }))
    assert.equal("", ids("null", { body = '{"data":null,"x":"' .. ("x"):rep(20000) .. '"}' }))
    assert.equal("", ids("absent", { status = 204, type = false, length = false }))
  end)

  it("is told by an answer that the provider declares, of success or not", function()
    local none = { status = 404, message = "no users found" }
    local nobody = '{"errors":[{"code":404,"message":"No users found"}]}'
    assert.equal("", (ids(none, { status = 404, body = nobody })))
    assert.equal("", ids({ "null", none }, { status = 404, body = nobody }))
    assert.equal("b", ids({ "null", none }, { body = '{"data":null,' .. NEXT }))
    local said = { status = 200, message = "NO_DATA" }
    for _, body in ipairs { '{"code":"no_data","message":"none"}', '{"data":[],"error":"no_data"}',
      '{"data":{},"error":"no_data"}' } do
      assert.equal("", ids({ said, none }, { body = body }))
    end
    for _, answer in ipairs { { status = 404, body = '{"message":"no such directory"}' },
      { status = 403, body = nobody }, { body = nobody } } do
      local found, err = ids(none, answer)
      assert.equal("", found)
      check.failure(err, answer.status == 403 and "auth" or answer.status and "http" or "decode")
    end
    -- Users are users, whatever stands beside them.
    assert.equal("b", ids(said, { body = '{"error":"no_data","data":[{"id":"b"}]}' }))
    -- It is the end, whatever else ends a walk.
    server:script { ["/people"] = { { status = 404, body = nobody } } }
    assert.equal("", (ids_of((client { empty = none, paging = { type = "cursor", query = "c", next = "/next",
      ends = "null" } }:users()))))
    local found, err = ids(none, { status = 404, body = nobody, cut = #nobody - 1 })
    assert.equal("", found)
    check.failure(err, "http")
  end)

  it("is taken where its total is 0", function()
    for _, body in ipairs { '{"data":null,"total":0}', '{"total":0,"data":null}', '{"total":0}' } do
      assert.equal("", ids(nil, { body = body }, true))
    end
  end)

  it("is an error otherwise", function()
    for _, case in ipairs {
      { nil, { body = '{"data":null,' .. NEXT }, "null_array" },
      { "absent", { body = '{"data":null,' .. NEXT }, "null_array" },
      { "null", { body = "{" .. NEXT }, "not_found" },
      { "absent", { body = '{"code":99991400,"msg":"too many requests"}' }, "not_found" },
      { "absent", { body = '{"error":{"code":17,"message":"m"}}' }, "not_found" },
      { "absent", { body = '{"message":"no such user"}' }, "not_found" },
      { "absent", { body = '{"success":false}' }, "not_found" },
      { "absent", { body = "[]" }, "not_found" },
      { "absent", { body = "null" }, "not_found" },
      { "null", { body = '{"data":null,"errors":[{"message":"m"}]}' }, "null_array" },
      { nil, { body = '{"error":"boom","total":0}' }, "not_found", true },
      { nil, { body = '{"ok":false,"message":"m","total":0,"data":null}' }, "null_array", true },
      { "null", { body = '{"data":{},' .. NEXT }, "not_array" },
      { "null", { body = '{"data":null,"data":[],' .. NEXT }, "second_value" },
      { "null", { status = 204, type = false, length = false }, "unexpected_end" },
      { nil, { body = '{"data":null,"total":1}' }, "null_array", true },
      { nil, { body = '{"data":{},"total":0}' }, "not_array", true },
    } do
      local found, err = ids(case[1], case[2], case[4])
      assert.equal("", found)
      check.failure(err, "decode")
      assert.equal(case[3], err.code)
    end
  end)
end)

describe("a server without an end", function()
  local TYPES = {
    { "fresh tokens", { type = "cursor", query = "c", next = "/next" }, "t%d" },
    { "fresh links", { type = "next_url", next = "/next" }, "/people?c=%d" },
  }
  for _, case in ipairs(TYPES) do
    local name, paging, lead = case[1], case[2], case[3]

    it("that gives the same single user with " .. name .. " is a loop", function()
      local answers = {}
      for number = 1, 150 do
        answers[number] = { body = ('{"data":[{"id":"u1"}],"next":"%s"}'):format(lead:format(number)) }
      end
      server:script { ["/people"] = answers }
      local users = client({ paging = paging }):users()
      local _, err = users:count()
      check.failure(err, "loop")
      assert.is_true(err.before <= 101, err.before)
      assert.equal("loop", users:reason())
    end)

    it("that gives empty pages with " .. name .. " is a loop", function()
      local answers = {}
      for number = 1, 10100 do
        answers[number] = { body = ('{"data":[],"next":"%s"}'):format(lead:format(number)) }
      end
      server:script { ["/people"] = answers }
      local users = client({ paging = paging }):users()
      local _, err = users:count()
      check.failure(err, "loop")
      check.contains(err.message, "10001 pages in a row are empty")
      assert.equal(10001, users:stats().pages)
    end)
  end

  it("is none where a user comes on many pages, but others between", function()
    local answers = {}
    for number = 1, 300 do
      answers[number] = { body = ('{"data":[{"id":"%s"}],"next":%s}'):format(number % 50 == 0 and "u" .. number or "u0",
        number < 300 and ('"t%d"'):format(number) or "null") }
    end
    server:script { ["/people"] = answers }
    assert.equal(300, client({ paging = TYPES[1][2] }):users():count())
  end)
end)

describe("the text of a next_url", function()
  it("may be one that means the end", function()
    server:script { ["/people"] = { { body = '{"data":[{"id":"a"}],"next":"/people?c=2"}' },
      { body = '{"data":[{"id":"b"}],"next":"none"}' } } }
    local ids, err = ids_of((client({ paging = { type = "next_url", next = "/next", final = { "none" } } }):users()))
    assert.is_nil(err)
    assert.equal("a b", ids)
  end)
end)

describe("offsets with step = size", function()
  -- The server slices first, and leaves out afterwards what the caller must not see: u2, and all of the third page.
  local function pages()
    local answers = {}
    for from = 0, 12, 3 do
      local list = {}
      for number = from + 1, math.min(from + 3, COUNT) do
        list[#list + 1] = number ~= 2 and (number < 7 or number > 9) and ('{"id":"u%d"}'):format(number) or nil
      end
      answers["/people?n=3&from=" .. from] = { { body = ('{"data":[%s],"total":10}'):format(table.concat(list, ",")) } }
    end
    return answers
  end
  local stepping = { paging = with(OFFSET, { step = "size", total = "/total" }) }

  it("advance by what was asked for", function()
    for _, prefetch in ipairs { 0, 1, 5 } do
      server:script(pages())
      local ids, err = ids_of((client(stepping):users { prefetch = prefetch }))
      assert.is_nil(err)
      assert.equal("u1 u3 u4 u5 u6 u10", ids)
      assert.equal(4, #server:requests())
    end
  end)

  it("go backwards by it, too", function()
    server:script(pages())
    local ids, err = ids_of((client(stepping):users { page_token = "9", direction = "backward" }))
    assert.is_nil(err)
    assert.equal("u10 u6 u5 u4 u3 u1", ids)
  end)
end)

describe("pages that come again", function()
  --- The users of the period's pages, over and over, by page numbers that always differ.
  local function cycle(period, before)
    local answers = {}
    for number = 1, 3 * period + before do
      local place = number <= before and number or (number - before - 1) % period + before + 1
      answers["/people?page=" .. number] = { { body = ('{"data":[{"id":"a%d"},{"id":"b%d"}]}'):format(place, place) } }
    end
    return answers
  end

  it("are a loop at any distance, and nobody is given twice", function()
    for _, period in ipairs { 1, 2, 7, 40 } do
      for _, before in ipairs { 0, 3 } do
        server:script(cycle(period, before))
        local users = client({ paging = { type = "page", query = "page" } }):users()
        local ids, err = ids_of((users))
        check.failure(err, "loop")
        local seen = {}
        for id in ids:gmatch "%S+" do
          assert.is_nil(seen[id])
          seen[id] = true
        end
        assert.equal(2 * (period + before), select(2, ids:gsub("%S+", "")))
        assert.equal("loop", users:reason())
      end
    end
  end)

  it("are told from pages that only begin alike", function()
    local function page(from, to)
      local list = {}
      for number = from, to do
        list[#list + 1] = { id = number }
      end
      table.insert(list, 1, { id = "pinned" })
      return { { body = cjson.encode { data = list } } }
    end
    server:script { ["/people?page=1"] = page(1, 20), ["/people?page=2"] = page(21, 40),
      ["/people?page=3"] = page(41, 42), ["/people?page=4"] = { { body = '{"data":[]}' } } }
    assert.equal(45, client({ paging = { type = "page", query = "page" } }):users():count())
  end)

  it("are known whatever a user's size and the watermark", function()
    local body = cjson.encode { data = { { id = 1, text = ("x"):rep(5000) }, { id = 2, text = ("x"):rep(5000) } } }
    server:script { ["/people"] = { { body = body, step = 1000, pause = 0.001 } } }
    for _, watermark in ipairs { 1, 100, 7000 } do
      local users = client({ paging = { type = "page", query = "page" } }, { watermark = watermark }):users()
      local n, err = users:count()
      assert.is_nil(n)
      check.failure(err, "loop")
      assert.is_true(err.before <= 4)
    end
  end)
end)

describe("a page that begins like one before it", function()
  it("is another one where its users have no id, or an empty one, and differ", function()
    for _, id in ipairs { "null", '""' } do
      local script = {}
      for i = 1, 4 do
        script["/people?page=" .. i] = { { body = ('{"data":[{"id":%s,"email":"a%d"},{"id":%s,"email":"b%d"}]}'):format(
          id, i, id, i) } }
      end
      script["/people?page=5"] = { { body = '{"data":[]}' } }
      server:script(script)
      assert.equal(8, client({ paging = { type = "page", query = "page" } }):users():count())
    end
  end)

  it("is read though its second user does not come before a transfer pauses", function()
    local large = {}
    for i = 3, 10 do
      large[#large + 1] = cjson.encode { id = i, text = ("x"):rep(150000) }
    end
    server:script {
      ["/people?page=1"] = { { body = '{"data":[{"id":1},{"id":2}]}' } },
      ["/people?page=2"] = { { body = '{"data":[{"id":1},' .. table.concat(large, ",") .. "]}" } },
      ["/people?page=3"] = { { body = '{"data":[]}' } },
    }
    assert.equal(11, client({ paging = { type = "page", query = "page" } }):users({ deadline = 20 }):count())
  end)
end)

describe("a collection that is asked for by POST", function()
  local function searching(paging, collection)
    return rollcall.client({
      name = "acme", base_url = { production = "https://api.acme.example" },
      users = with({ path = "/search", method = "POST", items = "/data", paging = paging }, collection),
    }, { token = "tok-7f3a", base_url = server.url, retry = { base = 0.001 } })
  end

  it("sends token, size and filters in its JSON body, and again after a failure", function()
    server:script { ["/search"] = { { status = 503 }, { body = '{"data":[{"id":1}],"next":"t2"}' },
      { body = '{"data":[{"id":2}],"next":"t3"}', cut = 12 }, { body = '{"data":[{"id":2}],"next":null}' } } }
    local mine = searching({ type = "cursor", body = "/page/after", size = { body = "/page/size" }, max_size = 50,
      next = "/next" }, {
      body = { kind = "person", page = { order = "id" } },
      filters = { state = { body = "/where/state", enum = { "on", "off" } }, age = { body = "/where/age",
        format = "integer" }, tags = { body = "/where/tags", list = "array" } },
    })
    local users = mine:users { state = "on", age = 42, tags = { "a", "b" } }
    assert.equal(2, users:count())
    local bodies = {}
    for i, request in ipairs(server:requests "/search") do
      assert.equal("POST", request.method)
      assert.equal("application/json", request.headers["content-type"])
      bodies[i] = cjson.decode(request.body)
    end
    local first = { kind = "person", page = { order = "id", size = 50 }, where = { state = "on", age = 42,
      tags = { "a", "b" } } }
    local second = check.copy(first)
    second.page.after = "t2"
    check.same({ first, first, second, second }, bodies)
  end)

  it("goes by numbers, too, which are numbers in JSON", function()
    server:script { ["/search"] = { { body = '{"data":[{"id":1}],"total":2}' },
      { body = '{"data":[{"id":2}],"total":2}' } } }
    local mine = searching { type = "page", body = "/page", total = "/total", size = { header = "X-Size" },
      max_size = 1 }
    assert.equal(2, mine:users():count())
    local requests = server:requests "/search"
    assert.equal('{"page":1}', requests[1].body)
    assert.equal('{"page":2}', requests[2].body)
    assert.equal("1", requests[1].headers["x-size"])
  end)
end)

describe("a script's own settings of lua-cjson", function()
  it("change no checkpoint", function()
    local script = ([[
      local cjson, rollcall = require "cjson", require "rollcall"
      cjson.encode_number_precision(3)
      cjson.decode_max_depth(1)
      local function users(query)
        return (rollcall.client({ name = "acme", base_url = { production = "https://api.acme.example" },
          users = { path = "/people", items = "", paging = { type = "offset", query = "o", size = "n", max_size = 3 } },
        }, { token = "tok-7f3a", base_url = %q }):users(query))
      end
      local first = users { page_token = "12345" }
      first:next()
      local saved = first:checkpoint()
      first:close()
      assert(users({ resume = saved }):next())
    ]]):format(server.url)
    server:script { ["/people"] = { { body = '[{"id":"1"},{"id":"2"},{"id":"3"}]' } } }
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write(script)
    file:close()
    local command = assert(os.getenv "RUN_LUA", "the specs are run by `make test`")
    local pipe = assert(io.popen(("%s '%s' 2>&1"):format(command, name)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(name)
    assert.equal("", output)
    for _, request in ipairs(server:requests()) do
      assert.is_truthy(request.target:find "[?&]o=1234[58]", request.target)
    end
  end)
end)

describe("a number of sixteen digits", function()
  it("is sent and kept as it is", function()
    server:script { ["/search"] = { { body = '{"data":[{"id":1}],"next":"t2"}' }, { body = '{"data":[{"id":2}]}' } } }
    local function users(query)
      return rollcall.client({ name = "acme", base_url = { production = "https://api.acme.example" },
        users = { path = "/search", method = "POST", items = "/data",
          paging = { type = "cursor", body = "/after", next = "/next" },
          filters = { n = { body = "/n", format = "integer" }, ids = { body = "/ids", list = "array",
            format = "integer" } } },
      }, { token = "tok-7f3a", base_url = server.url }):users(query)
    end
    local stream = users { n = 1234567890123456, ids = { 1, 1234567890123457 } }
    assert(stream:next())
    local saved = stream:checkpoint()
    check.contains(saved, "1234567890123456", "[1,1234567890123457]")
    check.contains(server:requests("/search")[1].body, '"n":1234567890123456', '"ids":[1,1234567890123457]')
    check.misuse(function() users { n = 1234567890123499, ids = { 1, 1234567890123457 }, resume = saved } end, "resume")
    stream:close()
  end)
end)

describe("links back to the start", function()
  it("are a loop after a checkpoint, too", function()
    server:script {
      ["/people"] = { { body = '{"data":[{"id":"a"},{"id":"b"}],"next":"/people?p=2"}' } },
      ["/people?p=2"] = { { body = '{"data":[{"id":"c"}],"next":"/people"}' } },
    }
    local paging = { paging = { type = "next_url", next = "/next" } }
    local first = client(paging):users()
    assert.equal("a", first:next().id)
    local ids, err = ids_of((client(paging):users { resume = first:checkpoint() }))
    assert.equal("b c", ids)
    check.failure(err, "loop")
    for _ = 1, 2 do
      first:next()
    end
    ids, err = ids_of((client(paging):users { resume = first:checkpoint() })) -- from the second page
    assert.equal("", ids)
    check.failure(err, "loop")
  end)

  it("is where a walk backwards ends", function()
    local pages = {
      ["/people"] = { { body = '{"data":[{"id":"a"}],"next":"/people?p=2"}' } },
      ["/people?p=2"] = { { body = '{"data":[{"id":"b"}],"next":"/people?p=3","before":"/people"}' } },
      ["/people?p=3"] = { { body = '{"data":[{"id":"c"},{"id":"d"}],"before":"/people?p=2"}' } },
    }
    local paging = { paging = { type = "next_url", next = "/next", previous = "/before" } }
    server:script(pages)
    local users = client(paging):users { direction = "backward", page_token = "/people?p=3" }
    assert.equal("d", users:next().id)
    server:script(pages)
    local ids, err = ids_of((client(paging):users { direction = "backward", resume = users:checkpoint() }))
    assert.equal("c b a", ids)
    assert.is_nil(err)
  end)

  it("are refused where they name a token with a separator in it", function()
    local secret = "tok-7f3a/secret9"
    local people = { paging = { type = "next_url", next = "/next" } }
    server:script {
      ["/people"] = { { body = '{"data":[{"id":"a"}],"next":"/people?p=tok-7f3a/x"}' } },
      ["/people?p=tok-7f3a/x"] = { { body = '{"data":[{"id":"b"}],"next":"/people?p=tok-7f3a/secret9"}' } },
    }
    local ids, err = ids_of((client(people, { token = secret }):users()))
    assert.equal("a b", ids)
    check.failure(err, "decode", { secret })
  end)
end)

describe("what a page says of those behind it", function()
  local CURSOR = { type = "cursor", query = "c", next = "/next", more = "/more" }
  local LINK = { "Link: </people?p=2>; rel=next" }

  local function walked(paging, query, options)
    return ids_of((client({ paging = paging }, options):users(query)))
  end

  it("is an error where it says that there is more and does not name it", function()
    for name, paging in pairs {
      link = { type = "link", more = "/more" },
      next_url = { type = "next_url", next = "/next", more = "/more" },
      after = { type = "after", query = "after", item = "/id", more = "/more" },
    } do
      server:script { ["/people"] = { { body = name == "after" and '{"data":[],"more":true}'
        or '{"data":[{"id":"a"}],"more":true}' } } }
      local ids, err = walked(paging)
      assert.equal(name == "after" and "" or "a", ids, name)
      check.failure(err, "decode")
      check.contains(err.message, "there is more")
    end
    server:script { ["/people"] = { { body = '{"data":[{"id":"a"}],"next":true}' } } }
    local ids, err = walked { type = "next_url", next = "/next" }
    assert.equal("a", ids)
    check.failure(err, "decode")
    check.contains(err.message, "got a boolean")
  end)

  it("ends a walk though a link leads on", function()
    for body, last in pairs { ['{"data":[{"id":"a"}],"more":false}'] = "a", ['{"data":[],"more":false}'] = "" } do
      server:script { ["/people"] = { { body = body, headers = LINK } } }
      assert.equal(last, (walked { type = "link", more = "/more" }))
      assert.equal(1, #server:requests())
    end
    server:script { ["/people"] = { { body = '{"data":[]}', headers = LINK } } }
    assert.equal("", (walked { type = "link", ends = "empty_page" }))
    assert.equal(1, #server:requests())
  end)

  it("is nothing where the flag is null", function()
    server:script { ["/people"] = { { body = '{"data":[{"id":"a"}],"next":"t","more":null}' } },
      ["/people?c=t"] = { { body = '{"data":[{"id":"b"}],"more":null}' } } }
    assert.equal("a b", (walked(CURSOR)))
  end)

  it("leaves people out where a page before another one is short", function()
    server:script { ["/people?n=3&from=6"] = { { body = '{"data":[{"id":"g"}]}' } },
      ["/people?n=3&from=3"] = { { body = '{"data":[{"id":"d"},{"id":"e"}]}' } } }
    local ids, err = walked({ type = "offset", query = "from", size = "n", max_size = 3 },
      { page_token = "6", direction = "backward" })
    assert.equal("g e d", ids)
    check.failure(err, "decode")
    check.contains(err.message, "expected 3 items before offset 6, got 2")
  end)

  it("has only those before it asked for ahead, backwards", function()
    local answers = {}
    for n = 1, 5 do
      answers["/people?page=" .. n] = { { body = ('{"data":[{"id":"u%d"}]}'):format(n), delay = 0.05 } }
    end
    server:script(answers)
    assert.equal("u5 u4 u3 u2 u1", (walked({ type = "page", query = "page" },
      { page_token = "5", direction = "backward", prefetch = 3 })))
    assert.equal(5, #server:requests())
  end)

  it("is sent in a header, too", function()
    server:script { ["/people"] = { { body = '{"data":[{"id":"a"}]}' }, { body = '{"data":[{"id":"b"}]}' },
      { body = '{"data":[]}' } } }
    assert.equal("a b", (walked { type = "page", header = "X-Page" }))
    local sent = {}
    for i, request in ipairs(server:requests()) do
      sent[i] = request.headers["x-page"]
    end
    assert.same({ "1", "2", "3" }, sent)
  end)

  it("is no loop where a page that begins as the one before it breaks off", function()
    server:script { ["/people"] = { { body = '{"data":[{"id":"a"},{"id":"b"}],"next":"t"}' } },
      ["/people?c=t"] = { { body = '{"data":[{"id":"a"},{"id":"b"},{"id":"c"}]}', cut = 32 } } }
    local _, err = walked(CURSOR, nil, { retry = false })
    check.failure(err, "network")
  end)

  it("is that nobody is there, however long the document", function()
    server:script { ["/people"] = { { body = '{"total":0,"x":"' .. ("y"):rep(500000) .. '"}' } } }
    local ids, err = walked { type = "page", query = "page", total = "/total" }
    assert.equal("", ids)
    assert.is_nil(err)
  end)

  it("is an error of kind decode where it is a list or a text", function()
    for _, body in ipairs { "[1,2]", '["x"]', "[]", '"text"', "7" } do
      server:script { ["/people"] = { { body = body } } }
      local _, err = walked { type = "none" }
      check.failure(err, "decode")
    end
  end)
end)

describe("a checkpoint that somebody has changed", function()
  local function refused(paging, answers, pattern, by)
    server:script { ["/people"] = answers, ["/people?p=2"] = { answers[2] or answers[1] } }
    local users = client({ paging = paging }):users()
    users:next()
    users:next()
    local text, count = users:checkpoint():gsub(pattern, by)
    assert.equal(1, count)
    check.misuse(function()
      client({ paging = paging }):users { resume = text }
    end, "resume: ")
  end
  local LAST = { body = '{"data":[{"id":"b"},{"id":"c"}]}' }

  it("is refused, whatever it has instead of texts and tables", function()
    refused({ type = "next_url", next = "/next" }, { { body = '{"data":[{"id":"a"}],"next":"/people?p=2"}' }, LAST },
      '"url":"[^"]*"', '"url":7')
    refused({ type = "cursor", header = "X-Cursor", next = "/next" }, { { body = '{"data":[{"id":"a"}],"next":"t"}' },
      LAST }, '"token":"t"', '"token":"t\\r\\nX: y"')
    refused({ type = "none" }, { LAST }, '"query":%b{}', '"query":7')
  end)
end)
