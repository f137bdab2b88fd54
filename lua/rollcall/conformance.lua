-- The conformance kit: does rollcall keep its promises with a provider's table, and does the table agree with the API's
-- own documentation?
--
-- The first is tried on hostile servers that are generated from the declaration. Those agree with it by construction,
-- so the second needs what the documentation shows: requests and their responses, which are replayed verbatim.

local auth = require "rollcall.auth"
local documented = require "rollcall.conformance.documented"
local hostile = require "rollcall.conformance.hostile"
local provider = require "rollcall.provider"
local report = require "rollcall.conformance.report"
local sample = require "rollcall.conformance.sample"
local schema = require "rollcall.schema"
local server = require "rollcall.conformance.server"
local tables = require "rollcall.tables"
local url = require "rollcall.http.url"
local walks = require "rollcall.conformance.walks"

local conformance = {}

--- One page as the documentation shows it. The pages of a list follow each other, beginning with the first.
---@class rollcall.Example
---@field response string the body, verbatim
---@field request string? its request, such as "GET https://api.acme.example/people?limit=2"; method and origin are
---  optional
---@field headers string[]? of the response, those that matter to paging: { "Link: <…>; rel=next" }
---@field body string? of the request, for a POST
---@field last boolean? is it the last page? nil: not checked

---@class rollcall.ConformanceOptions
---@field client table? options of the client that the provider needs, such as account
---@field query table<string, table>? by collection: filters that its walks need
---@field examples table<string, rollcall.Example[]>? by collection: what the documentation shows
---@field hostile boolean? false: only the comparison with the examples, which takes less than a second
---@field unseen table<string, string[]>? by collection: common fields of which the examples show nothing

local texts = { type = "table", values = { type = "string" } }

local example = { type = "table", fields = {
  response = { type = "string", required = true, expected = "the text of a body" },
  request = { type = "string", expected = "a request such as GET /people?limit=2", test = function(value)
    return documented.request(value) ~= nil
  end },
  headers = texts,
  body = { type = "string" },
  last = { type = "boolean" },
} }

local function options_schema(declared)
  local function by_collection(node)
    local fields = {}
    for name in pairs(declared.collections) do
      fields[name] = node
    end
    return { type = "table", fields = fields }
  end
  return { type = "table", fields = {
    client = { type = "table" },
    query = by_collection { type = "table" },
    examples = by_collection { type = "table", values = example, expected = "a list of examples", test = function(list)
      return #list > 0
    end },
    unseen = by_collection(texts),
    hostile = { type = "boolean" },
  } }
end

local SECRETS = { token = "conformance-token-5d1c", client_id = "conformance-id-77f0",
  client_secret = "conformance-secret-e2b9", username = "conformance-user-3a", password = "conformance-password-91c4" }

--- The secrets that the provider's auth takes: given ones first, made-up ones for the rest.
local function secrets_of(declared, given)
  local lists = auth.takes(declared)
  local made, fitting = {}, lists[#lists]
  for _, list in ipairs(lists) do
    for _, name in ipairs(list) do
      fitting = given[name] ~= nil and list or fitting
    end
  end
  for _, name in ipairs(fitting) do
    made[name] = type(given[name]) == "string" and given[name] or SECRETS[name]
  end
  return made
end

--- The options that paths use: as given, otherwise values that match the provider's patterns.
local function variables_of(declared, given, level)
  local made = {}
  for name, option in pairs(declared.options or {}) do
    made[name] = given[name]
    if made[name] == nil and option.required and not (option.list and given[option.list]) then
      made[name] = sample.of_patterns(option.pattern)
      if not made[name] then
        error(("conformance: client.%s: missing; expected %s"):format(name, option.expected), level + 1)
      end
    end
  end
  return made
end

--- The filters that every walk of a collection needs: as given, otherwise made-up values that they take.
local function query_of(collection, given)
  local made = {}
  for name, filter in pairs(collection.filters or {}) do
    if filter.required and filter.default == nil then
      made[name] = sample.of_filter(filter)
    end
  end
  return tables.with(made, given or {})
end

--- The origin and path of the API. No request is sent there. Or nil and what is wrong.
---@param declared rollcall.Provider
---@param client table options
---@return { origin: string?, path: string }?
---@return string? problem
local function home_of(declared, client)
  local base = client.base_url or declared.base_url and declared.base_url[client.environment or "production"]
  if not base then
    return { path = "" }
  end
  local parsed, problem = nil, "expected a URL"
  if type(base) == "string" then
    parsed, problem = url.parse(base)
  end
  if not parsed then
    return nil, "client.base_url: " .. problem
  end
  return { origin = base:match("^%a[%w+.-]*://[^/?#]*"), path = (parsed.path:gsub("/+$", "")) }
end

--- The provider; if it declares a URL for tokens, a copy that gets them from the kit's server.
local function at_home(declared, origin)
  if not (declared.auth and declared.auth.url) then
    return declared
  end
  local twin = tables.copy(declared)
  twin.users = nil -- it is among its collections
  twin.auth.url = declared.auth.url:gsub("^%a[%w+.-]*://[^/]*", origin)
  return twin
end

local function nobody()
  return { status = 404, body = "{}" }
end

local function try(made, collection, case, kit)
  local reason = case.skip and case.skip(kit)
  if reason then
    made:add(collection, case.name, "unfit", reason)
    return
  end
  local good, problem = pcall(case.run, kit)
  if good then
    made:add(collection, case.name, "passed")
  else
    made:add(collection, case.name, "failed", type(problem) == "table" and problem.message or tostring(problem))
  end
end

--- Checks and runs: see rollcall.conformance.
---@param declared rollcall.Provider
---@param options rollcall.ConformanceOptions?
---@param level integer? of the caller that error messages name
---@return rollcall.ConformanceReport
function conformance.run(declared, options, level)
  level = (level or 1) + 1
  local checked = provider.check(declared, level)
  local can, problem = server.check()
  if not can then
    error("conformance: " .. problem, level)
  end
  local problems = schema.check(options or {}, options_schema(checked))
  if #problems > 0 then
    error("conformance: " .. table.concat(problems, "; "), level)
  end
  local given = options or {}
  local client = given.client or {}
  local home
  home, problem = home_of(checked, client)
  if not home then
    error("conformance: " .. problem, level)
  end
  local variables, secrets = variables_of(checked, client, level), secrets_of(checked, client)
  local config = tables.with(tables.with(client, variables), secrets)
  local made = report.new(checked.name)
  for i, name in ipairs(tables.keys(checked.collections)) do
    local collection = checked.collections[name]
    local setup = { name = name, collection = collection, config = config, variables = variables, secrets = secrets,
      base_path = home.path, home = home.origin, query = query_of(collection, (given.query or {})[name]),
      provider = checked }
    local kit = { setup = setup, is_first = i == 1, collection = collection, paging = collection.paging,
      secrets = secrets, walks = walks.new(setup),
      examples = (given.examples or {})[name], unseen = (given.unseen or {})[name] or {} }
    setup.provider = at_home(checked, kit.walks.main.url)
    setup.origin = function()
      return kit.walks.main.url
    end
    local good, failed = pcall(function()
      -- A mistake in the script's options must raise, not count as a failed case.
      local client_of_all = kit.walks:client(nobody)
      client_of_all[name](client_of_all, kit.walks:query())
      client_of_all:close()
      if not kit.examples then
        made:add(name, "is what the documentation shows", "unknown",
          ("nothing was given to compare it with: examples.%s"):format(name))
      end
      local is_hostile = given.hostile ~= false
      for _, list in ipairs { kit.examples and documented.cases or {}, is_hostile and hostile.cases or {} } do
        for _, case in ipairs(list) do
          try(made, name, case, kit)
        end
        if list == documented.cases and not documented.shows_end(kit) then
          made:add(name, "ends where the documentation does", "unknown",
            "no example is the last page, so the end was not compared")
        end
      end
    end)
    kit.walks:stop()
    if not good then
      error("conformance: " .. tostring(failed):gsub("^[^:]+:%d+: ", ""), level)
    end
  end
  return made
end

return conformance
