-- Mistakes made from good providers, by the hundred: each must be found, and named by its path.

local check = require "spec.support.check"
local provider = require "rollcall.provider"

local unpack = rawget(_G, "unpack") or rawget(table, "unpack")

local function base(paging, more)
  local made = {
    name = "acme",
    base_url = { production = "https://api.acme.example", sandbox = "https://sandbox.acme.example/v2" },
    headers = { Accept = "application/vnd.acme+json" },
    options = { tenant = { pattern = { "^%d+$" }, expected = "a number", list = "tenants", required = true } },
    users = {
      path = "/tenants/{tenant}/groups/{group}/users",
      items = "/data/list",
      id = "uuid",
      parameters = { fields = "all" },
      paging = paging,
      filters = {
        state = { query = "state", enum = { "on", "off" }, default = "on" },
        org = { header = "X-Org", format = "uuid" },
        group = { path = "group", required = true, pattern = "^%w+$", expected = "a group" },
        age = { query = "age", format = "integer", min = 1, max = 99 },
        tags = { query = "tag", list = "bracket" },
      },
      fields = {
        email = "/contact/email",
        status = { present = "/gone", yes = "DELETED", no = "ACTIVE" },
        account_id = { option = "tenant" },
        role_names = { each = "/roles", take = "/name" },
        mfa = { any = { "/mfa/sms", "/mfa/totp" }, within = "/mfa" },
      },
    },
  }
  for key, value in pairs(more or {}) do
    made[key] = value
  end
  return made
end

local CREDENTIALS = { type = "client_credentials", path = "/{tenant}/token", body = "form", credentials = "basic",
  audience = "https://acme.example/{tenant}", scope = "read", parameters = { resource = "users" },
  expired = { status = 400, message = "expired" } }

local function posted(paging)
  local made = base(paging)
  made.users.method = "POST"
  made.users.body = { order = "id", page = { kind = "people" } }
  made.users.filters.where = { body = "/where/name", list = "array" }
  return made
end

local function beside(made)
  made.collections = { groups = { path = "/groups", items = "", paging = { type = "none" } },
    devices = { path = "/tenants/{tenant}/devices", items = "/d", paging = { type = "link" } } }
  return made
end

local good = {
  none = base { type = "none" },
  cursor = base({ type = "cursor", query = "after", next = "/meta/next", previous = "/meta/previous", more = "/more",
    ends = { "null", "blank" }, final = { "0" }, size = "limit", max_size = 200 }, { auth = CREDENTIALS,
    limited = { status = 403, message = "rateLimitExceeded" } }),
  header_cursor = base({ type = "cursor", header = "X-After", next = { header = "X-Next" },
    size = { header = "X-Size" } }, { auth = { type = "header", name = "X-Key", prefix = "Key " } }),
  body_cursor = posted { type = "cursor", body = "/page/after", next = "/next", size = { body = "/page/size" },
    max_size = 10 },
  link = base({ type = "link", rel = "next", previous = "prev", more = { header = "X-More" }, ends = "absent",
    size = { query = "per_page" }, max_size = 100 }, { auth = { type = "basic" } }),
  next_url = base({ type = "next_url", next = "/links/next", previous = "/links/prev", ends = { "null", "absent" },
    size = "n", max_size = 5 }, { auth = { type = "bearer" } }),
  page = base({ type = "page", query = "page", start = 0, size = "n", max_size = 50, total = "/total", pages = "/pages",
    ends = "short_page", last = "/last" }, { auth = { type = "function", headers = function() return {} end } }),
  offset = base { type = "offset", query = "startIndex", start = 1, size = "count", max_size = 50,
    total = { header = "X-Total-Count" }, more = "/more" },
  json_cursor = posted { type = "cursor", body = "/page/after", next = "/next", previous = "/previous",
    token = "json" },
  json_after = posted { type = "after", body = "/search_after", item = "/sort", before = { body = "/search_before" },
    token = "json" },
  after = base { type = "after", query = "starting_after", item = { "/paging_token", "/id" }, before = "ending_before",
    size = "limit", max_size = 100, more = "/has_more", ends = "short_page" },
  several = beside(base { type = "none" }),
}

-- Tables whose keys are their maker's own, and tables that are nothing but data.
local MAPS = { base_url = true, headers = true, options = true, parameters = true, collections = true }
local function is_map(path, key)
  local last = path:match "[^.]*$"
  return MAPS[last] or last == "filters" or last == "fields" or path:find "%.body$" or path:find "%.body%."
    or type(key) == "number"
end

-- What cannot be left out, by the name of the table that it is in.
local REQUIRED = {
  [""] = { name = true, base_url = true },
  base_url = { production = true },
  tenant = { pattern = true, expected = true, required = true },
  users = { path = true, items = true, paging = true },
  groups = { path = true, items = true, paging = true },
  devices = { path = true, items = true, paging = true },
  paging = { type = true },
  auth = { type = true, path = true },
  expired = { status = true, message = true },
  limited = { status = true, message = true },
}

local function at(made, path)
  for key in path:gmatch "[^.]+" do
    made = made[tonumber(key) or key]
  end
  return made
end

local function join(path, key)
  return path == "" and tostring(key) or path .. "." .. tostring(key)
end

--- A mutation: what it is called, the provider to change, how, and the path that must be named.
local mutations = {}

local function add(title, from, path, change, expected)
  mutations[#mutations + 1] = { title = ("%s: %s %s"):format(from, title, path), from = from, change = change,
    expected = expected or path .. ": " }
end

--- Misspells a word: leaves one letter out of its middle.
local function misspelt(word)
  local middle = math.ceil(#word / 2)
  return #word > 3 and word:sub(1, middle - 1) .. word:sub(middle + 1) or word .. "x"
end

local function collect(from, made, path)
  local keys = {}
  for key in pairs(made) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for _, key in ipairs(keys) do
    local value, here = made[key], join(path, key)
    local is_data = here:find "%.body%.?" and type(at(good[from], here:match "^(.-)%.body")) == "table"
      and here:match "^(.-)%.body" == "users"
    if not is_data and not here:find "%.default$" then
      local wrong = type(value) == "function" and "text" or function() end
      add("wrong type of", from, here, function(it)
        at(it, path)[key] = wrong
      end)
    end
    if type(key) == "string" and not is_map(path, key) and not is_data then
      add("misspelt", from, here, function(it)
        local parent = at(it, path)
        parent[misspelt(key)], parent[key] = parent[key], nil
      end, join(path, misspelt(key)) .. ": unknown")
    end
    local last = path:match "[^.]*$"
    if REQUIRED[last] and REQUIRED[last][key] and not (last == "auth" and made.type ~= "client_credentials"
      and key ~= "type") then
      add("without", from, here, function(it)
        at(it, path)[key] = nil
      end, key == "required" and "{tenant}" or here .. ": missing")
    end
    if type(value) == "string" and value:sub(1, 1) == "/" and not here:find "path$" and not is_data then
      for _, bad in ipairs { "no/slash", "/a~2", "/a~" } do
        add("bad pointer " .. bad .. " at", from, here, function(it)
          at(it, path)[key] = bad
        end)
      end
    end
    if type(value) == "table" and not (is_data and key ~= "body") and not here:find "users%.body" then
      collect(from, value, here)
    end
  end
end

local names = {}
for name in pairs(good) do
  names[#names + 1] = name
end
table.sort(names)
for _, name in ipairs(names) do
  collect(name, good[name], "")
end

-- What no single field can say, and words that are none.
for _, case in ipairs {
  { "cursor", "users.paging.query", function(p) p.query = nil end },
  { "cursor", "users.paging", function(p) p.header = "X" end },
  { "cursor", "users.paging", function(p) p.body = "/x" end },
  { "cursor", "users.paging.body", function(p) p.query, p.body = nil, "/x" end },
  { "cursor", "users.paging.next", function(p) p.next = nil end },
  { "cursor", "users.paging.max_size", function(p) p.size = nil end },
  { "cursor", "users.paging.max_size", function(p) p.max_size = 0 end },
  { "cursor", "users.paging.max_size", function(p) p.max_size = 1.5 end },
  { "cursor", "users.paging.type", function(p) p.type = "cursr" end },
  { "cursor", "users.paging.ends.2", function(p) p.ends = { "null", "blnk" } end },
  { "cursor", "users.paging.ends", function(p) p.ends = "short_page" end },
  { "cursor", "users.paging.final.1", function(p) p.final = { 0 } end },
  { "cursor", "users.paging.size", function(p) p.size = { query = "a", header = "b" } end },
  { "cursor", "users.paging.size", function(p) p.size = {} end },
  { "cursor", "users.paging.size", function(p) p.size = { body = "/size" } end },
  { "cursor", "users.paging.size.quary", function(p) p.size = { quary = "a" } end },
  { "cursor", "users.paging.next.header", function(p) p.next = { header = "a b" } end },
  { "header_cursor", "users.paging.header", function(p) p.header = "X:After" end },
  { "body_cursor", "users.paging.body", function(p) p.body = "" end },
  { "body_cursor", "users.paging", function(p) p.body = "/order/after" end },
  { "cursor", "users.paging.token", function(p) p.token = "json" end },
  { "header_cursor", "users.paging.token", function(p) p.token = "json" end },
  { "json_cursor", "users.paging.token", function(p) p.token = "JSON" end },
  { "json_cursor", "users.paging.next", function(p) p.next = { header = "X-Next" } end },
  { "json_cursor", "users.paging.previous", function(p) p.previous = { header = "X-Previous" } end },
  { "json_after", "users.paging.before", function(p) p.before = "before" end },
  { "page", "users.paging.token", function(p) p.token = "json" end },
  { "link", "users.paging.rel", function(p) p.rel = "next page" end },
  { "link", "users.paging.ends", function(p) p.ends = "null" end },
  { "link", "users.paging.query", function(p) p.query = "page" end },
  { "next_url", "users.paging.next", function(p) p.next = nil end },
  { "page", "users.paging.start", function(p) p.start = -1 end },
  { "page", "users.paging.start", function(p) p.start = "0" end },
  { "page", "users.paging.query", function(p) p.query = nil end },
  { "page", "users.paging.last", function(p) p.more = "/more" end },
  { "page", "users.paging.ends", function(p) p.size, p.max_size = nil, nil end },
  { "page", "users.paging.ends", function(p) p.ends = "null" end },
  { "offset", "users.paging.pages", function(p) p.pages = "/pages" end },
  { "after", "users.paging.item", function(p) p.item = nil end },
  { "after", "users.paging.item", function(p) p.item = {} end },
  { "after", "users.paging.item", function(p) p.item = "" end },
  { "after", "users.paging.before", function(p) p.before = { path = "x" } end },
  { "after", "users.paging.last", function(p) p.last = "/last" end },
  { "link", "users.paging.max_size", function(p) p.size = nil end },
  { "next_url", "users.paging.max_size", function(p) p.size, p.max_size = nil, 5 end },
  { "after", "users.paging.max_size", function(p) p.size = nil end },
  { "link", "users.paging.total", function(p) p.total = "total" end },
} do
  add("contradiction", case[1], case[2], function(it)
    case[3](it.users.paging)
  end, case[2])
end

local LEAST = { path = "/x", items = "", paging = { type = "none" } }

for _, case in ipairs {
  { "auth.path", function(p) p.auth.path = nil end },
  { "auth.url", function(p) p.auth.url = "https://login.example/token" end },
  { "auth.url", function(p) p.auth.path, p.auth.url = nil, "http://login.example/token" end },
  { "auth.url", function(p) p.auth.path, p.auth.url = nil, "https://login.example/{nobody}/token" end },
  { "auth.path", function(p) p.auth.path = "/{nobody}/token" end },
  { "auth.type", function(p) p.auth.type = "oauth2" end },
  { "auth.body", function(p) p.auth.body = "xml" end },
  { "auth.credentials", function(p) p.auth.credentials = "header" end },
  { "auth.name", function(p) p.auth.name = "Host" end },
  { "auth.prefix", function(p) p.auth.prefix = "a\n" end },
  { "auth.names.client_id", function(p) p.auth.names, p.auth.credentials = { client_id = "" }, nil end },
  { "auth.names.client_id", function(p) p.auth.names, p.auth.credentials = { client_id = "grant_type" }, nil end },
  { "auth.names.client_secret", function(p)
    p.auth.names, p.auth.credentials = { client_id = "x", client_secret = "x" }, nil
  end },
  { "auth.names", function(p) p.auth.names, p.auth.credentials = { client_id = "x" }, "basic" end },
  { "auth.names.scope", function(p) p.auth.names = { scope = "x" } end },
  { "auth.token", function(p) p.auth.token = "access_token" end },
  { "auth.token", function(p) p.auth.token = "/a\nb" end },
  { "auth.expires_in", function(p) p.auth.expires_in = "" end },
  { "auth.expired.status", function(p) p.auth.expired.status = 199 end },
  { "auth.parameters.x", function(p) p.auth.parameters.x = 5 end },
  { "auth.name", function(p) p.auth = { type = "header" } end },
  { "auth.prefix", function(p) p.auth = { type = "header", name = "X", prefix = "a\nb" } end },
  { "auth.headers", function(p) p.auth = { type = "function" } end },
  { "auth.path", function(p) p.auth = { type = "function", headers = print, path = "/x" } end },
  { "auth.audience", function(p) p.auth = { type = "bearer", audience = "x" } end },
  { "headers.Authorization", function(p) p.headers.Authorization = "Bearer x" end },
  { "headers.Host", function(p) p.headers.Host = "evil.example" end },
  { "headers.A b", function(p) p.headers["A b"] = "c" end },
  { "headers.Accept", function(p) p.headers.Accept = "a\r\nX: b" end },
  { "base_url.production", function(p) p.base_url.production = "http://api.acme.example" end },
  { "base_url.sandbox", function(p) p.base_url.sandbox = "ftp://x.example" end },
  { "base_url.sandbox", function(p) p.base_url.sandbox = "https://user:pass@x.example" end },
  { "users.path", function(p) p.users.path = "tenants" end },
  { "users.path", function(p) p.users.path = "/users?x=1" end },
  { "users.path", function(p) p.users.path = "/{nobody}/{group}" end },
  { "users.filters.group.path", function(p) p.users.path = "/tenants/{tenant}/users" end },
  { "users.filters.group.path", function(p) p.users.filters.group.required = nil end },
  { "users.path", function(p) p.options.group = { pattern = { "x" }, expected = "x", required = true } end },
  { "users.body", function(p) p.users.body = {} end },
  { "users.body", function(p) p.users.method, p.users.body = "POST", { "a", [3] = "c" } end },
  { "users.body", function(p) p.users.method, p.users.body = "POST", { list = { "a", name = "b" } } end },
  { "users.method", function(p) p.users.method = "PUT" end },
  { "users.filters.state.body", function(p) p.users.filters.state = { body = "/state" } end },
  { "users.filters.state", function(p) p.users.filters.state.query = nil end },
  { "users.filters.state", function(p) p.users.filters.state.header = "X-State" end },
  { "users.filters.state.default", function(p) p.users.filters.state.default = "maybe" end },
  { "users.filters.age.default", function(p) p.users.filters.age.default = 100 end },
  { "users.filters.age.max", function(p) p.users.filters.age.max = 0 end },
  { "users.filters.age.min", function(p) p.users.filters.age.format = nil end },
  { "users.filters.age.pattern", function(p) p.users.filters.age.pattern = "x" end },
  { "users.filters.org.format", function(p) p.users.filters.org.format = "guid" end },
  { "users.filters.org.list", function(p) p.users.filters.org.list = "repeat" end },
  { "users.filters.tags.list", function(p) p.users.filters.tags.list = "array" end },
  { "users.filters.tags.list", function(p) p.users.filters.tags.list = "semicolon" end },
  { "users.filters.group.list", function(p) p.users.filters.group.list = "comma" end },
  { "users.filters.group.pattern", function(p) p.users.filters.group.pattern = "[a" end },
  { "users.filters.group.pattern.2", function(p) p.users.filters.group.pattern = { "a", "%" } end },
  { "users.filters.limit", function(p) p.users.filters.limit = { query = "limit" } end },
  { "users.filters.page_size", function(p) p.users.filters.page_size = { query = "n" } end },
  { "users.filters.page_token", function(p) p.users.filters.page_token = { query = "n" } end },
  { "users.filters.a-b", function(p) p.users.filters["a-b"] = { query = "n" } end },
  { "users.fields.account_id.option", function(p) p.users.fields.account_id = { option = "nobody" } end },
  { "users.fields.status", function(p) p.users.fields.status = { absent = "/x" } end },
  { "users.fields.role_names.take", function(p) p.users.fields.role_names.take = "/a/b" end },
  { "users.id", function(p) p.users.id = ("x"):rep(127) end },
  { "users.id", function(p) p.users.id = "/a/~2" end },
  { "users", function(p) p.users = nil end },
  { "collections", function(p) p.collections = {} end },
  { "collections.users", function(p) p.collections = { users = LEAST } end },
  { "collections.close", function(p) p.collections = { close = LEAST } end },
  { "collections.x.paging.type", function(p) p.collections = { x = { path = "/x", items = "", paging = {} } } end },
  { "options.tenant.pattern", function(p) p.options.tenant.pattern = {} end },
} do
  add("contradiction", "cursor", case[1], case[2])
end

describe("the check of a provider", function()
  it("accepts every good one", function()
    for _, name in ipairs(names) do
      local before = check.copy(good[name])
      provider.check(good[name])
      check.same(before, good[name])
    end
  end)

  it("accepts good ones without what can be left out", function()
    for _, name in ipairs(names) do
      for _, key in ipairs { "auth", "headers" } do
        local made = check.copy(good[name])
        made[key] = nil
        provider.check(made)
      end
      for _, key in ipairs { "fields", "id", "parameters" } do
        local made = check.copy(good[name])
        made.users[key] = nil
        provider.check(made)
      end
      for key in pairs(good[name].users.filters) do
        if key ~= "group" then
          local made = check.copy(good[name])
          made.users.filters[key] = nil
          provider.check(made)
        end
      end
    end
  end)

  it("has hundreds of mistakes to find", function()
    assert.is_true(#mutations >= 1000, #mutations)
  end)

  for _, name in ipairs(names) do
    it("finds each mistake in " .. name, function()
      for _, mutation in ipairs(mutations) do
        if mutation.from == name then
          local made = check.copy(good[name])
          mutation.change(made)
          local found, message = pcall(provider.check, made)
          assert.is_false(found, mutation.title .. " is accepted")
          if not message:find(mutation.expected, 1, true) then
            error(("%s: expected %q in: %s"):format(mutation.title, mutation.expected, message))
          end
          -- And says nothing that the mistake has not to do with.
          local _, lines = message:gsub("\n  ", "")
          assert.is_true(lines <= 6, mutation.title .. ": " .. message)
        end
      end
    end)
  end

  it("finds many at once, each by its path", function()
    local made, expected, n = check.copy(good.cursor), {}, 0
    for _, key in ipairs { "more", "previous", "final", "ends", "size" } do
      made.users.paging[key .. "s"] = 1
      expected[#expected + 1] = "users.paging." .. key .. "s: unknown; did you mean " .. key .. "?"
    end
    made.auth.scpe, made.colour, made.users.items = "x", 5, nil
    expected[#expected + 1] = "auth.scpe: unknown; did you mean scope?"
    expected[#expected + 1] = "colour: unknown"
    expected[#expected + 1] = "users.items: missing"
    local message = check.misuse(function() provider.check(made) end, unpack(expected))
    for _ in message:gmatch "\n  " do
      n = n + 1
    end
    assert.equal(#expected, n)
  end)
end)
